//! The profile's way from the shards to lines of an interval log: bounded queues, the shards' intervals brought together,
//! and one line after another, so that access lines need not wait for a large interval. Never makes a shard wait.

use crate::ProfileOptions;
use crate::counters::Counters;
use crate::hlog::{LogWriter, Span, row_tags};
use crate::merge::{Merge, Parts};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::vec::IntoIter;
use tidegate_mailbox::{QueueReader, QueueWriter, queue};
use tidegate_snapshot::{IntervalProfile, Phase, ProfileSink, Scope, Times};

/// Intervals of one shard that may wait. They are large, and one is written in less time than it took.
const DEPTH: usize = 4;
/// Shards hand over at least so often.
const GATHERED: Duration = Duration::from_secs(1);
/// How much later than an interval's end a shard may come with its own.
const GRACE: Duration = Duration::from_millis(500);

/// One shard's way to the recorder's interval log.
pub struct ProfileFeed {
    queue: QueueWriter<Arc<IntervalProfile>>,
    counters: Arc<Counters>,
}

impl ProfileSink for ProfileFeed {
    fn submit(&mut self, interval: Arc<IntervalProfile>) -> bool {
        let Err(refused) = self.queue.send(interval) else { return true };
        let of = |times: &Times| Phase::ALL.iter().filter(|phase| !times.of(**phase).is_empty()).count();
        let lines = of(&refused.times) + refused.rows.iter().map(|row| of(&row.times)).sum::<usize>();
        self.counters.dropped(1, lines as u64);
        false
    }
}

/// The recorder's end of all shards' feeds.
pub(crate) struct Intervals {
    /// One a shard: its queue, and what it sent last, with the time when that was seen.
    shards: Vec<(QueueReader<Arc<IntervalProfile>>, Option<Arrived>)>,
    /// How often a shard hands over, at least.
    interval: Duration,
    merge: Merge,
    /// Complete, not begun.
    complete: VecDeque<Parts>,
    writer: LogWriter,
    under_way: Option<Group>,
    /// Kept from one line to the next.
    line: Vec<u8>,
}

type Arrived = (Arc<IntervalProfile>, Instant);

/// One feed a shard, and the recorder's end of them.
pub(crate) fn feeds(
    options: &ProfileOptions,
    shards: usize,
    base_ms: u64,
    counters: &Arc<Counters>,
) -> (Vec<ProfileFeed>, Intervals) {
    let (feeds, shards) = (0..shards)
        .map(|_| {
            // The recorder polls: a wake-up would be a system call of the shard.
            let (writer, reader) = queue(DEPTH, Arc::new(|| {}));
            (ProfileFeed { queue: writer, counters: counters.clone() }, (reader, None))
        })
        .unzip();
    let writer = LogWriter::new(base_ms);
    let intervals = Intervals {
        shards,
        interval: options.interval.min(GATHERED),
        merge: Merge::new(options.interval, options.most_rows),
        complete: VecDeque::new(),
        writer,
        under_way: None,
        line: Vec::new(),
    };
    (feeds, intervals)
}

/// Intervals of different shards that become one, and what is still to be written of it.
struct Group {
    parts: Vec<Arc<IntervalProfile>>,
    span: Span,
    rows: IntoIter<Row>,
    row: Option<Row>,
}

/// The histograms that one set of lines is the sum of.
struct Row {
    /// The front of its tags; empty for that of everything.
    tags: String,
    /// Which part, and which of its rows.
    of: Vec<(usize, Option<usize>)>,
    phases: std::slice::Iter<'static, Phase>,
}

impl Row {
    fn new(tags: String, of: Vec<(usize, Option<usize>)>) -> Self {
        Self { tags, of, phases: Phase::ALL.iter() }
    }
}

impl Intervals {
    /// What every file begins with.
    pub(crate) fn header(&self) -> Vec<u8> {
        self.writer.header()
    }

    /// The next line, with its line feed. Once the recorder is `stopping`, intervals do not wait for those of other
    /// shards any more.
    pub(crate) fn take(&mut self, stopping: bool) -> Option<Vec<u8>> {
        loop {
            self.fetch(stopping);
            if self.under_way.is_none() {
                let parts = self.complete.pop_front()?;
                self.under_way = Some(Group::new(parts, self.shards.len() > 1));
            }
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            if self.under_way.as_mut().is_some_and(|group| group.line(&mut self.writer, &mut line)) {
                return Some(line);
            }
            self.line = line;
            self.under_way = None;
        }
    }

