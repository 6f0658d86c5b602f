//! The entries of one module, oldest first, bounded in lines and bytes. What falls out is counted. Every entry also has a
//! place, counted without gaps over the ring's life, so that a reader who comes late knows how many it missed.

use super::entry::{Entry, Level};
use std::collections::VecDeque;

/// Which entries are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The least loud.
    pub(crate) level: Level,
    /// Only those with a larger `seq`.
    pub(crate) since: Option<u64>,
    /// At most so many: the first ones after `since`, or the last ones without it.
    pub(crate) limit: usize,
}

/// See the module's text.
pub(super) struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Place of the first entry.
    first: u64,
    /// Place of the first entry that it ever had.
    born: u64,
    /// Entries that fell out.
    dropped: u64,
}

impl Ring {
    /// An empty ring whose first entry gets this place.
    pub(super) fn new(first: u64) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, first, born: first, dropped: 0 }
    }

    pub(super) fn lines(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Tells it from another ring of the same module.
    pub(super) fn born(&self) -> u64 {
        self.born
    }

    /// Place of the entry that comes next.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds an entry; the oldest go until it fits. An entry that is larger than the bound stands alone.
    pub(super) fn push(&mut self, entry: Entry, lines: usize, bytes: usize) {
        let more = entry.bytes();
        while self.lines() >= lines.max(1) || (self.bytes + more > bytes && self.lines() > 0) {
            self.drop_oldest();
        }
        self.bytes += more;
        self.entries.push_back(entry);
    }

    /// Drops the oldest entry; the bytes that are free now.
    pub(super) fn drop_oldest(&mut self) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        let bytes = entry.bytes();
        self.bytes -= bytes;
        self.first += 1;
        self.dropped += 1;
        bytes
    }

    /// Forgets everything, as somebody wished: that is not counted as dropped.
    pub(super) fn clear(&mut self) {
        (self.first, self.bytes) = (self.end(), 0);
        self.entries.clear();
        self.dropped = 0;
    }

    /// Entries that are wanted, in order.
    pub(super) fn read(&self, wanted: Wanted) -> Vec<&Entry> {
        let from = wanted.since.map_or(0, |since| self.entries.partition_point(|entry| entry.seq <= since));
        let mut found = self.entries.range(from..).filter(|entry| entry.level >= wanted.level);
        if wanted.since.is_some() {
            return found.take(wanted.limit).collect();
        }
        let mut last: Vec<&Entry> = found.by_ref().rev().take(wanted.limit).collect();
        last.reverse();
        last
    }

    /// Place after which a reader goes on who has read all entries up to `seq`.
    pub(super) fn place_after(&self, seq: u64) -> u64 {
        self.first + self.entries.partition_point(|entry| entry.seq <= seq) as u64
    }

    /// Place of the oldest entry.
    pub(super) fn begin(&self) -> u64 {
        self.first
    }

    /// Up to `most` entries from a place on, with how many before them are gone already.
    pub(super) fn from(&self, place: u64, most: usize) -> (u64, impl Iterator<Item = &Entry>) {
        let skipped = self.first.saturating_sub(place);
        let at = place.saturating_sub(self.first).min(self.entries.len() as u64) as usize;
        (skipped, self.entries.range(at..).take(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn entry(seq: u64, level: Level, text: &str) -> Entry {
        Entry {
            seq,
            at_ms: 0,
            level,
            kind: "console",
            what: "console",
            source: None,
            function: None,
            route: None,
            request_id: None,
            shard: Some(0),
            text: text.into(),
            stack: String::new(),
        }
    }

    fn seqs(entries: &[&Entry]) -> Vec<u64> {
        entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn what_is_read_by_level_since_and_limit() {
        let mut ring = Ring::new(0);
        for seq in 1..=10 {
            let level = if seq % 3 == 0 { Level::Warn } else { Level::Info };
            ring.push(entry(seq * 10, level, "x"), 8, usize::MAX);
        }
        for (level, since, limit, expected) in [
            (Level::Debug, None, 100, &[30, 40, 50, 60, 70, 80, 90, 100][..]),
            (Level::Debug, None, 2, &[90, 100]),
            (Level::Warn, None, 100, &[30, 60, 90]),
            (Level::Warn, None, 1, &[90]),
            (Level::Debug, Some(0), 2, &[30, 40]),
            (Level::Debug, Some(60), 2, &[70, 80]),
            (Level::Debug, Some(61), 100, &[70, 80, 90, 100]),
            (Level::Warn, Some(60), 100, &[90]),
            (Level::Debug, Some(100), 100, &[]),
            (Level::Error, None, 100, &[]),
            (Level::Debug, None, 0, &[]),
        ] {
            assert_eq!(
                seqs(&ring.read(Wanted { level, since, limit })),
                expected,
                "{level:?} {since:?} {limit}"
            );
        }
        assert_eq!(ring.dropped(), 2);
    }

    #[test]
    fn a_reader_who_is_late_learns_what_it_missed() {
        let mut ring = Ring::new(7);
        assert_eq!((ring.place_after(0), ring.end()), (7, 7));
        (1..=3).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 4, usize::MAX));
        let place = ring.place_after(2);
        let (skipped, rest) = ring.from(place, 10);
        assert_eq!((skipped, rest.map(|entry| entry.seq).collect::<Vec<_>>()), (0, vec![3]));
        (4..=10).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 4, usize::MAX));
        let (skipped, rest) = ring.from(place, 2);
        assert_eq!((skipped, rest.map(|entry| entry.seq).collect::<Vec<_>>()), (4, vec![7, 8]));
        ring.clear();
        assert_eq!((ring.lines(), ring.bytes(), ring.dropped(), ring.end()), (0, 0, 0, 17));
    }

    proptest! {
        #[test]
        fn a_ring_keeps_the_newest_within_its_bounds(
            sizes in proptest::collection::vec(0usize..2_000, 1..200),
            lines in 1usize..50,
            bytes in 500usize..20_000,
        ) {
            let mut ring = Ring::new(0);
            for (seq, size) in sizes.iter().enumerate() {
                ring.push(entry(seq as u64, Level::Info, &"x".repeat(*size)), lines, bytes);
                prop_assert!(ring.lines() <= lines && (ring.bytes() <= bytes || ring.lines() == 1));
            }
            let all = Wanted { level: Level::Debug, since: None, limit: usize::MAX };
            let kept = seqs(&ring.read(all));
            let newest: Vec<u64> = ((sizes.len() - kept.len()) as u64..sizes.len() as u64).collect();
            prop_assert_eq!(kept, newest);
            prop_assert_eq!(ring.dropped() as usize + ring.lines(), sizes.len());
            prop_assert_eq!(ring.bytes(), ring.read(all).iter().map(|entry| entry.bytes()).sum::<usize>());
        }
    }
}
