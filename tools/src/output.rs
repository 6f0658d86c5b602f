//! The one way to standard output. A reader that went away (`| head`) is no failure, and nothing is said of it; an output
//! that cannot be written (a full disk) is one, however the command went. Must never panic.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// The first failure; nothing is written after it.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Standard output that remembers whether it could be written.
pub(crate) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        remembered(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        remembered(|| io::stdout().flush())
    }
}

fn remembered<T>(write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match FAILURE.get() {
        Some(why) => Err(why.kind().into()),
        None => write().inspect_err(|why| {
            if why.kind() != ErrorKind::Interrupted {
                // The system's number is what there is to say; an error cannot be copied.
                let kept = why.raw_os_error().map_or_else(|| why.kind().into(), io::Error::from_raw_os_error);
                let _ = FAILURE.set(kept);
            }
        }),
    }
}

/// Prints text as it is. `false`: nobody reads any more, or nothing can be written; [`judged`] says so at the end.
pub fn print(text: impl AsRef<str>) -> bool {
    let mut output = Output;
    output.write_all(text.as_ref().as_bytes()).and_then(|()| output.flush()).is_ok()
}

/// A command's exit code, or 1 with a word on the error stream if what it printed was not written.
pub fn judged(code: ExitCode) -> ExitCode {
    match FAILURE.get() {
        Some(why) if why.kind() != ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: standard output cannot be written: {why}");
            if code == ExitCode::SUCCESS { ExitCode::FAILURE } else { code }
        }
        _ => code,
    }
}
