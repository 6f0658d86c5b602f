//! Rows of the profile about single routes, services and modules, found by slot, kept only for those that were asked for
//! and only so many. A slot that has gone to another gets a row of its own; what finds no room is counted in the row of the
//! others, never in one of its own.

use super::sets::Spare;
use std::sync::Arc;
use tidegate_snapshot::{OTHERS, ProfileOrder, ProfileRow, Scope, Scopes};

/// Decimal digits of a row's set.
pub(super) const DIGITS: u8 = 2;

/// The rows of the interval that is being filled.
pub(super) struct Rows {
    /// Scopes of which any row is kept now.
    pub(super) wanted: Scopes,
    /// Scopes of which all rows are kept now.
    all: Scopes,
    /// Those that are always kept.
    flagged: Scopes,
    /// Those that somebody asked for.
    asked: ProfileOrder,
    /// Most rows, besides those that were asked for by their keys and those of the others.
    most: usize,
    rows: Vec<ProfileRow>,
    /// Where each row but those of the others is found: its scope and slot.
    places: Vec<(Scope, u32)>,
    /// By scope and slot: the number of a row, from 1; 0 for none.
    at: [Vec<u32>; 3],
    /// By scope, the same of the row of the others.
    others: [u32; 3],
    /// The key of those.
    others_key: Arc<str>,
    /// Exchanges that found no room for a row of theirs.
    refused: u64,
}

impl Rows {
    /// Keeps these always, and at most so many rows.
    pub(super) fn new(flagged: Scopes, most: usize) -> Self {
        Self {
            wanted: flagged,
            all: flagged,
            flagged,
            asked: ProfileOrder::default(),
            most,
            rows: Vec::new(),
            places: Vec::new(),
            at: Default::default(),
            others: [0; 3],
            others_key: OTHERS.into(),
            refused: 0,
        }
    }

    /// Keeps these too, until then; what was asked for before is forgotten.
    pub(super) fn ask(&mut self, order: ProfileOrder, now_ms: u64) {
        self.asked = order;
        self.settle(now_ms);
    }

    fn settle(&mut self, now_ms: u64) {
        if now_ms >= self.asked.until_ms {
            self.asked = ProfileOrder::default();
        }
        self.all = self.flagged.or(self.asked.scopes);
        self.wanted = self.asked.keys.iter().fold(self.all, |wanted, (scope, _)| wanted.and(*scope));
    }

    /// The row of what has this slot and this key, or that of the others; `None`: it is not wanted.
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
        let is_named = self.asked.keys.iter().any(|(of, named)| *of == scope && named == key);
        if !is_named && !self.all.has(scope) {
            return None;
        }
        if !is_named && self.places.len() >= self.most {
            self.refused += 1;
            return self.of_others(scope, spare);
        }
        self.places.push((scope, slot));
        self.rows.push(ProfileRow { scope, key: key.clone(), times: spare.take() });
        self.at[scope as usize][at] = self.rows.len() as u32;
        self.rows.last_mut()
    }

    fn of_others(&mut self, scope: Scope, spare: &mut Spare) -> Option<&mut ProfileRow> {
        let number = &mut self.others[scope as usize];
        if *number == 0 {
            self.rows.push(ProfileRow { scope, key: self.others_key.clone(), times: spare.take() });
            *number = self.rows.len() as u32;
        }
        self.rows.get_mut(*number as usize - 1)
    }

    /// The rows of the interval that ends, and how many found no room; those of the next are empty.
    pub(super) fn take(&mut self, now_ms: u64) -> (Vec<ProfileRow>, u64) {
        self.settle(now_ms);
        for (scope, slot) in self.places.drain(..) {
            self.at[scope as usize][slot as usize] = 0;
        }
        self.others = [0; 3];
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
        assert!(
            count(&mut rows, 1, &keys[3]) && count(&mut rows, 1, &keys[3]),
            "there is no room for a fourth"
        );
        assert!(count(&mut rows, 0, &keys[2]), "a row stays, whoever comes after it");
        let (taken, refused) = rows.take(0);
        let seen: Vec<_> = taken.iter().map(|row| (&*row.key, row.times.of(Phase::Total).len())).collect();
        assert_eq!((seen, refused), (vec![("n/a", 1), ("n/b", 2), ("n/c", 2), (OTHERS, 2)], 2));
        assert!(count(&mut rows, 1, &keys[3]), "the next interval has room again");
        let (taken, refused) = rows.take(0);
        assert_eq!((taken.len(), &*taken[0].key, refused), (1, "n/d", 0));
    }

    #[test]
    fn what_is_asked_for_by_its_key_has_room_and_is_alone() {
        let key: Arc<str> = "n/asked".into();
        let order = |until_ms| ProfileOrder {
            keys: [(Scope::Route, key.clone())].into(),
            until_ms,
            ..ProfileOrder::default()
        };
        // Flags, rows there may be, and the keys of the rows of three routes, of which the last is asked for.
        for (flagged, most, expected) in [
            (Scopes::default(), 9, &["n/asked"][..]),
            (ROUTES, 9, &["n/a", "n/b", "n/asked"]),
            (ROUTES, 1, &["n/a", "others", "n/asked"]),
            (ROUTES, 0, &["others", "n/asked"]),
        ] {
            let (mut rows, mut spare) = (Rows::new(flagged, most), Spare::new(DIGITS));
            rows.ask(order(1_000), 500);
            assert_eq!(rows.wanted, ROUTES);
            for (slot, name) in ["n/a", "n/b", "n/asked"].into_iter().enumerate() {
                rows.of(Scope::Route, slot as u32, &name.into(), &mut spare);
                rows.of(Scope::Service, slot as u32, &name.into(), &mut spare);
            }
            let taken = rows.take(1_000).0;
            assert_eq!(taken.iter().map(|row| &*row.key).collect::<Vec<_>>(), expected);
            assert_eq!(rows.wanted, flagged, "its time is over");
        }
    }

    #[test]
    fn what_was_asked_for_ends_and_flags_do_not() {
        let mut rows = Rows::new(ROUTES, 3);
        let modules = Scopes { modules: true, ..Scopes::default() };
        let order = ProfileOrder { scopes: modules, until_ms: 1_000, ..ProfileOrder::default() };
        rows.ask(order.clone(), 500);
        assert_eq!(rows.wanted, ROUTES.or(modules));
        rows.take(999);
        assert_eq!(rows.wanted, ROUTES.or(modules));
        rows.take(1_000);
        assert_eq!(rows.wanted, ROUTES);
        rows.ask(order, 1_500);
        assert_eq!(rows.wanted, ROUTES);
    }
}
