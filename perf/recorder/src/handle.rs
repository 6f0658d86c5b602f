//! The process's hold on the recorder: figures, and a stop that leaves nothing behind. Dropping it stops too; a
//! recorder must never outlive its process's interest in it.

use crate::RecorderStats;
use crate::counters::Counters;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The figures of a recorder, for whoever shows them; they stay readable after its end.
#[derive(Clone, Debug, Default)]
pub struct RecorderGauge {
    pub(crate) access: Arc<Counters>,
    pub(crate) profile: Arc<Counters>,
}

impl RecorderGauge {
    /// What was written and dropped so far.
    pub fn stats(&self) -> RecorderStats {
        RecorderStats { access: self.access.stats(), profile: self.profile.stats() }
    }
}

/// The running recorder.
pub struct RecorderHandle {
    thread: Option<JoinHandle<io::Result<()>>>,
    gauge: RecorderGauge,
    stop: Arc<AtomicBool>,
}

impl RecorderHandle {
    pub(crate) fn new(
        thread: JoinHandle<io::Result<()>>,
        gauge: RecorderGauge,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { thread: Some(thread), gauge, stop }
    }

    /// Its figures.
    pub fn gauge(&self) -> RecorderGauge {
        self.gauge.clone()
    }

    /// Writes everything that was submitted before this call, syncs, closes, and ends the thread. An error means that
    /// some of it could not be written; it is counted as dropped.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(io::Error::other("the recorder panicked"))),
            None => Ok(()),
        }
    }
}

impl Drop for RecorderHandle {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.end();
    }
}
