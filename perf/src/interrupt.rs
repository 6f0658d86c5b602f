//! Ctrl-C: the handler only notes it; whoever waits looks, and ends by the ordinary way, so that every process and
//! folder is cleaned up. A second one ends at once.

use crate::Failure;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: libc::c_int) {
    if INTERRUPTED.swap(true, Ordering::Relaxed) {
        // SAFETY: `_exit` is one of the few calls a signal handler may make.
        unsafe { libc::_exit(130) }
    }
}

/// Notes SIGINT and SIGTERM from now on.
pub(crate) fn catch() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler touches one atomic and `_exit`, both allowed in a signal handler.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}

/// An error once the run was interrupted.
pub(crate) fn check() -> Result<(), Failure> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        Err("interrupted; everything it started is ended".into())
    } else {
        Ok(())
    }
}

/// Looks every few milliseconds until `ready` gives something, the time is over (`None`), or the run is interrupted.
pub(crate) fn wait_for<T>(
    longest: Duration,
    mut ready: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    let end = Instant::now() + longest;
    loop {
        check()?;
        if let Some(value) = ready()? {
            return Ok(Some(value));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}
