//! One interval of one shard as it is kept: sparse, so that a minute of them fits, and with what the shard's reports said
//! of errors meanwhile. It never changes once it is made.

use super::cells::{Fineness, Sparse};
use super::merge::Window;
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_snapshot::{IntervalProfile, Phase, Scope, Scopes, ShardReport, Times};

/// Number of phases.
pub(super) const PHASES: usize = Phase::ALL.len();
/// Most routes, services and modules each whose errors are told apart within an interval.
const MOST_NAMED: usize = 1_000;

/// Times by phase.
pub(super) type Phases = [Sparse; PHASES];

/// The cells of all phases.
pub(super) fn sparse(times: &Times, fineness: Fineness) -> Phases {
    Phase::ALL.map(|phase| Sparse::of(times.of(phase), fineness))
}

/// The exchanges of one route, service or module.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) scope: Scope,
    pub(super) key: Arc<str>,
    pub(super) times: Phases,
}

/// Keys of routes, each with the key of its service.
pub(crate) type ServiceOf = HashMap<Arc<str>, Arc<str>>;

/// What went wrong, from the reports of the shard.
#[derive(Debug, Default)]
pub(super) struct Errors {
    /// Answers of 500 and above.
    pub(super) all: u64,
    /// The same by route (`namespace/name`).
    pub(super) routes: HashMap<Arc<str>, u64>,
    /// The same by the service that the route has.
    pub(super) services: HashMap<Arc<str>, u64>,
    /// Calls that failed, by module.
    pub(super) modules: HashMap<Arc<str>, u64>,
}

impl Errors {
    /// Adds what a report counts.
    pub(super) fn add(&mut self, report: &ShardReport, service_of: &ServiceOf) {
        for route in report.routes.iter().filter(|route| route.responses[4] > 0) {
            self.all += route.responses[4];
            note(&mut self.routes, &route.key, route.responses[4]);
            if let Some(service) = service_of.get(&route.key) {
                note(&mut self.services, service, route.responses[4]);
            }
        }
        for script in &report.scripts {
            note(&mut self.modules, &script.key, script.failures);
        }
    }
}

fn note(counts: &mut HashMap<Arc<str>, u64>, key: &Arc<str>, count: u64) {
    if count == 0 {
        return;
    }
    if let Some(sum) = counts.get_mut(key) {
        *sum += count;
    } else if counts.len() < MOST_NAMED {
        counts.insert(key.clone(), count);
    }
}

/// One interval.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Grows with every interval of the node.
    pub(super) seq: u64,
    pub(super) shard: u16,
    pub(super) began_ms: u64,
    pub(super) ended_ms: u64,
    pub(super) times: Phases,
    pub(super) rows: Vec<Row>,
    pub(super) rows_refused: u64,
    pub(super) errors: Errors,
    pub(super) bytes: usize,
}

impl Kept {
    /// Keeps an interval, and of its rows those that somebody asked for.
    pub(super) fn of(seq: u64, interval: &IntervalProfile, asked: Scopes, errors: Errors) -> Self {
        let wanted = |scope: Scope| match scope {
            Scope::Route => asked.routes,
            Scope::Service => asked.services,
            Scope::Module => asked.modules,
        };
        let rows: Vec<Row> = interval
            .rows
            .iter()
            .filter(|row| wanted(row.scope))
            .map(|row| Row {
                scope: row.scope,
                key: row.key.clone(),
                times: sparse(&row.times, Fineness::TWO_DIGITS),
            })
            .collect();
        let times = sparse(&interval.times, Fineness::THREE_DIGITS);
        let cells = |times: &Phases| times.iter().map(Sparse::bytes).sum::<usize>();
        let named = (errors.routes.len() + errors.services.len() + errors.modules.len()) * 64;
        let of_rows = rows.iter().map(|row| size_of::<Row>() + cells(&row.times)).sum::<usize>();
        Self {
            seq,
            shard: interval.shard,
            began_ms: interval.began_ms,
            ended_ms: interval.ended_ms.max(interval.began_ms),
            bytes: size_of::<Self>() + cells(&times) + of_rows + named,
            times,
            rows,
            rows_refused: interval.rows_refused,
            errors,
        }
    }

    /// Whether most of it lies within a window.
    pub(crate) fn is_of(&self, window: Window) -> bool {
        (window.from_ms..window.to_ms).contains(&(self.began_ms + self.ms() / 2))
    }

    /// Whether it reaches to the end of a window.
    pub(crate) fn ended_after(&self, window: Window) -> bool {
        self.ended_ms >= window.to_ms
    }

    /// How long it is.
    pub(super) fn ms(&self) -> u64 {
        self.ended_ms - self.began_ms
    }
}
