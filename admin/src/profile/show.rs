//! A merged profile as JSON: rows with their rates, and of each phase its figures and, where they are wanted, the points
//! of a percentile plot and the whole histogram. Times are microseconds with three digits after the point.

use super::figures::{Figures, QUANTILES, points};
use super::merge::{Merge, Row};
use super::v2;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::sync::Arc;
use tidegate_snapshot::Phase;

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Most exchanges.
    #[default]
    Rate,
    /// Largest 99th percentile of the whole time (of a module: of its own).
    P99,
    /// Largest 99th percentile of the gateway's own time.
    Tax,
    /// Most errors.
    Errors,
}

impl Sort {
    /// `rate`, `p99`, `tax`, `errors`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [("rate", Self::Rate), ("p99", Self::P99), ("tax", Self::Tax), ("errors", Self::Errors)]
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, sort)| sort)
    }
}

/// How much is shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    pub(crate) sort: Sort,
    /// Most rows.
    pub(crate) limit: usize,
    /// With the points of plots.
    pub(crate) points: bool,
    /// With histograms, encoded.
    pub(crate) encoded: bool,
}

/// Nanoseconds as microseconds.
fn us(ns: f64) -> Value {
    ((ns.round()) / 1_000.0).into()
}

impl Merge {
    /// All of it. `now_ms` is said beside, for whoever asks again.
    pub(crate) fn json(&self, shown: Shown, now_ms: u64) -> Value {
        let mut order: Vec<(u64, &Arc<str>, &Row)> =
            self.rows.iter().map(|(key, row)| (self.weight(row, shown.sort), key, row)).collect();
        // Rows that weigh the same stand by name.
        order.sort_by_key(|(weight, key, _)| (Reverse(*weight), Arc::clone(key)));
        if self.by == super::By::Shard && shown.sort == Sort::Rate {
            order.sort_by_key(|(_, key, _)| key.parse::<u16>().unwrap_or(u16::MAX));
        }
        let rows: Vec<Value> =
            order.iter().take(shown.limit).map(|(_, key, row)| self.row_json(key, row, shown)).collect();
        json!({
            "by": self.by.name(),
            "now_ms": now_ms,
            "from_ms": self.window.from_ms,
            "to_ms": self.window.to_ms,
            "seconds": self.seen_ms() as f64 / 1_000.0,
            "shards": self.shards(),
            "rows_total": self.rows.len(),
            "rows_refused": self.rows_refused,
            "rows": rows,
        })
    }

    fn weight(&self, row: &Row, sort: Sort) -> u64 {
        let p99 = |phase: Phase| Figures::of(&row.times[phase as usize]).quantiles[2];
        match sort {
            Sort::Rate => row.times[self.by.counted() as usize].count(),
            Sort::P99 => p99(self.by.counted()),
            Sort::Tax => p99(Phase::Tax),
            Sort::Errors => row.errors,
        }
    }

    fn row_json(&self, key: &str, row: &Row, shown: Shown) -> Value {
        let count = row.times[self.by.counted() as usize].count();
        let per_second = |count: u64| match self.seen_ms() {
            0 => Value::Null,
            ms => (((count as f64) * 1e6 / ms as f64).round() / 1e3).into(),
        };
        let phases: Map<String, Value> = Phase::ALL
            .into_iter()
            .filter(|phase| row.times[*phase as usize].count() > 0)
            .map(|phase| (phase.name().to_owned(), phase_json(&row.times[phase as usize], shown)))
            .collect();
        json!({
            "key": key,
            "count": count,
            "requests_per_second": per_second(count),
            "errors": row.errors,
            "errors_per_second": per_second(row.errors),
            "phases": phases,
        })
    }
}

fn phase_json(sum: &super::cells::Sum, shown: Shown) -> Value {
    let figures = Figures::of(sum);
    let mut json = json!({
        "count": sum.count(),
        "mean_us": us(figures.mean),
        "max_us": us(figures.max as f64),
    });
    for ((name, _), ns) in QUANTILES.iter().zip(figures.quantiles) {
        json[*name] = us(ns as f64);
    }
    if shown.points {
        let all = points(sum);
        let point = |point: &super::figures::Point| json!([us(point.ns as f64), point.share, point.count]);
        json["stddev_us"] = us(figures.deviation);
        json["points"] = all.iter().map(point).collect();
    }
    if shown.encoded {
        json["histogram"] = v2::encode(sum).into();
    }
    json
}
