//! The client on a terminal: a pseudo terminal (pty(7)) stands for one, and is as it was when the client has ended,
//! however it ended.

use super::{BINARY, Plan};
use crate::harness::DEADLINE;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

/// A terminal of 100 columns: the side that a person sees, and that of the programs.
fn terminal() -> (File, OwnedFd) {
    let size = libc::winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut seen, mut own) = (0, 0);
    // SAFETY: two numbers are written, `size` is read; the descriptors are open and nobody else's.
    unsafe {
        let made =
            libc::openpty(&mut seen, &mut own, std::ptr::null_mut(), std::ptr::null(), &raw const size);
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        (File::from_raw_fd(seen), OwnedFd::from_raw_fd(own))
    }
}

/// Whether what is typed is shown, and comes line by line.
fn is_as_before(terminal: &OwnedFd) -> bool {
    // SAFETY: termios is plain data, for which all zeroes is a value, and the call fills it in.
    unsafe {
        let mut now: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &mut now), 0);
        now.c_lflag & libc::ECHO != 0 && now.c_lflag & libc::ICANON != 0 && now.c_lflag & libc::ISIG != 0
    }
}

/// Starts the client with the terminal as its own.
fn start(words: &[&str], terminal: &OwnedFd) -> Child {
    let stream = || terminal.try_clone().expect("a descriptor");
    let mut command = Command::new(BINARY);
    command.args(words).stdin(stream()).stdout(stream()).stderr(stream());
    // SAFETY: both calls may be made between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 {
            true => Ok(()),
            false => Err(std::io::Error::last_os_error()),
        });
    }
    command.spawn().expect("the binary starts")
}

fn ended(child: &mut Child) -> ExitStatus {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    panic!("the client goes on after a signal that ends it");
}

#[test]
fn a_terminal_is_put_back_whatever_ends_the_client() {
    let node = Plan::new().start();
    let admin = format!("http://127.0.0.1:{}", node.admin);
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
        let (mut seen, own) = terminal();
        assert!(is_as_before(&own));
        let mut child = start(&["--admin", &admin, "top", "--by", "node"], &own);
        // Keys are taken before the first table is shown, whatever it says.
        let mut some = [0; 256];
        assert!(seen.read(&mut some).expect("a table") > 0);
        assert!(!is_as_before(&own), "what is typed while it runs is not shown");
        // SAFETY: a call without pointers, to a child that has not been waited for.
        unsafe { libc::kill(child.id() as libc::pid_t, signal) };
        assert_eq!(ended(&mut child).signal(), Some(signal), "it ends as it would have");
        assert!(is_as_before(&own), "after signal {signal}");
    }
}
