//! Sets of histograms that are not being filled: lent to others with an interval, come back, emptied, and used again, so
//! that an interval costs no memory of its own. How many there may be has a bound.

use super::rows;
use std::sync::Arc;
use tidegate_snapshot::{IntervalProfile, Times};

/// Decimal digits of the shard's own set.
const DIGITS: u8 = 3;
/// Sets like the shard's own: one is filled, one is with others, one is being emptied. To make one more would take a
/// third of a millisecond, so there are no more.
const WHOLE: usize = 3;

/// Sets of one precision.
pub(super) struct Spare {
    digits: u8,
    dirty: Vec<Times>,
    clean: Vec<Times>,
}

impl Spare {
    /// None yet.
    pub(super) fn new(digits: u8) -> Self {
        Self { digits, dirty: Vec::new(), clean: Vec::new() }
    }

    /// An empty set, if there is one; a new one where there must be.
    pub(super) fn next(&mut self, is_needed: bool) -> Option<Times> {
        self.clean.pop().or_else(|| is_needed.then(|| Times::new(self.digits)))
    }

    /// An empty set.
    pub(super) fn take(&mut self) -> Times {
        self.clean.pop().unwrap_or_else(|| Times::new(self.digits))
    }
}

/// All sets of one shard.
pub(super) struct Sets {
    lent: Vec<Arc<IntervalProfile>>,
    /// Like the shard's own.
    pub(super) whole: Spare,
    /// Like a row's.
    pub(super) rows: Spare,
}

impl Sets {
    /// Those that there always are.
    pub(super) fn new() -> Self {
        let mut whole = Spare::new(DIGITS);
        whole.clean.resize_with(WHOLE, || Times::new(DIGITS));
        Self { lent: Vec::new(), whole, rows: Spare::new(rows::DIGITS) }
    }

    /// Takes back what nobody else holds any more.
    pub(super) fn reclaim(&mut self) {
        for interval in std::mem::take(&mut self.lent) {
            match Arc::try_unwrap(interval) {
                Ok(back) => {
                    self.whole.dirty.push(back.times);
                    self.rows.dirty.extend(back.rows.into_iter().map(|row| row.times));
                }
                Err(held) => self.lent.push(held),
            }
        }
    }

    /// An interval is in others' hands.
    pub(super) fn lend(&mut self, interval: Arc<IntervalProfile>) {
        self.lent.push(interval);
    }

    /// A set to be emptied, and whether it is like a row's; `None` once all are.
    pub(super) fn dirty(&mut self) -> Option<(Times, bool)> {
        let whole = self.whole.dirty.pop().map(|times| (times, false));
        whole.or_else(|| self.rows.dirty.pop().map(|times| (times, true)))
    }

    /// It is empty.
    pub(super) fn put(&mut self, clean: Times, is_row: bool) {
        let spare = if is_row { &mut self.rows } else { &mut self.whole };
        spare.clean.push(clean);
    }

    /// Forgets one empty set that is like a row's; `false` when there is none.
    pub(super) fn forget_row(&mut self) -> bool {
        self.rows.clean.pop().is_some()
    }
}
