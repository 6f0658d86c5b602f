//! Sets of histograms that are not being filled: lent to others with an interval, come back, emptied, and used again, so
//! that an interval costs no memory of its own. How many there may be has a bound.

use super::rows;
use std::sync::Arc;
use tidegate_snapshot::{IntervalProfile, Times};

/// Decimal digits of the shard's own set.
const DIGITS: u8 = 3;
/// Intervals that others may hold at once, about half a megabyte each.
const MAX_LENT: usize = 8;

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
    /// None yet.
    pub(super) fn new() -> Self {
        Self { lent: Vec::new(), whole: Spare::new(DIGITS), rows: Spare::new(rows::DIGITS) }
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

    /// Whether others hold as many intervals as they may.
    pub(super) fn is_full(&self) -> bool {
        self.lent.len() >= MAX_LENT
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
