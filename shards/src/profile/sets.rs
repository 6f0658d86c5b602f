//! Sets of histograms that are not being filled: lent to others with an interval, come back, emptied, and used again, so
//! that an interval costs no memory of its own. How many there may be has a bound.

use std::sync::Arc;
use tidegate_snapshot::{IntervalProfile, Times};

/// Decimal digits of the shard's own set.
pub(super) const DIGITS: u8 = 3;
/// Intervals that others may hold at once, about half a megabyte each.
const MAX_LENT: usize = 8;

/// The sets of one shard.
#[derive(Default)]
pub(super) struct Sets {
    lent: Vec<Arc<IntervalProfile>>,
    dirty: Vec<Times>,
    clean: Vec<Times>,
}

impl Sets {
    /// Takes back what nobody else holds any more.
    pub(super) fn reclaim(&mut self) {
        for interval in std::mem::take(&mut self.lent) {
            match Arc::try_unwrap(interval) {
                Ok(back) => self.dirty.push(back.times),
                Err(held) => self.lent.push(held),
            }
        }
    }

    /// An empty set; none while others hold as many as they may.
    pub(super) fn take(&mut self) -> Option<Times> {
        if self.lent.len() >= MAX_LENT {
            return None;
        }
        Some(self.clean.pop().unwrap_or_else(|| Times::new(DIGITS)))
    }

    /// An interval is in others' hands.
    pub(super) fn lend(&mut self, interval: Arc<IntervalProfile>) {
        self.lent.push(interval);
    }

    /// A set to be emptied.
    pub(super) fn dirty(&mut self) -> Option<Times> {
        self.dirty.pop()
    }

    /// It is empty.
    pub(super) fn put(&mut self, clean: Times) {
        self.clean.push(clean);
    }
}
