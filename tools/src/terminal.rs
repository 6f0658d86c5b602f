//! The terminal: asks for a password without showing it, and knows the width. The terminal is put back as it was
//! whatever happens, also on Ctrl-C, which is why signals of the keyboard are read here as characters; those that come
//! from elsewhere are the matter of `signals`.

use crate::signals;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Asks, and reads one line. Without a terminal it fails instead of waiting for what nobody can type.
pub(crate) fn ask(prompt: &str) -> io::Result<String> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(prompt.as_bytes())?;
    let silence = Silence::of(terminal.try_clone()?)?;
    let line = read_line(&mut terminal);
    drop(silence);
    terminal.write_all(b"\n")?;
    line
}

/// Reads to the end of the line, doing what a terminal's own line editing would do.
fn read_line(input: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match (input.read(&mut byte)?, byte[0]) {
            (0, _) | (_, b'\n' | b'\r') => break,
            (_, 0x03) => return Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled")),
            (_, 0x04) if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            (_, 0x08 | 0x7f) => while line.pop().is_some_and(|last: u8| last & 0xc0 == 0x80) {},
            (_, 0x15) => line.clear(),
            (_, byte) => line.push(byte),
        }
    }
    String::from_utf8(line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the password is not UTF-8"))
}

/// A terminal that shows nothing until this is dropped.
struct Silence {
    terminal: File,
    before: libc::termios,
}

impl Silence {
    fn of(terminal: File) -> io::Result<Self> {
        // SAFETY: termios is plain data, for which all zeroes is a value.
        let mut before: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open for as long as `terminal` lives, and `before` is a valid place to write to.
        if unsafe { libc::tcgetattr(terminal.as_raw_fd(), &mut before) } != 0 {
            return Err(io::Error::last_os_error());
        }
        signals::put_back(&terminal, before)?;
        let mut silent = before;
        silent.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON | libc::ISIG);
        let silence = Self { terminal, before };
        silence.set(&silent)?;
        Ok(silence)
    }

    fn set(&self, to: &libc::termios) -> io::Result<()> {
        // SAFETY: the descriptor is open and `to` is a termios that the kernel filled in.
        match unsafe { libc::tcsetattr(self.terminal.as_raw_fd(), libc::TCSAFLUSH, to) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing can be done for a terminal that is gone.
        let _ = self.set(&self.before);
    }
}

/// Keys of whoever watches: nothing that is typed is shown, and the terminal is put back when this is dropped.
pub(crate) struct Keys {
    silence: Silence,
}

impl Keys {
    /// Those of the terminal, if there is one.
    pub(crate) fn open() -> Option<Self> {
        let terminal = OpenOptions::new().read(true).open("/dev/tty").ok()?;
        Silence::of(terminal).ok().map(|silence| Self { silence })
    }

    /// Waits for so long; `true` as soon as q or Ctrl-C was typed, or the terminal is gone.
    pub(crate) fn ended_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let ms = libc::c_int::try_from(left.as_millis()).unwrap_or(libc::c_int::MAX);
            let mut asked =
                libc::pollfd { fd: self.silence.terminal.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: poll reads and writes one pollfd, and `asked` is one; its descriptor is open.
            match unsafe { libc::poll(&mut asked, 1, ms) } {
                // A signal, such as that of another size, interrupts nothing.
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                1 => {
                    let mut key = [0];
                    let read = (&self.silence.terminal).read(&mut key);
                    if !matches!(read, Ok(1..)) || matches!(key[0], b'q' | b'Q' | 0x03) {
                        return true;
                    }
                }
                -1 => return true,
                _ => return false,
            }
            if left.is_zero() {
                return false;
            }
        }
    }
}

/// Columns of the terminal behind standard output; nothing when it is no terminal.
pub(crate) fn columns() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

/// Its lines.
pub(crate) fn lines() -> Option<usize> {
    size().map(|(_, lines)| lines)
}

fn size() -> Option<(usize, usize)> {
    // SAFETY: winsize is plain data, for which all zeroes is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` is one; a bad descriptor is an error, not a fault.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) };
    (answer == 0 && size.ws_col > 0).then_some((usize::from(size.ws_col), usize::from(size.ws_row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_edited_as_a_terminal_does() {
        for (typed, line) in [
            (&b"secret\n"[..], Some("secret")),
            (b"secret\r", Some("secret")),
            (b"sex\x7fcret", Some("secret")),
            ("sü\x7fecret\n".as_bytes(), Some("secret")),
            (b"\x7f\x7fa\n", Some("a")),
            (b"wrong\x15secret\n", Some("secret")),
            (b"\n", Some("")),
            (b"sec\x03ret\n", None),
            (b"\x04", None),
            (b"\xff\n", None),
        ] {
            assert_eq!(read_line(&mut &typed[..]).ok().as_deref(), line, "{typed:?}");
        }
    }
}
