//! Waking a shard from another thread: one byte through a socket pair, which both drivers can wait for. Wake-ups that
//! were not seen yet are one.

use monoio::io::AsyncReadRent;
use monoio::net::UnixStream;
use std::io::{self, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The end that is woken, on its way to the thread that will wait for it.
pub struct WakeSource {
    pending: Arc<AtomicBool>,
    stream: StdStream,
}

/// The same, on the shard's thread.
pub struct Wakeups {
    pending: Arc<AtomicBool>,
    stream: UnixStream,
    buffer: Vec<u8>,
}

/// A hook that wakes, and the end that is woken.
pub fn wakeups() -> io::Result<(Arc<dyn Fn() + Send + Sync>, WakeSource)> {
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
    Ok((Arc::new(wake), WakeSource { pending, stream: ours }))
}

impl WakeSource {
    /// Begins to listen, on the thread of a running driver.
    pub fn listen(self) -> io::Result<Wakeups> {
        self.stream.set_nonblocking(monoio::utils::is_legacy())?;
        let stream = UnixStream::from_std(self.stream)?;
        Ok(Wakeups { pending: self.pending, stream, buffer: Vec::with_capacity(16) })
    }
}

impl Wakeups {
    /// Resolves when the hook was called since the last time. Whatever the hook announced is visible then.
    pub async fn next(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.clear();
        let (result, back) = self.stream.read(bytes).await;
        self.buffer = back;
        if result? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Cleared before the mailbox is read: what comes in between wakes again.
        self.pending.store(false, Ordering::Release);
        Ok(())
    }
}
