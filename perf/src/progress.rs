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

    /// Says how long all will take, with so many seconds besides the measurements.
    pub(crate) fn announce(&mut self, besides: u32) {
        let all = self.first_guess * self.all + Duration::from_secs(u64::from(besides));
        self.note(&format!("{} measurements, about {} minutes", self.all, all.as_secs().div_ceil(60)));
        // What lies between measurements is part of what one takes.
        self.first_guess = all / self.all.max(1);
    }

    /// A gateway is started for a workload.
    pub(crate) fn starts(&self, workload: &str, contestant: &str) {
        if stderr().is_terminal() {
            eprint!("\r{workload}: starting {contestant}\x1b[K");
            let _ = stderr().flush();
        }
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

    /// So many measurements fall away.
    pub(crate) fn skip(&mut self, measurements: u32) {
        self.all = self.all.saturating_sub(measurements).max(self.done);
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

/// The time that is left if the rest goes like what is done. The first few say little: starts are uneven.
fn left(elapsed: Duration, done: u32, all: u32, first_guess: Duration) -> Duration {
    const FEW: u32 = 10;
    let guessed = first_guess * FEW.saturating_sub(done);
    let each = (elapsed + guessed) / done.max(FEW);
    each * all.saturating_sub(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_what_was_seen() {
        let seconds = Duration::from_secs;
        for (elapsed, done, expected) in [(0, 0, 80), (30, 5, 75), (50, 10, 50), (100, 20, 0), (105, 21, 0)] {
            assert_eq!(left(seconds(elapsed), done, 20, seconds(4)), seconds(expected), "{done}");
        }
    }

    #[test]
    fn what_falls_away_is_not_waited_for() {
        let mut progress = Progress::new(10, 1);
        progress.skip(4);
        assert_eq!(progress.all, 6);
        progress.done = 5;
        progress.skip(9);
        assert_eq!(progress.all, 5);
    }
}
