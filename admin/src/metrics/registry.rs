//! The sums behind `/metrics`. Shards report differences; gauges are what a shard said last. A route's row lives as long
//! as the route, or as long as it is seen; beyond a bound rows fall together into `other`.

mod scrape;

pub(crate) use scrape::Scrape;

use super::functions::Functions;
use crate::raft::ClusterStatus;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tidegate_snapshot::{
    LATENCY_BOUNDS_US, ModuleLimits, RouteReport, Script, ScriptNow, ScriptReport, ShardReport, ShardTotals,
};

/// Most routes with rows of their own.
const MAX_ROUTES: usize = 20_000;
/// Most scripts with rows of their own.
const MAX_SCRIPTS: usize = 2_000;
/// Most names of faults; they are a closed set, so this only guards against our own mistakes.
const MAX_FAULTS: usize = 512;
/// The row of what has none of its own.
const OTHER: &str = "other";

#[derive(Default)]
struct ShardRow {
    totals: ShardTotals,
    faults: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct RouteRow {
    responses: [u64; 5],
    latency: [u64; LATENCY_BOUNDS_US.len() + 1],
    latency_sum_us: u64,
    upstream_errors: u64,
}

impl RouteRow {
    fn add(&mut self, report: &RouteReport) {
        let sums = self.responses.iter_mut().chain(&mut self.latency);
        for (sum, more) in sums.zip(report.responses.iter().chain(&report.latency)) {
            *sum = sum.wrapping_add(*more);
        }
        self.latency_sum_us = self.latency_sum_us.wrapping_add(report.latency_sum_us);
        self.upstream_errors = self.upstream_errors.wrapping_add(report.upstream_errors);
    }
}

#[derive(Default)]
struct ScriptRow {
    calls: u64,
    failures: u64,
    cpu_ns: u64,
    /// What the runtime on each shard was when last heard of.
    now: BTreeMap<u16, ScriptNow>,
    functions: Functions,
    /// Scheduled runs by outcome, and when the last one ended.
    runs: BTreeMap<&'static str, u64>,
    last_run_ms: Option<u64>,
}

impl ScriptRow {
    fn memory_bytes(&self) -> u64 {
        self.now.values().map(|now| now.memory_bytes).sum()
    }
}

/// Bounds of a module's calls, for people.
pub(crate) fn limits(limits: &ModuleLimits) -> Value {
    json!({
        "cpu_ms": limits.cpu_ms,
        "memory_bytes": limits.memory_bytes,
        "stack_bytes": limits.stack_bytes,
        "body_bytes": limits.body_bytes,
        "fetches": limits.fetches,
        "timers": limits.timers,
        "pending": limits.pending,
    })
}

/// All counters of the node.
#[derive(Default)]
pub struct Registry {
    shards: BTreeMap<u16, ShardRow>,
    routes: BTreeMap<String, RouteRow>,
    scripts: BTreeMap<String, ScriptRow>,
    /// What routes run.
    running: HashMap<Arc<str>, Arc<Script>>,
    revision: u64,
    changes: u64,
    store_bytes: u64,
    cluster: Option<ClusterStatus>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

impl Registry {
    /// Adds what a shard has counted since its last report.
    pub fn absorb(&mut self, report: ShardReport) {
        let row = self.shards.entry(report.shard).or_default();
        add_totals(&mut row.totals, &report.totals);
        for (name, count) in report.faults {
            if row.faults.len() < MAX_FAULTS || row.faults.contains_key(name) {
                let sum = row.faults.entry(name).or_default();
                *sum = sum.wrapping_add(count);
            }
        }
        for route in &report.routes {
            row_of(&mut self.routes, &route.key, MAX_ROUTES).add(route);
        }
        for script in &report.scripts {
            add_script(row_of(&mut self.scripts, &script.key, MAX_SCRIPTS), report.shard, script);
        }
    }

    /// Forgets the rows of routes (`namespace/name`) and scripts (`namespace/entry`) that are gone. Call it when a new
    /// snapshot is published. A late report of a request that was still running brings a row back until the next call.
    pub fn retain(&mut self, routes: &HashSet<&str>, scripts: &HashSet<&str>) {
        self.routes.retain(|key, _| key.is_empty() || key == OTHER || routes.contains(key.as_str()));
        self.scripts.retain(|key, _| key == OTHER || scripts.contains(key.as_str()));
    }

