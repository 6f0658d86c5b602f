//! Signals, waited for on the main thread only. They are blocked before any other thread is born, so that none of them
//! is ever interrupted.

use std::time::Duration;

fn set() -> libc::sigset_t {
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT] {
            libc::sigaddset(&mut set, signal);
        }
        set
    }
}

/// Blocks the signals for this thread and all that it will start.
pub fn block() {
    // SAFETY: a valid set; the old mask is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set(), std::ptr::null_mut()) };
}

/// The next signal within a time, by its name.
pub fn wait(time: Duration) -> Option<&'static str> {
    let timeout = libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(time.subsec_nanos() as i32),
    };
    // SAFETY: a valid set and timeout; no information beyond the number is asked for.
    match unsafe { libc::sigtimedwait(&set(), std::ptr::null_mut(), &timeout) } {
        libc::SIGTERM => Some("SIGTERM"),
        libc::SIGINT => Some("SIGINT"),
        libc::SIGQUIT => Some("SIGQUIT"),
        _ => None,
    }
}
