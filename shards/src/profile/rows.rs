//! Rows of the profile about single routes, services and modules, found by slot, kept only for those that were asked for
//! and only so many. A slot that has gone to another gets a row of its own; what finds no room is counted, never kept.

use super::sets::Spare;
use std::sync::Arc;
use tidegate_snapshot::{ProfileRow, Scope, Scopes};

/// Decimal digits of a row's set.
pub(super) const DIGITS: u8 = 2;

/// The rows of the interval that is being filled.
pub(super) struct Rows {
    /// Those that are kept now.
    pub(super) wanted: Scopes,
    /// Those that are always kept.
    flagged: Scopes,
    /// Those that somebody asked for, and until when (milliseconds since 1970).
    asked: (Scopes, u64),
    most: usize,
    rows: Vec<ProfileRow>,
    /// Where each row is found: its scope and slot.
    places: Vec<(Scope, u32)>,
    /// By scope and slot: the number of a row, from 1; 0 for none.
    at: [Vec<u32>; 3],
    /// Exchanges that found no room for a row of theirs.
    refused: u64,
}

impl Rows {
    /// Keeps these always, and at most so many rows.
    pub(super) fn new(flagged: Scopes, most: usize) -> Self {
        Self {
            wanted: flagged,
            flagged,
            asked: (Scopes::default(), 0),
            most,
            rows: Vec::new(),
            places: Vec::new(),
            at: Default::default(),
            refused: 0,
        }
    }

    /// Keeps these too, until then; what was asked for before is forgotten.
    pub(super) fn ask(&mut self, scopes: Scopes, until_ms: u64, now_ms: u64) {
        self.asked = (scopes, until_ms);
        self.settle(now_ms);
    }

    fn settle(&mut self, now_ms: u64) {
        let (asked, until_ms) = self.asked;
        self.wanted = if now_ms < until_ms { self.flagged.or(asked) } else { self.flagged };
    }

    /// The row of what has this slot and this key.
    pub(super) fn of(
        &mut self,
        scope: Scope,
        slot: u32,
        key: &Arc<str>,
        spare: &mut Spare,
    ) -> Option<&mut ProfileRow> {
        let (slots, at) = (&mut self.at[scope as usize], slot as usize);
        if at >= slots.len() {
            slots.resize(at + 1, 0);
        }
        let number = slots[at] as usize;
        // A script that was compiled again has the same key in another place.
        let is_here = number > 0 && {
            let found = &self.rows[number - 1].key;
            Arc::ptr_eq(found, key) || found == key
        };
        if is_here {
            return self.rows.get_mut(number - 1);
        }
        if self.rows.len() >= self.most {
            self.refused += 1;
            return None;
        }
        self.places.push((scope, slot));
        self.rows.push(ProfileRow { scope, key: key.clone(), times: spare.take() });
        slots[at] = self.rows.len() as u32;
        self.rows.last_mut()
    }

    /// The rows of the interval that ends, and how many found no room; those of the next are empty.
    pub(super) fn take(&mut self, now_ms: u64) -> (Vec<ProfileRow>, u64) {
        self.settle(now_ms);
        for (scope, slot) in self.places.drain(..) {
            self.at[scope as usize][slot as usize] = 0;
        }
        let next = Vec::with_capacity(self.rows.len());
        (std::mem::replace(&mut self.rows, next), std::mem::take(&mut self.refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_snapshot::Phase;

    const ROUTES: Scopes = Scopes { routes: true, services: false, modules: false };

    #[test]
    fn a_slot_that_goes_to_another_has_two_rows() {
        let (mut rows, mut spare) = (Rows::new(ROUTES, 3), Spare::new(DIGITS));
        let keys: Vec<Arc<str>> = ["n/a", "n/b", "n/c", "n/d"].into_iter().map(Arc::from).collect();
        let mut count = |rows: &mut Rows, slot: u32, key: &Arc<str>| {
            let row = rows.of(Scope::Route, slot, key, &mut spare);
            row.map(|row| row.times.record(Phase::Total, 1_000)).is_some()
        };
        assert!(count(&mut rows, 7, &keys[0]));
        assert!(count(&mut rows, 7, &keys[1]));
        assert!(count(&mut rows, 7, &Arc::from("n/b")), "the same key in another place");
        assert!(count(&mut rows, 0, &keys[2]));
        assert!(!count(&mut rows, 1, &keys[3]), "there is no room for a fourth");
        let (taken, refused) = rows.take(0);
        let seen: Vec<_> = taken.iter().map(|row| (&*row.key, row.times.of(Phase::Total).len())).collect();
        assert_eq!((seen, refused), (vec![("n/a", 1), ("n/b", 2), ("n/c", 1)], 1));
        assert!(count(&mut rows, 1, &keys[3]), "the next interval has room again");
        assert_eq!(rows.take(0).0.len(), 1);
    }

    #[test]
    fn what_was_asked_for_ends_and_flags_do_not() {
        let mut rows = Rows::new(ROUTES, 3);
        let modules = Scopes { modules: true, ..Scopes::default() };
        rows.ask(modules, 1_000, 500);
        assert_eq!(rows.wanted, ROUTES.or(modules));
        rows.take(999);
        assert_eq!(rows.wanted, ROUTES.or(modules));
        rows.take(1_000);
        assert_eq!(rows.wanted, ROUTES);
        rows.ask(modules, 1_000, 1_500);
        assert_eq!(rows.wanted, ROUTES);
    }
}
