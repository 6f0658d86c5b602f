//! What the calls of each function came to: how they ended, and their times. One call is counted at its end with the
//! clock readings that its budget needs anyway; nothing here reads a clock, and nothing is allocated after a function's
//! first call.

use std::cell::RefCell;
use std::time::Instant;

use crate::failure::Cause;
use crate::histogram::Histogram;
use crate::module::Function;

/// How calls end: well, by being dropped while they wait, or by a cause.
const OUTCOMES: usize = 2 + Cause::ALL.len();

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It returned, or its promise was fulfilled.
    Done,
    /// Nobody waited for it any longer: its client went away.
    Cancelled,
    /// It failed.
    Failed(Cause),
}

impl Outcome {
    fn index(self) -> usize {
        match self {
            Outcome::Done => 0,
            Outcome::Cancelled => 1,
            Outcome::Failed(cause) => 2 + cause as usize,
        }
    }

    /// A word for logs and metrics: `ok`, `cancelled`, or the cause's.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "ok",
            Outcome::Cancelled => "cancelled",
            Outcome::Failed(cause) => cause.name(),
        }
    }
}

/// The calls of one function since they were last taken.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    outcomes: [u64; OUTCOMES],
    /// CPU time of a call over all its slices.
    pub cpu: Histogram,
    /// Time from a call's begin to its end, waiting included.
    pub wall: Histogram,
}

impl Calls {
    /// Outcomes that happened, with how often.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        let causes = Cause::ALL.into_iter().map(Outcome::Failed);
        let all = [Outcome::Done, Outcome::Cancelled].into_iter().chain(causes);
        all.map(|outcome| (outcome, self.outcomes[outcome.index()])).filter(|(_, count)| *count > 0)
    }

    fn is_empty(&self) -> bool {
        self.outcomes.iter().all(|count| *count == 0)
    }
}

/// The times of one call, put together from its slices, and what of its budget is used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallClock {
    began: Option<Instant>,
    wall_ns: u64,
    cpu_ns: u64,
    /// Charged to its budget.
    pub(crate) spent_ns: u64,
}

impl CallClock {
    /// CPU time of its slices so far.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.cpu_ns
    }

    /// Time from its begin to the end of its last slice.
    pub(crate) fn wall_ns(&self) -> u64 {
        self.wall_ns
    }

    /// Time from its begin until now.
    pub(crate) fn age_ns(&self) -> u64 {
        self.began.map_or(0, |began| began.elapsed().as_nanos() as u64)
    }

    /// A slice that began then and took so long has ended.
    pub(crate) fn slice(&mut self, began: Instant, wall_ns: u64, cpu_ns: u64) {
        match self.began {
            None => (self.began, self.wall_ns) = (Some(began), wall_ns),
            Some(first) => self.wall_ns = began.duration_since(first).as_nanos() as u64 + wall_ns,
        }
        self.cpu_ns += cpu_ns;
    }
}

/// All functions of one runtime.
#[derive(Default)]
pub(crate) struct Tally {
    functions: RefCell<[Option<Box<Calls>>; Function::ALL.len()]>,
}

impl Tally {
    /// Counts a call that has ended.
    pub(crate) fn count(&self, function: Function, outcome: Outcome, clock: &CallClock) {
        let mut functions = self.functions.borrow_mut();
        let calls = functions[function as usize].get_or_insert_default();
        calls.outcomes[outcome.index()] += 1;
        calls.cpu.record(clock.cpu_ns);
        calls.wall.record(clock.wall_ns);
    }

    /// Shows what was counted since the last time, and begins again.
    pub(crate) fn take(&self, each: &mut dyn FnMut(Function, &Calls)) {
        let mut functions = self.functions.borrow_mut();
        for (function, calls) in Function::ALL.into_iter().zip(functions.iter_mut()) {
            if let Some(calls) = calls.as_mut().filter(|calls| !calls.is_empty()) {
                each(function, calls);
                calls.outcomes = [0; OUTCOMES];
                calls.cpu.clear();
                calls.wall.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_call_that_waits_takes_longer_than_its_slices() {
        let tally = Tally::default();
        let start = Instant::now();
        let mut clock = CallClock::default();
        clock.slice(start, 1_000, 900);
        clock.slice(start + Duration::from_micros(500), 2_000, 1_800);
        tally.count(Function::RequestHandler, Outcome::Done, &clock);
        tally.count(Function::RequestHandler, Outcome::Failed(Cause::Thrown), &CallClock::default());
        tally.count(Function::ErrorHandler, Outcome::Cancelled, &clock);
        let mut seen = Vec::new();
        tally.take(&mut |function, calls| {
            let outcomes: Vec<_> = calls.outcomes().map(|(outcome, count)| (outcome.name(), count)).collect();
            seen.push((function, outcomes, calls.cpu.sum_ns(), calls.wall.max_ns()));
        });
        assert_eq!(
            seen,
            [
                (Function::RequestHandler, vec![("ok", 1), ("thrown", 1)], 2_700, 502_000),
                (Function::ErrorHandler, vec![("cancelled", 1)], 2_700, 502_000),
            ]
        );
        tally.take(&mut |function, _| panic!("{function:?} was taken twice"));
    }
}
