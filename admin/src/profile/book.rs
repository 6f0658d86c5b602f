//! What the node remembers of its shards' profiles: a minute of intervals within a bound of bytes, the sums for Prometheus,
//! and who asked for rows. An interval is made small when it comes and given back at once, because shards use its
//! histograms again; adding up is left to whoever asks.

use super::kept::{Errors, Kept, ServiceOf};
use super::lease::Leases;
use super::merge::Window;
use super::phases::ShardPhases;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_snapshot::{IntervalProfile, ProfileOrder, Scope, ShardReport};
use tokio::sync::{Notify, watch};

/// How far back intervals are kept.
pub(crate) const KEPT_MS: u64 = 60_000;
/// Most bytes of kept intervals; beyond it the oldest go.
const MOST_BYTES: usize = 64 << 20;
/// Intervals of a shard that are looked at to see how long it gathers.
const LOOKED_AT: usize = 5;
/// How long a shard gathers when none has told yet.
const INTERVAL_MS: u64 = 1_000;

/// Wall clock, milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

/// One shard.
#[derive(Debug, Default)]
struct Shard {
    kept: VecDeque<Arc<Kept>>,
    sums: ShardPhases,
    /// Since its last interval.
    errors: Errors,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Book {
    shards: BTreeMap<u16, Shard>,
    newest: u64,
    bytes: usize,
    most_bytes: usize,
    leases: Leases,
    /// Of the newest snapshot.
    service_of: ServiceOf,
}

impl Default for Book {
    fn default() -> Self {
        let leases = Leases::default();
        let (shards, service_of) = (BTreeMap::new(), ServiceOf::new());
        Self { shards, newest: 0, bytes: 0, most_bytes: MOST_BYTES, leases, service_of }
    }
}

impl Book {
    /// Notes what went wrong, for the interval under way.
    fn note(&mut self, report: &ShardReport) {
        self.shards.entry(report.shard).or_default().errors.add(report, &self.service_of);
    }

    /// Keeps an interval; answers its number.
    fn keep(&mut self, interval: &IntervalProfile, now_ms: u64) -> u64 {
        self.newest += 1;
        let asked = self.leases.asked(now_ms);
        let shard = self.shards.entry(interval.shard).or_default();
        let kept = Kept::of(self.newest, interval, asked, std::mem::take(&mut shard.errors));
        shard.sums.add(&kept.times);
        shard.sums.rows = interval.rows.len() as u64;
        shard.sums.rows_refused += interval.rows_refused;
        self.bytes += kept.bytes;
        shard.kept.push_back(Arc::new(kept));
        self.forget(now_ms);
        self.newest
    }

    /// Drops what is too old, and the oldest of what is too much.
    fn forget(&mut self, now_ms: u64) {
        for shard in self.shards.values_mut() {
            while shard.kept.front().is_some_and(|oldest| oldest.ended_ms + KEPT_MS < now_ms) {
                self.bytes -= shard.kept.pop_front().map_or(0, |kept| kept.bytes);
            }
        }
        while self.bytes > self.most_bytes {
            let with_oldest =
                self.shards.values_mut().min_by_key(|shard| shard.kept.front().map_or(u64::MAX, |k| k.seq));
            let Some(oldest) = with_oldest.and_then(|shard| shard.kept.pop_front()) else { return };
            self.bytes -= oldest.bytes;
        }
    }

    /// The newest interval of every shard that has told something.
    pub(crate) fn newest_told(&self) -> impl Iterator<Item = &Kept> {
        self.shards.values().filter_map(|shard| shard.kept.back().map(|kept| &**kept))
    }

    /// How long shards gather. The newest intervals may have been cut short.
    pub(crate) fn interval_ms(&self) -> u64 {
        let newest = self.shards.values().flat_map(|shard| shard.kept.iter().rev().take(LOOKED_AT));
        newest.map(|kept| kept.ms()).max().unwrap_or(INTERVAL_MS).max(1)
    }

    /// The newest span of so many milliseconds that shards have told of, and its intervals.
    pub(crate) fn back(&self, for_ms: u64, now_ms: u64) -> (Window, Vec<Arc<Kept>>) {
        let interval_ms = self.interval_ms();
        let known = self.newest_told().map(|kept| kept.ended_ms).max().unwrap_or(0);
        // A shard that is silent for longer than it gathers has served nothing since.
        let to_ms = known.max(now_ms.saturating_sub(interval_ms + interval_ms / 2));
        let window = Window { from_ms: to_ms.saturating_sub(for_ms.max(interval_ms)), to_ms, interval_ms };
        let is_within = |kept: &&Arc<Kept>| {
            let middle = kept.began_ms + kept.ms() / 2;
            middle >= window.from_ms && middle < to_ms
        };
        let found = self.shards.values().flat_map(|shard| shard.kept.iter().filter(is_within).cloned());
        (window, found.collect())
    }

    /// The intervals that came after one, oldest first, and the number of the newest.
    pub(crate) fn after(&self, seq: u64) -> (u64, Vec<Arc<Kept>>) {
        let newer = |shard: &Shard| {
            let new = shard.kept.iter().rev().take_while(|kept| kept.seq > seq).cloned();
            new.collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>()
        };
        let mut found: Vec<Arc<Kept>> = self.shards.values().flat_map(newer).collect();
        found.sort_by_key(|kept| kept.seq);
        (self.newest, found)
    }

    /// What Prometheus is told, by shard.
    pub(crate) fn sums(&self) -> impl Iterator<Item = (u16, &ShardPhases)> {
        self.shards.iter().map(|(index, shard)| (*index, &shard.sums))
    }

    /// What the shards must be told now; it counts as told.
    pub(crate) fn order(&mut self, now_ms: u64) -> Option<ProfileOrder> {
        self.leases.order(now_ms)
    }

    /// Which routes have which services from now on. What a shard counted before and tells later is said of these.
    pub(crate) fn serve(&mut self, service_of: ServiceOf) {
        self.service_of = service_of;
    }

    /// The shards were not told after all.
    pub(crate) fn untold(&mut self) {
        self.leases.untold();
    }
}

/// The book as the actor, the API and the metrics share it. None of them holds it for long.
#[derive(Debug)]
pub(crate) struct Profiles {
    book: Mutex<Book>,
    arrived: watch::Sender<u64>,
    wanted: Notify,
}

impl Default for Profiles {
    fn default() -> Self {
        Self { book: Mutex::default(), arrived: watch::Sender::new(0), wanted: Notify::new() }
    }
}

impl Profiles {
    /// The book.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a shard's report says of errors.
    pub(crate) fn note(&self, report: &ShardReport) {
        self.book().note(report);
    }

    /// Keeps an interval.
    pub(crate) fn keep(&self, interval: &IntervalProfile) {
        let newest = self.book().keep(interval, now_ms());
        self.arrived.send_replace(newest);
    }

    /// Told when an interval has come.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrived.subscribe()
    }

    /// Somebody wants rows of a scope for so long, or only the one with that key.
    pub(crate) fn ask(&self, scope: Scope, only: Option<&str>, for_ms: u64) {
        self.book().leases.renew(scope, only, now_ms(), for_ms);
        self.wanted.notify_one();
    }

    /// Shards are to hand over what they have and to begin anew, as soon as may be.
    pub(crate) fn cut(&self) {
        self.book().leases.cut();
        self.wanted.notify_one();
    }

    /// Waits until somebody has asked.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }
}

#[cfg(test)]
mod tests;