    /// The scripts that routes run from now on.
    pub(crate) fn run(&mut self, scripts: Vec<Arc<Script>>) {
        self.running = scripts.into_iter().map(|script| (script.key.clone(), script)).collect();
    }

    /// What is known of a module (`namespace/name`), for people.
    pub(crate) fn module(&self, key: &str) -> Value {
        let none = ScriptRow::default();
        let row = self.scripts.get(key).unwrap_or(&none);
        let shards = row.now.iter().map(|(shard, now)| {
            json!({ "shard": shard, "memory_bytes": now.memory_bytes, "contexts": now.contexts,
                "leased": now.leased })
        });
        let script = self.running.get(key);
        json!({
            "module": key,
            "is_run_by_a_route": script.is_some(),
            "calls": row.calls,
            "failures": row.failures,
            "functions": row.functions.json(),
            "memory_bytes": row.memory_bytes(),
            "shards": shards.collect::<Vec<Value>>(),
            "limits": script.map(|script| limits(&script.limits)),
            "permissions": script.map(|script| script.permissions.to_vec()),
        })
    }

    /// Counts a scheduled run of a module (`namespace/name`), and notes when it ended if it ran.
    pub(crate) fn scheduled_run(&mut self, module: &str, outcome: &'static str, ended_ms: Option<u64>) {
        let row = row_of(&mut self.scripts, module, MAX_SCRIPTS);
        let count = row.runs.entry(outcome).or_default();
        *count = count.wrapping_add(1);
        row.last_run_ms = ended_ms.or(row.last_run_ms);
    }

    /// Where the state is: revision, number of changes, bytes of the data file.
    pub fn observe_state(&mut self, revision: u64, changes: u64, store_bytes: u64) {
        (self.revision, self.changes, self.store_bytes) = (revision, changes, store_bytes);
    }

    /// How the cluster is.
    pub fn observe_cluster(&mut self, status: &ClusterStatus) {
        self.cluster = Some(status.clone());
    }
}

/// The row of a key, or the one that all the others share.
fn row_of<'a, R: Default>(rows: &'a mut BTreeMap<String, R>, key: &str, limit: usize) -> &'a mut R {
    // Most rows are there: they are looked for once.
    if rows.contains_key(key) {
        return rows.get_mut(key).expect("the row is there");
    }
    rows.entry(if rows.len() < limit { key } else { OTHER }.to_owned()).or_default()
}

fn add_totals(sum: &mut ShardTotals, more: &ShardTotals) {
    sum.connections = more.connections;
    sum.upstream_idle = more.upstream_idle;
    sum.fetch_open = more.fetch_open;
    sum.snapshots_held = more.snapshots_held;
    sum.cache_bytes = more.cache_bytes;
    for (sum, more) in [
        (&mut sum.accepted, more.accepted),
        (&mut sum.requests, more.requests),
        (&mut sum.received_bytes, more.received_bytes),
        (&mut sum.sent_bytes, more.sent_bytes),
        (&mut sum.upstream_connects, more.upstream_connects),
        (&mut sum.upstream_reuses, more.upstream_reuses),
        (&mut sum.upstream_retries, more.upstream_retries),
        (&mut sum.events_dropped, more.events_dropped),
        (&mut sum.fetches, more.fetches),
        (&mut sum.fetch_errors, more.fetch_errors),
        (&mut sum.fetch_refused, more.fetch_refused),
        (&mut sum.cache_hits, more.cache_hits),
        (&mut sum.cache_misses, more.cache_misses),
        (&mut sum.cache_sets, more.cache_sets),
        (&mut sum.cache_evictions, more.cache_evictions),
        (&mut sum.cache_dropped, more.cache_dropped),
    ] {
        *sum = sum.wrapping_add(more);
    }
}

fn add_script(row: &mut ScriptRow, shard: u16, report: &ScriptReport) {
    row.calls = row.calls.wrapping_add(report.calls);
    row.failures = row.failures.wrapping_add(report.failures);
    row.cpu_ns = row.cpu_ns.wrapping_add(report.cpu_ns);
    if let Some(now) = report.now {
        row.now.insert(shard, now);
    }
    report.functions.iter().for_each(|function| row.functions.add(function));
}

#[cfg(test)]
mod tests;
