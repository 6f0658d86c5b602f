//! Intervals of shards added up until they are as long as a line is to be: shards hand over every second, whatever the log
//! wants. Holds a shard's own histograms no longer than it takes to add them, and no more rows than a shard keeps: what
//! finds no room goes into the row of the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tidegate_snapshot::{IntervalProfile, OTHERS, ProfileRow, Scope, Times};

/// Shards hand over at least so often.
const GATHERED_MS: u64 = 1_000;

/// Intervals that belong together: at most one a shard.
pub(crate) type Parts = Vec<Arc<IntervalProfile>>;

/// What is being added up.
pub(crate) struct Merge {
    length_ms: u64,
    most_rows: usize,
    began_ms: u64,
    ended_ms: u64,
    shards: BTreeMap<u16, Sum>,
}

/// Of one shard.
struct Sum {
    interval: IntervalProfile,
    /// Where its rows are.
    at: HashMap<(Scope, Arc<str>), usize>,
    /// Rows but those of the others.
    named: usize,
}

impl Merge {
    /// Nothing yet, of lines of that length.
    pub(crate) fn new(length: Duration, most_rows: usize) -> Self {
        let length_ms = length.as_millis() as u64;
        Self { length_ms, most_rows, began_ms: 0, ended_ms: 0, shards: BTreeMap::new() }
    }

    /// Whether a line is longer than what shards hand over.
    pub(crate) fn is_longer(&self) -> bool {
        self.length_ms > GATHERED_MS
    }

    /// Whether so long a time is as long as a line is to be. Intervals are never exactly as long as they should be.
    fn is_long(&self, ms: u64) -> bool {
        ms + self.length_ms.min(GATHERED_MS) / 4 >= self.length_ms
    }

    /// Adds what came. Gives what is complete: what was there before, what came, or both together.
    pub(crate) fn add(&mut self, parts: Parts) -> Vec<Parts> {
        let began_ms = parts.iter().map(|part| part.began_ms).min().unwrap_or_default();
        let ended_ms = parts.iter().map(|part| part.ended_ms).max().unwrap_or_default();
        let mut complete = Vec::new();
        // Nothing happened for a while.
        if !self.shards.is_empty() && self.is_long(began_ms.saturating_sub(self.began_ms)) {
            complete.extend(self.end());
        }
        if self.shards.is_empty() {
            if self.is_long(ended_ms.saturating_sub(began_ms)) {
                complete.push(parts);
                return complete;
            }
            self.began_ms = began_ms;
        }
        self.ended_ms = ended_ms.max(self.ended_ms);
        for part in &parts {
            self.shards.entry(part.shard).or_insert_with(|| Sum::new(part)).add(part, self.most_rows);
        }
        if self.is_long(self.ended_ms.saturating_sub(self.began_ms)) {
            complete.extend(self.end());
        }
        complete
    }

    /// What has waited for more for long enough, by the wall clock in milliseconds since 1970.
    pub(crate) fn overdue(&mut self, now_ms: u64) -> Option<Parts> {
        let is_due = now_ms > self.began_ms + self.length_ms + 2 * GATHERED_MS;
        if is_due { self.end() } else { None }
    }

    /// What is there, complete or not.
    pub(crate) fn end(&mut self) -> Option<Parts> {
        self.ended_ms = 0;
        let parts: Parts =
            std::mem::take(&mut self.shards).into_values().map(|sum| Arc::new(sum.interval)).collect();
        (!parts.is_empty()).then_some(parts)
    }
}

/// An empty set as exact as another.
fn like(times: &Times) -> Times {
    Times::new(times.digits())
}

impl Sum {
    fn new(first: &IntervalProfile) -> Self {
        let interval = IntervalProfile {
            times: like(&first.times),
            rows: Vec::new(),
            rows_refused: 0,
            shard: first.shard,
            began_ms: first.began_ms,
            ended_ms: first.ended_ms,
        };
        Self { interval, at: HashMap::new(), named: 0 }
    }

