//! What is known about host names: answers, when to ask again, and how long an answer outlives its resolver. It is told
//! the time and asks nobody, so that every rule can be tested with a clock made by hand.

use crate::compile::Addresses;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Most addresses kept of one name.
const MAX_ADDRESSES: usize = 64;
/// Shortest pause before a name that failed is asked for again; doubled with each failure up to the interval.
const RETRY: Duration = Duration::from_secs(1);

/// How names are kept fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two look-ups of a name that resolves.
    pub(crate) interval: Duration,
    /// How long the last answer is used while the resolver fails.
    pub(crate) keep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), keep: Duration::from_secs(600) }
    }
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<IpAddr>,
    /// When the last good answer came.
    answered: Option<Instant>,
    failures: u32,
    /// A look-up is under way.
    asked: bool,
    next: Instant,
}

/// The names that somebody wants.
#[derive(Debug)]
pub(crate) struct Table {
    pace: Pace,
    entries: BTreeMap<String, Entry>,
    version: u64,
}

/// What an answer did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The name leads where it did.
    Same,
    /// The name leads elsewhere.
    Changed,
    /// The look-up failed; the last answer is still used.
    Kept,
    /// The look-up failed, and there is no answer or it is too old.
    Lost,
}

impl Table {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, entries: BTreeMap::new(), version: 0 }
    }

    /// From now on exactly these names are wanted.
    pub(crate) fn want(&mut self, names: &BTreeSet<String>, now: Instant) {
        self.entries.retain(|name, _| names.contains(name));
        for name in names {
            self.entries.entry(name.clone()).or_insert_with(|| Entry {
                addresses: Vec::new(),
                answered: None,
                failures: 0,
                asked: false,
                next: now,
            });
        }
    }

    /// Whether a wanted name was never answered, well or badly.
    pub(crate) fn has_unasked(&self) -> bool {
        self.entries.values().any(|entry| entry.answered.is_none() && entry.failures == 0)
    }

    /// The names to look up now. Each must be answered with [`Table::answer`].
    pub(crate) fn due(&mut self, now: Instant) -> Vec<String> {
        let due = self.entries.iter_mut().filter(|(_, entry)| !entry.asked && entry.next <= now);
        due.map(|(name, entry)| {
            entry.asked = true;
            name.clone()
        })
        .collect()
    }

    /// When the next name is due; `None` while there is none to wait for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.values().filter(|entry| !entry.asked).map(|entry| entry.next).min()
    }

    /// Takes the answer to a look-up. An answer without addresses is a failure.
    pub(crate) fn answer(&mut self, name: &str, found: Option<Vec<IpAddr>>, now: Instant) -> Effect {
        let Some(entry) = self.entries.get_mut(name) else { return Effect::Same };
        entry.asked = false;
        let found = found.map(distinct).filter(|found| !found.is_empty());
        let Some(found) = found else {
            let pause = RETRY.saturating_mul(1 << entry.failures.min(16));
            entry.next = now + pause.min(self.pace.interval);
            entry.failures = entry.failures.saturating_add(1);
            let fresh = entry.answered.is_some_and(|answered| now - answered < self.pace.keep);
            if fresh {
                return Effect::Kept;
            }
            if !entry.addresses.is_empty() {
                entry.addresses.clear();
                self.version += 1;
            }
            return Effect::Lost;
        };
        (entry.answered, entry.failures, entry.next) = (Some(now), 0, now + self.pace.interval);
        // Resolvers turn the order around with every answer; that alone is no reason for a new snapshot.
        let as_set = |addresses: &[IpAddr]| addresses.iter().copied().collect::<BTreeSet<_>>();
        if as_set(&found) == as_set(&entry.addresses) {
            return Effect::Same;
        }
        entry.addresses = found;
        self.version += 1;
        Effect::Changed
    }
}

fn distinct(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|address| seen.insert(*address)).take(MAX_ADDRESSES).collect()
}

/// The answers of a moment, for who needs them longer than the table can be kept from others.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    addresses: BTreeMap<String, Vec<IpAddr>>,
    version: u64,
}

