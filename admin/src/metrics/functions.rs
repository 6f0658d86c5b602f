//! What the functions of a module did: outcomes and times, added up from the shards' reports, and shown as Prometheus
//! text and as JSON. A function has a row once it was called.

use super::text::Exposition;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tidegate_js::Histogram;
use tidegate_snapshot::{FunctionReport, TimesReport};

/// Upper bounds of the buckets in Prometheus, with what they are in nanoseconds.
const BOUNDS: [(&str, u64); 14] = [
    ("0.000001", 1_000),
    ("0.0000025", 2_500),
    ("0.000005", 5_000),
    ("0.00001", 10_000),
    ("0.000025", 25_000),
    ("0.00005", 50_000),
    ("0.0001", 100_000),
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.1", 100_000_000),
    ("1", 1_000_000_000),
    ("10", 10_000_000_000),
];
/// What JSON tells of a distribution, in thousandths.
const QUANTILES: [(&str, u32); 4] = [("p50_us", 500), ("p90_us", 900), ("p99_us", 990), ("p99_9_us", 999)];
/// How a call ends well, or without anybody waiting for it; all other outcomes are errors.
const DONE: &str = "ok";
const CANCELLED: &str = "cancelled";

/// One function.
#[derive(Default)]
struct Row {
    outcomes: BTreeMap<&'static str, u64>,
    cpu: Histogram,
    wall: Histogram,
}

/// The functions of one module.
#[derive(Default)]
pub(super) struct Functions(BTreeMap<&'static str, Row>);

fn add(sum: &mut Histogram, more: &TimesReport) {
    sum.merge(more.filled.iter().copied(), more.sum_ns, more.max_ns);
}

impl Functions {
    /// Adds what a shard has counted since its last report.
    pub(super) fn add(&mut self, report: &FunctionReport) {
        let row = self.0.entry(report.function).or_default();
        for (outcome, count) in &report.outcomes {
            *row.outcomes.entry(outcome).or_default() += count;
        }
        add(&mut row.cpu, &report.cpu);
        add(&mut row.wall, &report.wall);
    }

    /// Samples of calls by outcome.
    pub(super) fn render_calls(&self, out: &mut Exposition, name: &str, module: &str) {
        for (function, row) in &self.0 {
            for (outcome, count) in &row.outcomes {
                let labels = [("module", module), ("function", function), ("outcome", outcome)];
                out.count(name, &labels, *count);
            }
        }
    }

    /// Samples of the CPU time's histogram.
    pub(super) fn render_cpu(&self, out: &mut Exposition, name: &str, module: &str) {
        self.0.iter().for_each(|(function, row)| render(&row.cpu, out, name, module, function));
    }

    /// Samples of the histogram of the whole time.
    pub(super) fn render_wall(&self, out: &mut Exposition, name: &str, module: &str) {
        self.0.iter().for_each(|(function, row)| render(&row.wall, out, name, module, function));
    }

    /// All of it for people.
    pub(super) fn json(&self) -> Value {
        let functions = self.0.iter().map(|(function, row)| {
            let errors: Map<String, Value> = row
                .outcomes
                .iter()
                .filter(|(outcome, _)| ![DONE, CANCELLED].contains(*outcome))
                .map(|(outcome, count)| ((*outcome).to_owned(), (*count).into()))
                .collect();
            let shown = json!({
                "calls": row.outcomes.values().sum::<u64>(),
                "cancelled": row.outcomes.get(CANCELLED).copied().unwrap_or(0),
                "errors": errors,
                "cpu": times(&row.cpu),
                "wall": times(&row.wall),
            });
            ((*function).to_owned(), shown)
        });
        functions.collect::<Map<_, _>>().into()
    }
}

fn render(times: &Histogram, out: &mut Exposition, name: &str, module: &str, function: &str) {
    let up_to = BOUNDS.iter().map(|(_, ns)| times.up_to(*ns)).chain([times.count()]);
    let labels = [("module", module), ("function", function)];
    out.histogram(name, &labels, &BOUNDS.map(|(bound, _)| bound), up_to, &seconds(times.sum_ns()));
}

/// Nanoseconds as seconds without the noise of floats.
pub(super) fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// Microseconds with three digits after the point.
fn us(ns: u64) -> Value {
    (ns as f64 / 1_000.0).into()
}

fn times(histogram: &Histogram) -> Value {
    let mut shown = json!({
        "count": histogram.count(),
        "mean_us": us(histogram.mean_ns()),
        "max_us": us(histogram.max_ns()),
    });
    for (name, per_mille) in QUANTILES {
        shown[name] = us(histogram.quantile_ns(per_mille));
    }
    shown
}