    fn add(&mut self, part: &IntervalProfile, most_rows: usize) {
        let Self { interval, at, named } = self;
        interval.began_ms = interval.began_ms.min(part.began_ms);
        interval.ended_ms = interval.ended_ms.max(part.ended_ms);
        interval.times.add(&part.times);
        interval.rows_refused += part.rows_refused;
        for row in &part.rows {
            let is_others = &*row.key == OTHERS;
            let mut key = (row.scope, row.key.clone());
            if !at.contains_key(&key) && *named >= most_rows && !is_others {
                interval.rows_refused += 1;
                key.1 = OTHERS.into();
            } else if !at.contains_key(&key) && !is_others {
                *named += 1;
            }
            let (scope, name) = key.clone();
            let rows = &mut interval.rows;
            let place = *at.entry(key).or_insert_with(|| {
                rows.push(ProfileRow { scope, key: name, times: like(&row.times) });
                rows.len() - 1
            });
            rows[place].times.add(&row.times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_snapshot::Phase;

    fn interval(shard: u16, began_ms: u64, ended_ms: u64, keys: &[&str]) -> Arc<IntervalProfile> {
        let mut times = Times::new(2);
        times.record(Phase::Total, 1_000_000);
        let row = |key: &&str| ProfileRow { scope: Scope::Route, key: (*key).into(), times: times.clone() };
        let rows = keys.iter().map(row).collect();
        Arc::new(IntervalProfile { shard, began_ms, ended_ms, times: times.clone(), rows, rows_refused: 0 })
    }

    /// Shard, begin, end and exchanges of what is complete.
    type Told = Vec<Vec<(u16, u64, u64, u64)>>;

    fn told(complete: Vec<Parts>) -> Told {
        let part = |part: &Arc<IntervalProfile>| {
            (part.shard, part.began_ms, part.ended_ms, part.times.of(Phase::Total).len())
        };
        complete.iter().map(|parts| parts.iter().map(part).collect()).collect()
    }

    #[test]
    fn intervals_are_added_up_to_their_length() {
        // Length, intervals of one shard, and what is complete with the last of them and in the end.
        for (length, intervals, complete, left) in [
            (1_000, &[(0, 1_000)][..], &[(0, 1_000, 1)][..], None),
            (1_000, &[(0, 790)], &[(0, 790, 1)], None),
            (1_000, &[(0, 400), (400, 1_001)], &[(0, 1_001, 2)], None),
            (100, &[(0, 1_000)], &[(0, 1_000, 1)], None),
            (3_000, &[(0, 1_001), (1_001, 2_001)], &[], Some((0, 2_001, 2))),
            (3_000, &[(0, 990), (990, 1_980), (1_980, 2_970)], &[(0, 2_970, 3)], None),
            // Idle in between.
            (3_000, &[(0, 1_000), (2_900, 3_900)], &[(0, 1_000, 1)], Some((2_900, 3_900, 1))),
        ] {
            let mut merge = Merge::new(Duration::from_millis(length), 10);
            let mut last = Vec::new();
            for (began, ended) in intervals {
                last = merge.add(vec![interval(3, *began, *ended, &[])]);
            }
            let expected: Told = complete.iter().map(|(b, e, n)| vec![(3, *b, *e, *n)]).collect();
            assert_eq!(told(last), expected, "{length} {intervals:?}");
            let left: Told = left.into_iter().map(|(b, e, n)| vec![(3, b, e, n)]).collect();
            assert_eq!(told(merge.end().into_iter().collect()), left, "{length} {intervals:?}");
        }
    }

    #[test]
    fn what_waits_too_long_is_given() {
        let mut merge = Merge::new(Duration::from_secs(10), 10);
        assert!(merge.overdue(u64::MAX).is_none());
        merge.add(vec![interval(0, 50_000, 51_000, &[]), interval(1, 50_000, 51_000, &[])]);
        assert!(merge.overdue(62_000).is_none());
        let given = merge.overdue(62_001).into_iter().collect();
        assert_eq!(told(given), [vec![(0, 50_000, 51_000, 1), (1, 50_000, 51_000, 1)]]);
    }

    #[test]
    fn rows_beyond_the_bound_are_with_the_others() {
        let mut merge = Merge::new(Duration::from_secs(10), 2);
        merge.add(vec![interval(0, 0, 1_000, &["n/a", "n/b", OTHERS])]);
        merge.add(vec![interval(0, 1_000, 2_000, &["n/c", "n/b"])]);
        let parts = merge.end().expect("some");
        let rows: Vec<_> =
            parts[0].rows.iter().map(|row| (&*row.key, row.times.of(Phase::Total).len())).collect();
        assert_eq!(rows, [("n/a", 1), ("n/b", 2), (OTHERS, 2)]);
        assert_eq!(parts[0].rows_refused, 1);
    }
}
