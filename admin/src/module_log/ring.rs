//! The entries of one module, oldest first, bounded in lines and bytes. What falls out is counted, also for a reader who
//! comes late. It never knows who reads.

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
    /// Entries that the module did not write itself.
    serious: usize,
    /// Entries that were ever added.
    added: u64,
    /// Entries that fell out.
    dropped: u64,
    /// Tells it from another ring of the same module.
    pub(super) born: u64,
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The newest `seq` that it has seen.
    seq: u64,
    /// Entries that had been added by then.
    added: u64,
}

impl Ring {
    /// An empty ring; `born` differs from that of every earlier ring.
    pub(super) fn new(born: u64) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, serious: 0, added: 0, dropped: 0, born }
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

    /// Adds an entry; others go until it fits. An entry that is larger than the bound stands alone.
    pub(super) fn push(&mut self, entry: Entry, lines: usize, bytes: usize) {
        let more = entry.bytes();
        while self.lines() >= lines.max(1) || (self.bytes + more > bytes && self.lines() > 0) {
            self.drop_one();
        }
        self.bytes += more;
        self.added += 1;
        self.serious += usize::from(!entry.is_console());
        self.entries.push_back(entry);
    }

    /// Drops the oldest entry, or the oldest console line where errors take little room: who writes much on the console
    /// shall still find the errors. Answers the bytes that are free now.
    pub(super) fn drop_one(&mut self) -> usize {
        let is_little = self.serious * 4 <= self.lines();
        let at = self.entries.iter().position(|entry| entry.is_console() || !is_little).unwrap_or(0);
        let Some(entry) = self.entries.remove(at) else { return 0 };
        let bytes = entry.bytes();
        self.bytes -= bytes;
        self.serious -= usize::from(!entry.is_console());
        self.dropped += 1;
        bytes
    }

    /// Forgets everything, as somebody wished: that is not counted as dropped.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        (self.bytes, self.serious, self.dropped) = (0, 0, 0);
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

    fn after(&self, seq: u64) -> usize {
        self.entries.partition_point(|entry| entry.seq <= seq)
    }

    /// Where a reader stands who has read up to `seq`.
    pub(super) fn place_after(&self, seq: u64) -> Place {
        Place { seq, added: self.added - (self.lines() - self.after(seq)) as u64 }
    }

    /// Where a reader stands who wants all that comes, and nothing that is there.
    pub(super) fn end(&self) -> Place {
        Place { seq: self.entries.back().map_or(0, |entry| entry.seq), added: self.added }
    }

    /// Where a reader stands who wants all that is there.
    pub(super) fn begin(&self) -> Place {
        Place { seq: 0, added: self.added - self.lines() as u64 }
    }

    /// Up to `most` entries from a place on; how many were gone before they could be read, where the reader stands then,
    /// and whether there are more.
    pub(super) fn read_on(&self, place: &mut Place, most: usize) -> (Vec<&Entry>, u64, bool) {
        let at = self.after(place.seq);
        let unread = self.lines() - at;
        let skipped = (self.added - place.added).saturating_sub(unread as u64);
        let found: Vec<&Entry> = self.entries.range(at..).take(most).collect();
        place.seq = found.last().map_or(place.seq, |last| last.seq);
        place.added = self.added - (unread - found.len()) as u64;
        let is_more = found.len() < unread;
        (found, skipped, is_more)
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
    fn errors_outlive_a_flood_but_do_not_take_all_the_room() {
        let mut ring = Ring::new(0);
        let error = |seq| Entry { kind: "error", ..entry(seq, Level::Error, "x") };
        ring.push(error(1), 8, usize::MAX);
        (2..100).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 8, usize::MAX));
        ring.push(error(100), 8, usize::MAX);
        (101..200).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 8, usize::MAX));
        let all = Wanted { level: Level::Debug, since: None, limit: 100 };
        assert_eq!(seqs(&ring.read(all)), [1, 100, 194, 195, 196, 197, 198, 199]);
        (200..300).for_each(|seq| ring.push(error(seq), 8, usize::MAX));
        assert_eq!(seqs(&ring.read(all)), [292, 293, 294, 295, 296, 297, 298, 299]);
        assert_eq!(ring.dropped(), 291);
    }

    #[test]
    fn a_reader_who_is_late_learns_what_it_missed() {
        let mut ring = Ring::new(7);
        let mut reader = ring.end();
        let numbers = |found: &[&Entry]| seqs(found);
        (1..=3).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 4, usize::MAX));
        let mut second = ring.place_after(2);
        let (found, skipped, is_more) = ring.read_on(&mut second, 10);
        assert_eq!((numbers(&found), skipped, is_more), (vec![3], 0, false));
        let (found, skipped, is_more) = ring.read_on(&mut reader, 1);
        assert_eq!((numbers(&found), skipped, is_more), (vec![1], 0, true));
        (4..=10).for_each(|seq| ring.push(entry(seq, Level::Info, "x"), 4, usize::MAX));
        let (found, skipped, is_more) = ring.read_on(&mut reader, 2);
        assert_eq!((numbers(&found), skipped, is_more), (vec![7, 8], 5, true));
        let (found, skipped, is_more) = ring.read_on(&mut reader, 10);
        assert_eq!((numbers(&found), skipped, is_more), (vec![9, 10], 0, false));
        let (found, skipped, _) = ring.read_on(&mut second, 10);
        assert_eq!((numbers(&found), skipped), (vec![7, 8, 9, 10], 3));
        let (found, skipped, _) = ring.read_on(&mut ring.begin(), 10);
        assert_eq!((numbers(&found), skipped), (vec![7, 8, 9, 10], 0));
        ring.clear();
        assert_eq!((ring.lines(), ring.bytes(), ring.dropped()), (0, 0, 0));
        ring.push(entry(11, Level::Info, "x"), 4, usize::MAX);
        let (found, skipped, _) = ring.read_on(&mut reader, 10);
        assert_eq!((numbers(&found), skipped), (vec![11], 0));
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
