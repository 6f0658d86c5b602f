//! What a shard has counted since its last report. Shards count in plain cells and send the difference a few times a
//! second; the admin adds them up, so that a scrape touches no shard.

use std::sync::Arc;

/// Upper bounds (inclusive, microseconds) of the latency buckets; one more bucket counts what lies above.
pub const LATENCY_BOUNDS_US: [u32; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000,
];

/// Index into [`RouteReport::responses`]: 0 for 1xx to 4 for 5xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusClass(pub usize);

impl StatusClass {
    /// Of a status code; what is outside 100 to 599 counts as 5xx.
    pub fn of(status: u16) -> Self {
        Self(match status {
            100..=599 => usize::from(status / 100) - 1,
            _ => 4,
        })
    }
    /// `1xx` to `5xx`.
    pub fn label(self) -> &'static str {
        ["1xx", "2xx", "3xx", "4xx", "5xx"][self.0]
    }
}

/// Differences since the last report, except where it says "now".
#[derive(Debug, Default)]
pub struct ShardReport {
    /// Index of the shard.
    pub shard: u16,
    /// Totals of the shard.
    pub totals: ShardTotals,
    /// Routes that saw a request; the entry with an empty key counts requests that matched no route.
    pub routes: Vec<RouteReport>,
    /// Scripts that were called.
    pub scripts: Vec<ScriptReport>,
    /// Faults and limits that fired, by stable name.
    pub faults: Vec<(&'static str, u64)>,
}

/// Counters of a shard.
#[derive(Debug, Default, Clone, Copy)]
pub struct ShardTotals {
    /// Client connections open now.
    pub connections: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Requests answered.
    pub requests: u64,
    /// Bytes received from clients.
    pub received_bytes: u64,
    /// Bytes sent to clients.
    pub sent_bytes: u64,
    /// Upstream connections opened.
    pub upstream_connects: u64,
    /// Upstream exchanges on a kept connection.
    pub upstream_reuses: u64,
    /// Upstream connections idle in the pool now.
    pub upstream_idle: u64,
    /// Retries of upstream calls.
    pub upstream_retries: u64,
    /// Events that found the mailbox full, or came from a module that said too much at once, and were dropped.
    pub events_dropped: u64,
    /// Fetches of modules begun.
    pub fetches: u64,
    /// Fetches that failed, before their head or within their body.
    pub fetch_errors: u64,
    /// Fetches to addresses that their module may not reach.
    pub fetch_refused: u64,
    /// Fetches under way now, bodies included.
    pub fetch_open: u64,
    /// Reads of the cache that found a value.
    pub cache_hits: u64,
    /// Reads of the cache that found none.
    pub cache_misses: u64,
    /// Writes to the cache.
    pub cache_sets: u64,
    /// Cached values that went for others.
    pub cache_evictions: u64,
    /// Words about cached values that found no room at another shard, which forgets what they were about.
    pub cache_dropped: u64,
    /// Bytes of cached values now.
    pub cache_bytes: u64,
    /// Snapshots that requests still hold now.
    pub snapshots_held: u64,
}

/// Counters of a route on a shard.
#[derive(Debug, Clone)]
pub struct RouteReport {
    /// `namespace/name`; empty for "no route".
    pub key: Arc<str>,
    /// Responses by status class.
    pub responses: [u64; 5],
    /// Latency histogram by [`LATENCY_BOUNDS_US`], the last bucket above all.
    pub latency: [u64; LATENCY_BOUNDS_US.len() + 1],
    /// Sum of latencies in microseconds.
    pub latency_sum_us: u64,
    /// Upstream calls that failed (connect, time-out, bad response).
    pub upstream_errors: u64,
}

/// Counters of a script on a shard.
#[derive(Debug, Clone)]
pub struct ScriptReport {
    /// `namespace/entry`.
    pub key: Arc<str>,
    /// Calls of its functions.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// The runtime as it is now; `None` if it is gone.
    pub now: Option<ScriptNow>,
    /// Its functions that were called.
    pub functions: Vec<FunctionReport>,
}

/// A script's runtime on a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptNow {
    /// Bytes of heap.
    pub memory_bytes: u64,
    /// Contexts that exist.
    pub contexts: u32,
    /// Of those, the ones that calls hold.
    pub leased: u32,
}

/// Calls of one function of a script.
#[derive(Debug, Clone)]
pub struct FunctionReport {
    /// `requestModifier` and the like.
    pub function: &'static str,
    /// How they ended, by stable name (`ok`, `cancelled`, or a cause), with how often.
    pub outcomes: Vec<(&'static str, u64)>,
    /// CPU time of a call.
    pub cpu: TimesReport,
    /// From a call's begin to its end.
    pub wall: TimesReport,
}

/// What a `tidegate_js::Histogram` has counted.
#[derive(Debug, Clone, Default)]
pub struct TimesReport {
    /// Buckets that are not empty, by index, with their counts.
    pub filled: Vec<(u16, u64)>,
    /// Sum in nanoseconds.
    pub sum_ns: u64,
    /// The largest, in nanoseconds.
    pub max_ns: u64,
}