impl Table {
    /// The answers as they are now.
    pub(crate) fn answers(&self) -> Answers {
        let known = self.entries.iter().filter(|(_, entry)| !entry.addresses.is_empty());
        let addresses = known.map(|(name, entry)| (name.clone(), entry.addresses.clone())).collect();
        Answers { addresses, version: self.version }
    }

    /// Grows with every change of an answer.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}

impl Addresses for Answers {
    fn of(&self, host: &str) -> &[IpAddr] {
        self.addresses.get(host).map_or(&[], Vec::as_slice)
    }
    fn version(&self) -> u64 {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }
    fn ips(list: &[&str]) -> Option<Vec<IpAddr>> {
        Some(list.iter().map(|ip| ip.parse().expect("address")).collect())
    }
    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_name_is_asked_for_at_once_and_then_at_the_interval() {
        let start = Instant::now();
        let mut table = Table::new(Pace::default());
        table.want(&names(&["a", "b"]), start);
        assert!(table.has_unasked());
        assert_eq!(table.due(start), ["a", "b"]);
        assert_eq!(table.due(start), Vec::<String>::new(), "what is under way is not asked for again");
        assert_eq!(table.answer("a", ips(&["10.0.0.2", "::1", "10.0.0.2"]), start), Effect::Changed);
        assert_eq!(
            table.answers().of("a"),
            ips(&["10.0.0.2", "::1"]).unwrap(),
            "the resolver's order, without doubles"
        );
        assert_eq!(table.answer("b", ips(&["10.0.0.1"]), start), Effect::Changed);
        assert!(!table.has_unasked());
        assert_eq!(table.next(), Some(at(start, 30)));
        assert_eq!(table.due(at(start, 30)), ["a", "b"]);
    }

    #[test]
    fn only_other_addresses_are_a_change() {
        let start = Instant::now();
        let mut table = Table::new(Pace::default());
        table.want(&names(&["a"]), start);
        for (found, effect, version) in [
            (&["10.0.0.1", "10.0.0.2"][..], Effect::Changed, 1),
            (&["10.0.0.2", "10.0.0.1"], Effect::Same, 1),
            (&["10.0.0.2"], Effect::Changed, 2),
        ] {
            assert_eq!(table.answer("a", ips(found), start), effect, "{found:?}");
            assert_eq!(table.version(), version);
        }
    }

    #[test]
    fn the_last_answer_outlives_its_resolver_for_a_while() {
        let start = Instant::now();
        let mut table = Table::new(Pace::default());
        table.want(&names(&["a"]), start);
        table.answer("a", ips(&["10.0.0.1"]), start);
        assert_eq!(table.answer("a", None, at(start, 599)), Effect::Kept);
        assert_eq!(table.answers().of("a").len(), 1);
        assert_eq!(table.answer("a", Some(vec![]), at(start, 601)), Effect::Lost);
        assert_eq!((table.answers().of("a").len(), table.version()), (0, 2));
        assert_eq!(table.answer("a", ips(&["10.0.0.1"]), at(start, 602)), Effect::Changed);
    }

    #[test]
    fn a_name_that_never_resolves_is_asked_for_more_and_more_rarely() {
        let start = Instant::now();
        let mut table = Table::new(Pace::default());
        table.want(&names(&["a"]), start);
        let mut now = start;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(table.answer("a", None, now), Effect::Lost);
            assert_eq!(table.next(), Some(now + Duration::from_secs(pause)));
            now += Duration::from_secs(pause);
        }
        assert_eq!(table.version(), 0, "it led nowhere before and leads nowhere now");
    }

    #[test]
    fn what_nobody_wants_is_forgotten() {
        let start = Instant::now();
        let mut table = Table::new(Pace::default());
        table.want(&names(&["a", "b"]), start);
        table.answer("a", ips(&["10.0.0.1"]), start);
        table.want(&names(&["b"]), start);
        assert!(table.answers().of("a").is_empty());
        assert_eq!(table.answer("a", ips(&["10.0.0.1"]), start), Effect::Same);
        assert_eq!(table.next(), Some(start));
    }
}
