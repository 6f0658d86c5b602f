//! Tells on stderr how far a run is and when it will be over. Never writes to stdout, which is for the result.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

pub(crate) struct Progress {
    done: u32,
    all: u32,
    /// What one measurement takes until the first has shown it.
    first_guess: Duration,
    begun: Instant,
}

impl Progress {
    /// So many measurements of so many seconds lie ahead.
    pub(crate) fn new(measurements: u32, seconds: u32) -> Self {
        let first_guess = Duration::from_secs(u64::from(seconds));
        Self { done: 0, all: measurements, first_guess, begun: Instant::now() }
    }

    /// A measurement begins.
    pub(crate) fn step(&mut self, workload: &str, round: u32, rounds: u32, contestant: &str) {
        let left = left(self.begun.elapsed(), self.done, self.all, self.first_guess).as_secs();
        self.done += 1;
        let line = format!(
            "{workload}: round {round}/{rounds}, {contestant}, about {}:{:02} left",
            left / 60,
            left % 60
        );
        if stderr().is_terminal() {
            eprint!("\r{line}\x1b[K");
            let _ = stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    /// Something worth a line of its own.
    pub(crate) fn note(&self, what: &str) {
        self.clear();
        eprintln!("{what}");
    }

    fn clear(&self) {
        if stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The time that is left if the rest goes like what is done.
fn left(elapsed: Duration, done: u32, all: u32, first_guess: Duration) -> Duration {
    let each = if done == 0 { first_guess } else { elapsed / done };
    each * all.saturating_sub(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_what_was_seen() {
        let seconds = Duration::from_secs;
        for (elapsed, done, expected) in [(0, 0, 40), (6, 2, 24), (30, 10, 0), (33, 11, 0)] {
            assert_eq!(left(seconds(elapsed), done, 10, seconds(4)), seconds(expected), "{done}");
        }
    }
}
