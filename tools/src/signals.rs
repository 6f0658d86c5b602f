//! Signals that end the client while the terminal is not as it was: it is put back first. A thread waits for them, so
//! that no handler runs in the middle of anything and no request that is waited for holds it up. Afterwards the process
//! ends by that signal, as it would have without this.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::Once;

/// What ends a process from outside, or from a terminal that is gone.
const ENDING: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The first terminal that was changed; the others are the same one, and were found as it was before.
static WATCHED: Once = Once::new();

/// From now on `terminal` is put back to `before` when a signal ends the process. Call it before the terminal is changed.
pub(crate) fn put_back(terminal: &File, before: libc::termios) -> io::Result<()> {
    let terminal = terminal.try_clone()?;
    WATCHED.call_once(|| {
        let signals = set(ENDING.into_iter().filter(|signal| !is_ignored(*signal)));
        // Before the thread begins, which is born with it: nobody but `wait` gets them.
        mask(libc::SIG_BLOCK, &signals);
        let spawned = std::thread::Builder::new().name("signals".into()).spawn(move || {
            let Some(signal) = wait(&signals) else { return };
            // SAFETY: the descriptor is open and `before` is a termios that the kernel filled in.
            unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, &before) };
            end_by(signal);
        });
        if spawned.is_err() {
            mask(libc::SIG_UNBLOCK, &signals);
        }
    });
    Ok(())
}

/// Whether whoever started the process wants it to outlive a signal, as `nohup` does.
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: sigaction is plain data, for which all zeroes is a value; without a new action the call only writes the
    // old one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

fn set(signals: impl Iterator<Item = libc::c_int>) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset fills in the whole set, and only then is it read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        signals.for_each(|signal| {
            libc::sigaddset(set.as_mut_ptr(), signal);
        });
        set.assume_init()
    }
}

/// Changes what this thread, and those that it begins, take.
fn mask(how: libc::c_int, signals: &libc::sigset_t) {
    // SAFETY: `signals` is a whole set; the old mask is not asked for.
    unsafe { libc::pthread_sigmask(how, signals, std::ptr::null_mut()) };
}

/// Waits for one of them, which are all blocked.
fn wait(signals: &libc::sigset_t) -> Option<libc::c_int> {
    let mut signal = 0;
    // SAFETY: a whole set is read and one number written.
    (unsafe { libc::sigwait(signals, &mut signal) } == 0).then_some(signal)
}

/// Ends the process by a signal that was blocked.
fn end_by(signal: libc::c_int) {
    // SAFETY: calls without pointers; the default action of each of these signals is to end the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
    // Raised for this thread alone: it ends the process as soon as it is let through here.
    mask(libc::SIG_UNBLOCK, &set([signal].into_iter()));
}