    /// Gives a line's buffer back.
    pub(crate) fn give_back(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    /// Takes what has come: while lines are written only what is added up and given back at once.
    fn fetch(&mut self, stopping: bool) {
        while self.complete.is_empty() && (self.under_way.is_none() || self.merge.is_longer()) {
            let Some(parts) = self.gather(stopping) else { break };
            self.complete.extend(self.merge.add(parts));
        }
        if self.complete.is_empty() {
            let late = if stopping {
                self.merge.end()
            } else {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.merge.overdue(now.as_millis() as u64)
            };
            self.complete.extend(late);
        }
    }

    /// Intervals that belong together: all shards' that began before the earliest of them ended.
    fn gather(&mut self, stopping: bool) -> Option<Vec<Arc<IntervalProfile>>> {
        let now = Instant::now();
        for (queue, arrived) in &mut self.shards {
            if arrived.is_none() {
                *arrived = queue.take().map(|interval| (interval, now));
            }
        }
        let arrived = || self.shards.iter().filter_map(|(_, arrived)| arrived.as_ref());
        let first = arrived().map(|(interval, _)| interval).min_by_key(|interval| interval.began_ms)?;
        let is_late = |seen: &Instant| now.duration_since(*seen) > self.interval + GRACE;
        let is_complete = arrived().count() == self.shards.len();
        if !is_complete && !stopping && !arrived().any(|(_, seen)| is_late(seen)) {
            return None;
        }
        // One that is empty in time still is its own.
        let end_ms = first.ended_ms.max(first.began_ms + 1);
        let parts = self.shards.iter_mut().filter_map(|(_, arrived)| {
            arrived.take_if(|(interval, _)| interval.began_ms < end_ms).map(|(interval, _)| interval)
        });
        Some(parts.collect())
    }
}

impl Group {
    fn new(parts: Vec<Arc<IntervalProfile>>, with_shards: bool) -> Self {
        let span = Span {
            began_ms: parts.iter().map(|part| part.began_ms).min().unwrap_or_default(),
            ended_ms: parts.iter().map(|part| part.ended_ms).max().unwrap_or_default(),
        };
        let mut rows = vec![Row::new(String::new(), (0..parts.len()).map(|part| (part, None)).collect())];
        if with_shards {
            let shard = |(at, part): (usize, &Arc<IntervalProfile>)| {
                Row::new(format!("shard{}.", part.shard), vec![(at, None)])
            };
            rows.extend(parts.iter().enumerate().map(shard));
        }
        let mut named: BTreeMap<(Scope, &str), Vec<(usize, Option<usize>)>> = BTreeMap::new();
        for (at, part) in parts.iter().enumerate() {
            for (row_at, row) in part.rows.iter().enumerate() {
                named.entry((row.scope, &*row.key)).or_default().push((at, Some(row_at)));
            }
        }
        rows.extend(named.into_iter().map(|((scope, key), of)| Row::new(row_tags(scope, key), of)));
        Self { parts, span, rows: rows.into_iter(), row: None }
    }

    /// Appends the next line; `false`: there is none.
    fn line(&mut self, writer: &mut LogWriter, out: &mut Vec<u8>) -> bool {
        loop {
            let Some(row) = &mut self.row else {
                self.row = self.rows.next();
                if self.row.is_none() {
                    return false;
                }
                continue;
            };
            let Some(phase) = row.phases.next() else {
                self.row = None;
                continue;
            };
            let parts = &self.parts;
            let times = |(part, row): &(usize, Option<usize>)| -> &Histogram<u32> {
                let part = &parts[*part];
                row.map_or(&part.times, |row| &part.rows[row].times).of(*phase)
            };
            let is_everything = row.tags.is_empty() && *phase == Phase::Total;
            let mut seen = row.of.iter().map(times).filter(|times| !times.is_empty());
            // An interval in which nothing happened is said too, once.
            let first = match seen.next() {
                Some(first) => first,
                None if is_everything => times(&row.of[0]),
                None => continue,
            };
            let tag = if is_everything { String::new() } else { format!("{}{}", row.tags, phase.name()) };
            match seen.next() {
                None => writer.line(out, &tag, self.span, first),
                Some(second) => {
                    let mut sum = first.clone();
                    for more in std::iter::once(second).chain(seen) {
                        // All sets have the same highest time, so that any can be added to any.
                        let _ = sum.add(more);
                    }
                    writer.line(out, &tag, self.span, &sum);
                }
            }
            return true;
        }
    }
}
