//! A scrape, page by page: the text of Prometheus in pieces of some tens of kilobytes that end with a line, so that ten
//! thousand routes neither hold the admin thread for long nor stand in memory as a whole. A family is one piece of text
//! even where it takes many pages; rows that come or go meanwhile are there or not.

use super::super::functions::seconds as exact_seconds;
use super::super::phases;
use super::super::text::Exposition;
use super::{Registry, RouteRow, ScriptRow};
use crate::profile::Book;
use crate::raft::NodeState;
use std::collections::BTreeMap;
use std::ops::Bound;
use tidegate_snapshot::{LATENCY_BOUNDS_US, ShardTotals, StatusClass};

/// A page ends when it is as long as this.
const PAGE_BYTES: usize = 64 << 10;
/// Upper bounds of [`LATENCY_BOUNDS_US`] in seconds.
const LATENCY_BOUNDS: [&str; LATENCY_BOUNDS_US.len()] = [
    "0.00005", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
    "0.25", "0.5", "1", "5",
];

const REQUESTS: &str = "tidegate_requests_total";
const LATENCY: &str = "tidegate_request_duration_seconds";
const UPSTREAM_ERRORS: &str = "tidegate_upstream_errors_total";
const CALLS: &str = "tidegate_module_calls_total";
const CPU: &str = "tidegate_module_cpu_seconds";
const WALL: &str = "tidegate_module_wall_seconds";
const RUNS: &str = "tidegate_module_scheduled_runs_total";
const LAST_RUN: &str = "tidegate_module_scheduled_last_run_timestamp_seconds";

/// A family with samples for every row of a kind.
struct Family<R> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    sample: fn(&mut Exposition, &str, &str, &R),
}

const ROUTES: [Family<RouteRow>; 3] = [
    Family {
        name: REQUESTS,
        kind: "counter",
        help: "Responses by route (empty: no route matched) and status class.",
        sample: |out, name, route, row| {
            for (class, count) in row.responses.iter().enumerate().filter(|(_, count)| **count > 0) {
                let labels = [("route", route), ("status_class", StatusClass(class).label())];
                out.count(name, &labels, *count);
            }
        },
    },
    Family {
        name: LATENCY,
        kind: "histogram",
        help: "Time from the first byte of a request to the last of its response.",
        sample: |out, name, route, row| {
            let sums = row.latency.iter().scan(0u64, |sum, count| {
                *sum = sum.wrapping_add(*count);
                Some(*sum)
            });
            let sum = seconds(row.latency_sum_us);
            out.histogram(name, &[("route", route)], &LATENCY_BOUNDS, sums, &sum);
        },
    },
    Family {
        name: UPSTREAM_ERRORS,
        kind: "counter",
        help: "Upstream calls that failed: connect, time-out, bad response.",
        sample: |out, name, route, row| out.count(name, &[("route", route)], row.upstream_errors),
    },
];

const SCRIPTS: [Family<ScriptRow>; 8] = [
    Family {
        name: CALLS,
        kind: "counter",
        help: "Calls of module functions that ended, by outcome.",
        sample: |out, name, module, row| row.functions.render_calls(out, name, module),
    },
    Family {
        name: CPU,
        kind: "histogram",
        help: "CPU time of a call.",
        sample: |out, name, module, row| row.functions.render_cpu(out, name, module),
    },
    Family {
        name: WALL,
        kind: "histogram",
        help: "Time from a call's begin to its end, waiting included.",
        sample: |out, name, module, row| row.functions.render_wall(out, name, module),
    },
    Family {
        name: "tidegate_module_failures_total",
        kind: "counter",
        help: "Calls that failed.",
        sample: |out, name, module, row| out.count(name, &[("module", module)], row.failures),
    },
    Family {
        name: "tidegate_module_cpu_seconds_total",
        kind: "counter",
        help: "CPU time of calls.",
        sample: |out, name, module, row| out.sample(name, &[("module", module)], exact_seconds(row.cpu_ns)),
    },
    Family {
        name: "tidegate_module_memory_bytes",
        kind: "gauge",
        help: "Heap of a module's runtimes on all shards.",
        sample: |out, name, module, row| out.count(name, &[("module", module)], row.memory_bytes()),
    },
    Family {
        name: RUNS,
        kind: "counter",
        help: "Scheduled runs of a module on this node, by how they ended.",
        sample: |out, name, module, row| {
            for (outcome, count) in &row.runs {
                out.count(name, &[("module", module), ("outcome", outcome)], *count);
            }
        },
    },
    Family {
        name: LAST_RUN,
        kind: "gauge",
        help: "When the last scheduled run of a module on this node ended.",
        sample: |out, name, module, row| {
            if let Some(ms) = row.last_run_ms {
                out.sample(name, &[("module", module)], seconds(ms * 1_000));
            }
        },
    },
];

/// How far a scrape is.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// Families that are done.
    done: usize,
    /// The last row of the family under way.
    after: Option<String>,
}

impl Scrape {
    /// Begins: what there is of the node and its shards, which is little.
    pub(crate) fn begin(registry: &Registry, book: &Book) -> (Self, String) {
        let mut out = Exposition::default();
        registry.render_shards(&mut out);
        phases::render(&mut out, book);
        registry.render_node(&mut out);
        (Self::default(), out.finish())
    }

    /// The next page; `None` at the end.
    pub(crate) fn page(&mut self, registry: &Registry) -> Option<String> {
        let mut out = Exposition::default();
        while out.len() < PAGE_BYTES {
            let is_done = match (ROUTES.get(self.done), SCRIPTS.get(self.done.wrapping_sub(ROUTES.len()))) {
                (Some(family), _) => self.rows(&mut out, family, &registry.routes),
                (None, Some(family)) => self.rows(&mut out, family, &registry.scripts),
                (None, None) => break,
            };
            if is_done {
                (self.done, self.after) = (self.done + 1, None);
            }
        }
        let text = out.finish();
        (!text.is_empty()).then_some(text)
    }

    /// Goes on with the rows of a family; `true` when there are no more.
    fn rows<R>(&mut self, out: &mut Exposition, family: &Family<R>, rows: &BTreeMap<String, R>) -> bool {
        let from = match &self.after {
            Some(key) => Bound::Excluded(key.as_str()),
            None => {
                out.family(family.name, family.kind, family.help);
                Bound::Unbounded
            }
        };
        let mut last = None;
        for (key, row) in rows.range::<str, _>((from, Bound::Unbounded)) {
            (family.sample)(out, family.name, key, row);
            last = Some(key);
            if out.len() >= PAGE_BYTES {
                break;
            }
        }
        let is_full = out.len() >= PAGE_BYTES;
        if let Some(last) = last {
            self.after = Some(last.clone());
        }
        !is_full
    }
}

impl Registry {
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
                out.count(name, &[("shard", &shard.to_string())], field(&row.totals));
            }
        }
        out.family("tidegate_faults_total", "counter", "Faults and limits that fired.");
        for (shard, row) in &self.shards {
            let shard = shard.to_string();
            for (fault, count) in &row.faults {
                out.count("tidegate_faults_total", &[("shard", &shard), ("fault", fault)], *count);
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

#[cfg(test)]
impl Registry {
    /// All pages at once.
    pub(crate) fn render(&self) -> String {
        let (mut scrape, mut text) = Scrape::begin(self, &Book::default());
        text.extend(std::iter::from_fn(|| scrape.page(self)));
        text
    }
}

/// Microseconds as seconds without the noise of floats.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
