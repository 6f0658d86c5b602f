//! Waking a shard from another thread: one byte through a socket pair, which both drivers can wait for. Wake-ups that
//! were not seen yet are one.

use monoio::io::AsyncReadRent;
use monoio::net::UnixStream;
use std::io::{self, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The shard's end, made on any thread and awaited on the shard's.
pub struct Wakeups {
    pending: Arc<AtomicBool>,
    end: End,
}

enum End {
    Idle(StdStream),
    Running(UnixStream, Vec<u8>),
    Broken,
}

/// A hook that wakes, and the end that is woken.
pub fn wakeups() -> io::Result<(Arc<dyn Fn() + Send + Sync>, Wakeups)> {
    let (ours, theirs) = StdStream::pair()?;
    theirs.set_nonblocking(true)?;
    let pending = Arc::new(AtomicBool::new(false));
    let seen = pending.clone();
    let wake = move || {
        if !seen.swap(true, Ordering::AcqRel) {
            // A full pair means that a wake-up is under way already; a closed one that nobody is left to wake.
            let _ = (&theirs).write(&[1]);
        }
    };
    Ok((Arc::new(wake), Wakeups { pending, end: End::Idle(ours) }))
}

impl Wakeups {
    /// Resolves when the hook was called since the last time. Whatever the hook announced is visible then.
    pub async fn next(&mut self) -> io::Result<()> {
        if let End::Idle(_) = self.end {
            let End::Idle(stream) = std::mem::replace(&mut self.end, End::Broken) else { unreachable!() };
            stream.set_nonblocking(monoio::utils::is_legacy())?;
            self.end = End::Running(UnixStream::from_std(stream)?, Vec::with_capacity(16));
        }
        let End::Running(stream, buffer) = &mut self.end else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut bytes = std::mem::take(buffer);
        bytes.clear();
        let (result, back) = stream.read(bytes).await;
        *buffer = back;
        if result? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Cleared before the mailbox is read: what comes in between wakes again.
        self.pending.store(false, Ordering::Release);
        Ok(())
    }
}
