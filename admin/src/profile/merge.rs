//! Adding intervals up on request: into one row for the node, or one a shard, route, service or module. Rows are bounded;
//! what finds no room is in the row of the others, here as on the shards.

use super::cells::{Fineness, Sum};
use super::kept::{Kept, PHASES, Phases};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate_snapshot::{OTHERS, Phase, Scope};

/// Most rows of an answer's sums.
const MOST_ROWS: usize = 10_000;

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// One row for everything.
    Node,
    /// One a shard.
    Shard,
    /// One a route, service or module.
    Scope(Scope),
}

impl By {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Shard,
        Self::Scope(Scope::Route),
        Self::Scope(Scope::Service),
        Self::Scope(Scope::Module),
    ];

    /// `node`, `shard`, `route`, `service`, `module`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Shard => "shard",
            Self::Scope(scope) => scope.name(),
        }
    }

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }

    /// The scope that shards keep rows of only when they are asked to.
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            Self::Scope(scope) => Some(scope),
            Self::Node | Self::Shard => None,
        }
    }

    /// What counts an exchange of a row.
    pub(super) fn counted(self) -> Phase {
        if self == Self::Scope(Scope::Module) { Phase::Module } else { Phase::Total }
    }
}

/// The sums of one row.
#[derive(Debug)]
pub(super) struct Row {
    /// In the order of `Phase::ALL`.
    pub(super) times: [Sum; PHASES],
    /// What failed of it.
    pub(super) errors: u64,
}

impl Row {
    fn new(by: By) -> Self {
        let fineness = if by.scope().is_some() { Fineness::TWO_DIGITS } else { Fineness::THREE_DIGITS };
        Self { times: std::array::from_fn(|_| Sum::new(fineness)), errors: 0 }
    }

    fn add(&mut self, times: &Phases, errors: u64) {
        self.times.iter_mut().zip(times).for_each(|(sum, more)| sum.add(more));
        self.errors += errors;
    }
}

/// A span of time, in milliseconds since 1970, and how long shards gather before they tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    pub(crate) interval_ms: u64,
}

impl Window {
    /// How long the intervals of a shard are together that has told the first from `began` and the last until `ended`.
    /// A shard that serves nothing tells nothing, so the time between them counts; and at both ends the window's own
    /// unless an interval lies over it.
    fn seen_ms(self, began: u64, ended: u64) -> u64 {
        // Shards take a little longer than they should.
        let interval_ms = self.interval_ms + self.interval_ms / 4;
        let from = if began < self.from_ms + interval_ms { began } else { self.from_ms };
        let to = if ended + interval_ms > self.to_ms { ended } else { self.to_ms };
        to.saturating_sub(from)
    }
}

/// Intervals as they are added up.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(super) by: By,
    /// Only the row of this key, if there is one.
    only: Option<String>,
    pub(super) window: Window,
    pub(super) rows: BTreeMap<Arc<str>, Row>,
    /// By shard, when its first interval began and its last one ended.
    spans: BTreeMap<u16, (u64, u64)>,
    /// Exchanges that are with the others.
    pub(super) rows_refused: u64,
    most_rows: usize,
}

impl Merge {
    /// Nothing yet.
    pub(crate) fn new(by: By, only: Option<String>, window: Window) -> Self {
        let (rows, spans) = (BTreeMap::new(), BTreeMap::new());
        Self { by, only, window, rows, spans, rows_refused: 0, most_rows: MOST_ROWS }
    }

    /// Keeps no more rows than that, besides the others.
    #[cfg(test)]
    pub(super) fn bound(&mut self, most_rows: usize) {
        self.most_rows = most_rows;
    }

    /// Adds an interval.
    pub(crate) fn add(&mut self, kept: &Kept) {
        let span = self.spans.entry(kept.shard).or_insert((kept.began_ms, kept.ended_ms));
        *span = (span.0.min(kept.began_ms), span.1.max(kept.ended_ms));
        match self.by {
            By::Node => self.row(&"".into(), &kept.times, kept.errors.all),
            By::Shard => self.row(&kept.shard.to_string().into(), &kept.times, kept.errors.all),
            By::Scope(scope) => {
                self.rows_refused += kept.rows_refused;
                let errors = match scope {
                    Scope::Route => &kept.errors.routes,
                    Scope::Service => &kept.errors.services,
                    Scope::Module => &kept.errors.modules,
                };
                let failed = |key: &Arc<str>| errors.get(key).copied().unwrap_or(0);
                let rows = || kept.rows.iter().filter(|row| row.scope == scope);
                for row in rows() {
                    let failed = match &*row.key {
                        // What failed of none that has a row.
                        OTHERS => {
                            errors.values().sum::<u64>() - rows().map(|row| failed(&row.key)).sum::<u64>()
                        }
                        _ => failed(&row.key),
                    };
                    self.row(&row.key, &row.times, failed);
                }
            }
        }
    }

    fn row(&mut self, key: &Arc<str>, times: &Phases, errors: u64) {
        if self.only.as_deref().is_some_and(|only| only != &**key) {
            return;
        }
        let is_new = !self.rows.contains_key(key);
        let key = if is_new && self.rows.len() >= self.most_rows && &**key != OTHERS {
            self.rows_refused +=
                times[self.by.counted() as usize].filled().map(|(_, count)| count).sum::<u64>();
            OTHERS.into()
        } else {
            key.clone()
        };
        self.rows.entry(key).or_insert_with(|| Row::new(self.by)).add(times, errors);
    }

    /// What rates are per second of: the time seen of a shard at most, in milliseconds.
    pub(crate) fn seen_ms(&self) -> u64 {
        let of_shards = self.spans.values().map(|(began, ended)| self.window.seen_ms(*began, *ended));
        of_shards.max().unwrap_or(self.window.to_ms.saturating_sub(self.window.from_ms))
    }

    /// Whether something of the same shard is in it.
    pub(crate) fn knows(&self, kept: &Kept) -> bool {
        self.spans.contains_key(&kept.shard)
    }

    /// Shards that were heard of.
    pub(crate) fn shards(&self) -> usize {
        self.spans.len()
    }

    /// Exchanges counted in all rows.
    pub(crate) fn count(&self) -> u64 {
        let counted = self.by.counted() as usize;
        self.rows.values().map(|row| row.times[counted].count()).sum()
    }
}
