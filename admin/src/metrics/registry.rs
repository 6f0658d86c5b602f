//! The sums behind `/metrics`. Shards report differences; gauges are what a shard said last. A route's row lives as long
//! as the route, or as long as it is seen; beyond a bound rows fall together into `other`.

use super::functions::{Functions, seconds as exact_seconds};
use super::text::Exposition;
use crate::raft::{ClusterStatus, NodeState};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tidegate_snapshot::{
    LATENCY_BOUNDS_US, ModuleLimits, RouteReport, Script, ScriptNow, ScriptReport, ShardReport, ShardTotals,
    StatusClass,
};

/// Most routes with rows of their own.
const MAX_ROUTES: usize = 2_000;
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

    /// Everything as Prometheus text.
    pub fn render(&self) -> String {
        let mut out = Exposition::default();
        self.render_shards(&mut out);
        self.render_routes(&mut out);
        self.render_scripts(&mut out);
        self.render_scheduled(&mut out);
        self.render_node(&mut out);
        out.finish()
    }

    fn render_shards(&self, out: &mut Exposition) {
        type Field = fn(&ShardTotals) -> u64;
        let families: [(&str, &str, &str, Field); 21] = [
            ("tidegate_connections", "gauge", "Client connections open now.", |t| t.connections),
            ("tidegate_connections_accepted_total", "counter", "Client connections accepted.", |t| {
                t.accepted
            }),
            ("tidegate_shard_requests_total", "counter", "Requests answered.", |t| t.requests),
            ("tidegate_received_bytes_total", "counter", "Bytes received from clients.", |t| {
                t.received_bytes
            }),
            ("tidegate_sent_bytes_total", "counter", "Bytes sent to clients.", |t| t.sent_bytes),
            ("tidegate_upstream_connects_total", "counter", "Upstream connections opened.", |t| {
                t.upstream_connects
            }),
            ("tidegate_upstream_reuses_total", "counter", "Exchanges on a kept upstream connection.", |t| {
                t.upstream_reuses
            }),
            ("tidegate_upstream_idle", "gauge", "Upstream connections idle in the pool.", |t| {
                t.upstream_idle
            }),
            ("tidegate_upstream_retries_total", "counter", "Retries of upstream calls.", |t| {
                t.upstream_retries
            }),
            (
                "tidegate_events_dropped_total",
                "counter",
                "Log lines that found no room: the mailbox was full, or their module said too much at once.",
                |t| t.events_dropped,
            ),
            ("tidegate_fetches_total", "counter", "Fetches of modules begun.", |t| t.fetches),
            (
                "tidegate_fetch_errors_total",
                "counter",
                "Fetches that failed: connect, time-out, bad response.",
                |t| t.fetch_errors,
            ),
            (
                "tidegate_fetch_refused_total",
                "counter",
                "Fetches to addresses their module may not reach.",
                |t| t.fetch_refused,
            ),
            ("tidegate_fetch_open", "gauge", "Fetches under way, bodies included.", |t| t.fetch_open),
            (
                "tidegate_cache_hits_total",
                "counter",
                "Reads of the modules' cache that found a value.",
                |t| t.cache_hits,
            ),
            ("tidegate_cache_misses_total", "counter", "Reads of the modules' cache that found none.", |t| {
                t.cache_misses
            }),
            ("tidegate_cache_sets_total", "counter", "Writes to the modules' cache.", |t| t.cache_sets),
            ("tidegate_cache_evictions_total", "counter", "Cached values that went for others.", |t| {
                t.cache_evictions
            }),
            (
                "tidegate_cache_dropped_total",
                "counter",
                "Words about cached values that found no room at another shard.",
                |t| t.cache_dropped,
            ),
            ("tidegate_cache_bytes", "gauge", "Bytes of cached values.", |t| t.cache_bytes),
            ("tidegate_snapshots_held", "gauge", "Configuration snapshots that requests still hold.", |t| {
                t.snapshots_held
            }),
        ];
        for (name, kind, help, field) in families {
            out.family(name, kind, help);
            for (shard, row) in &self.shards {
                out.sample(name, &[("shard", &shard.to_string())], field(&row.totals));
            }
        }
        out.family("tidegate_faults_total", "counter", "Faults and limits that fired.");
        for (shard, row) in &self.shards {
            let shard = shard.to_string();
            for (fault, count) in &row.faults {
                out.sample("tidegate_faults_total", &[("shard", &shard), ("fault", fault)], count);
            }
        }
    }

    fn render_routes(&self, out: &mut Exposition) {
        const REQUESTS: &str = "tidegate_requests_total";
        out.family(REQUESTS, "counter", "Responses by route (empty: no route matched) and status class.");
        for (route, row) in &self.routes {
            for (class, count) in row.responses.iter().enumerate().filter(|(_, count)| **count > 0) {
                let labels = [("route", route.as_str()), ("status_class", StatusClass(class).label())];
                out.sample(REQUESTS, &labels, count);
            }
        }
        const LATENCY: &str = "tidegate_request_duration_seconds";
        out.family(
            LATENCY,
            "histogram",
            "Time from the first byte of a request to the last of its response.",
        );
        for (route, row) in &self.routes {
            let mut sum = 0u64;
            for (at, count) in row.latency.iter().enumerate() {
                sum = sum.wrapping_add(*count);
                let bound = LATENCY_BOUNDS_US.get(at).map_or("+Inf".to_owned(), |us| seconds(u64::from(*us)));
                out.sample(&format!("{LATENCY}_bucket"), &[("route", route), ("le", &bound)], sum);
            }
            out.sample(&format!("{LATENCY}_sum"), &[("route", route)], seconds(row.latency_sum_us));
            out.sample(&format!("{LATENCY}_count"), &[("route", route)], sum);
        }
        const ERRORS: &str = "tidegate_upstream_errors_total";
        out.family(ERRORS, "counter", "Upstream calls that failed: connect, time-out, bad response.");
        for (route, row) in &self.routes {
            out.sample(ERRORS, &[("route", route)], row.upstream_errors);
        }
    }

    fn render_scripts(&self, out: &mut Exposition) {
        type Field = fn(&ScriptRow) -> String;
        const CALLS: &str = "tidegate_module_calls_total";
        out.family(CALLS, "counter", "Calls of module functions that ended, by outcome.");
        for (module, row) in &self.scripts {
            row.functions.render_calls(out, CALLS, module);
        }
        const CPU: &str = "tidegate_module_cpu_seconds";
        out.family(CPU, "histogram", "CPU time of a call.");
        for (module, row) in &self.scripts {
            row.functions.render_cpu(out, CPU, module);
        }
        const WALL: &str = "tidegate_module_wall_seconds";
        out.family(WALL, "histogram", "Time from a call's begin to its end, waiting included.");
        for (module, row) in &self.scripts {
            row.functions.render_wall(out, WALL, module);
        }
        let families: [(&str, &str, &str, Field); 3] = [
            ("tidegate_module_failures_total", "counter", "Calls that failed.", |s| s.failures.to_string()),
            ("tidegate_module_cpu_seconds_total", "counter", "CPU time of calls.", |s| {
                exact_seconds(s.cpu_ns)
            }),
            ("tidegate_module_memory_bytes", "gauge", "Heap of a module's runtimes on all shards.", |s| {
                s.memory_bytes().to_string()
            }),
        ];
        for (name, kind, help, field) in families {
            out.family(name, kind, help);
            for (module, row) in &self.scripts {
                out.sample(name, &[("module", module)], field(row));
            }
        }
    }

    fn render_scheduled(&self, out: &mut Exposition) {
        const RUNS: &str = "tidegate_module_scheduled_runs_total";
        out.family(RUNS, "counter", "Scheduled runs of a module on this node, by how they ended.");
        for (module, row) in &self.scripts {
            for (outcome, count) in &row.runs {
                out.sample(RUNS, &[("module", module), ("outcome", outcome)], count);
            }
        }
        const LAST: &str = "tidegate_module_scheduled_last_run_timestamp_seconds";
        out.family(LAST, "gauge", "When the last scheduled run of a module on this node ended.");
        for (module, row) in &self.scripts {
            if let Some(ms) = row.last_run_ms {
                out.sample(LAST, &[("module", module)], seconds(ms * 1_000));
            }
        }
    }

    fn render_node(&self, out: &mut Exposition) {
        for (name, kind, help, value) in [
            ("tidegate_revision", "gauge", "Log index of the newest applied entry.", self.revision),
            (
                "tidegate_changes_total",
                "counter",
                "Changes applied to the state since it exists.",
                self.changes,
            ),
            ("tidegate_store_bytes", "gauge", "Bytes of the data file.", self.store_bytes),
        ] {
            out.family(name, kind, help);
            out.sample(name, &[], value);
        }
        let Some(cluster) = &self.cluster else { return };
        out.family("tidegate_raft_state", "gauge", "1 for the part that this node plays.");
        for state in [
            NodeState::Learner,
            NodeState::Follower,
            NodeState::Candidate,
            NodeState::Leader,
            NodeState::Down,
        ] {
            let here = u8::from(state == cluster.state);
            out.sample("tidegate_raft_state", &[("state", state.name())], here);
        }
        for (name, help, value) in [
            ("tidegate_raft_term", "Raft's term.", cluster.term),
            ("tidegate_raft_has_leader", "Whether a leader is known.", u64::from(cluster.leader.is_some())),
            ("tidegate_raft_last_log", "Index of the last entry in the log.", cluster.last_log.unwrap_or(0)),
            ("tidegate_raft_applied", "Index of the last applied entry.", cluster.applied.unwrap_or(0)),
            ("tidegate_raft_members", "Members of the cluster.", cluster.members.len() as u64),
        ] {
            out.family(name, "gauge", help);
            out.sample(name, &[], value);
        }
    }
}

/// The row of a key, or the one that all the others share.
fn row_of<'a, R: Default>(rows: &'a mut BTreeMap<String, R>, key: &str, limit: usize) -> &'a mut R {
    let key = if rows.contains_key(key) || rows.len() < limit { key } else { OTHER };
    if !rows.contains_key(key) {
        rows.insert(key.to_owned(), R::default());
    }
    rows.get_mut(key).expect("the row was there or has just been made")
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

/// Microseconds as seconds without the noise of floats.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
