//! Dense numbers for per-shard state. A number stays with its owner and goes to somebody else only after the owner is
//! gone; the lowest free one is taken first, so that the shards' tables stay small.

use std::collections::BTreeSet;

/// Numbers of one kind of resource.
#[derive(Debug, Default)]
pub(super) struct Slots {
    free: BTreeSet<u32>,
    bound: u32,
}

impl Slots {
    /// Takes a number.
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop_first().unwrap_or_else(|| {
            self.bound += 1;
            self.bound - 1
        })
    }

    /// Gives a number back.
    pub(super) fn give_back(&mut self, slot: u32) {
        assert!(slot < self.bound && self.free.insert(slot), "a slot is given back once");
        while self.bound > 0 && self.free.remove(&(self.bound - 1)) {
            self.bound -= 1;
        }
    }

    /// Exclusive upper bound of the numbers in use.
    pub(super) fn bound(&self) -> u32 {
        self.bound
    }
}

/// The three kinds of numbers.
#[derive(Debug, Default)]
pub(super) struct AllSlots {
    pub(super) routes: Slots,
    pub(super) services: Slots,
    pub(super) scripts: Slots,
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn the_lowest_free_number_is_taken_and_the_bound_shrinks() {
        let mut slots = Slots::default();
        assert_eq!([slots.take(), slots.take(), slots.take()], [0, 1, 2]);
        slots.give_back(1);
        assert_eq!(slots.bound(), 3);
        assert_eq!(slots.take(), 1);
        slots.give_back(1);
        slots.give_back(2);
        assert_eq!(slots.bound(), 1);
        assert_eq!([slots.take(), slots.take()], [1, 2]);
    }
}
