//! What a module that uses up its CPU time costs its neighbours on the core: bounded. Time that was lost on ended calls is
//! a debt, paid off at one part in a hundred of the time that passes. A module in debt gets what its good calls usually
//! need instead of its whole budget, and beyond a bound it is not called at all. Counts only; whoever calls asks it.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Debt is paid off at this part of the time that passes: others lose no more than that for long.
const SHARE: u64 = 100;
/// Least budget of a module in debt.
const LEAST_NS: u64 = 250_000;
/// What a good call needs is given so often over to a module in debt.
const ROOM: u64 = 4;
/// Debt at which calls are refused, in whole budgets.
const MOST_BUDGETS: u64 = 3;

/// The state of one runtime.
#[derive(Default)]
pub(crate) struct Restraint {
    debt_ns: Cell<u64>,
    since: Cell<Option<Instant>>,
    /// What good calls need: the most of late, forgotten slowly.
    usual_ns: Cell<u64>,
    /// What a new context costs, which every ended call is followed by.
    context_ns: Cell<u64>,
}

impl Restraint {
    /// Budget of a call that begins now, of at most `limit_ns`; `None`: it must not begin. Reads the clock only in debt.
    pub(crate) fn budget_ns(&self, limit_ns: u64) -> Option<u64> {
        let Some(since) = self.since.get() else { return Some(limit_ns) };
        self.budget_after(limit_ns, since.elapsed())
    }

    fn budget_after(&self, limit_ns: u64, passed: Duration) -> Option<u64> {
        let debt = self.debt_ns.get().saturating_sub(passed.as_nanos() as u64 / SHARE);
        if debt == 0 {
            self.since.set(None);
            self.debt_ns.set(0);
            return Some(limit_ns);
        }
        let reduced = self.usual_ns.get().saturating_mul(ROOM).max(LEAST_NS).min(limit_ns);
        (debt < limit_ns.saturating_mul(MOST_BUDGETS)).then_some(reduced)
    }

    /// A context was made and took so long.
    pub(crate) fn context_made(&self, took: Duration) {
        self.context_ns.set(took.as_nanos() as u64);
    }

    /// A call ended well and has used so much.
    pub(crate) fn good(&self, used_ns: u64) {
        let usual = self.usual_ns.get();
        self.usual_ns.set(used_ns.max(usual - usual / 128));
    }

    /// A call was ended because it had used up its budget: so much of it.
    /// `limit_ns` is the whole budget: one call alone never bars the next.
    pub(crate) fn ended(&self, used_ns: u64, limit_ns: u64) {
        let passed = self.since.get().map_or(0, |since| since.elapsed().as_nanos() as u64);
        self.debt_ns.set(
            self.debt_ns.get().saturating_sub(passed / SHARE)
                + (used_ns + self.context_ns.get()).min(2 * limit_ns),
        );
        self.since.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 10_000_000;

    #[test]
    fn a_module_in_debt_gets_what_its_good_calls_need() {
        let restraint = Restraint::default();
        let at = |ms| restraint.budget_after(LIMIT, Duration::from_millis(ms));
        assert_eq!(restraint.budget_ns(LIMIT), Some(LIMIT));
        restraint.good(20_000);
        restraint.ended(LIMIT, LIMIT);
        assert_eq!(at(0), Some(LEAST_NS));
        (0..10).for_each(|_| restraint.good(1_000_000));
        assert_eq!(at(0), Some(4_000_000));
        restraint.good(9_000_000);
        assert_eq!(at(0), Some(LIMIT));
        assert_eq!(at(999), Some(LIMIT));
        // Paid off after a second: 10 ms at one part in a hundred.
        assert_eq!(at(1000), Some(LIMIT));
        assert_eq!(restraint.since.get(), None);
    }

    #[test]
    fn too_much_of_it_and_it_is_not_called() {
        let restraint = Restraint::default();
        (0..4).for_each(|_| restraint.ended(LIMIT, LIMIT));
        assert_eq!(restraint.budget_after(LIMIT, Duration::ZERO), None);
        assert_eq!(restraint.budget_after(LIMIT, Duration::from_millis(1500)), Some(LEAST_NS));
        assert_eq!(restraint.budget_after(LIMIT, Duration::from_millis(4500)), Some(LIMIT));
    }

    #[test]
    fn what_is_usual_is_forgotten_slowly() {
        let restraint = Restraint::default();
        restraint.good(5_000_000);
        (0..1000).for_each(|_| restraint.good(10_000));
        assert!(restraint.usual_ns.get() < 20_000, "{}", restraint.usual_ns.get());
    }
}
