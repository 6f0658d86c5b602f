//! What scrapes have changed, as a table, as JSON and as Markdown: differences within a round, beside what two runs without
//! scrapes differ by. It calls nothing moved that those move by themselves.

use super::{Measured, Round, Run, Scraped};
use crate::gap::Figures;
use crate::pace::QUANTILES;
use crate::statistics::{Spread, spread};
use crate::table::{align, mebibytes};
use serde_json::{Value, json};
use std::fmt::Write;

/// What the rows are of, for whoever reads them.
const ROWS: &str = "\
tax: the gateway's own part of a request's time, total: all of it, both by the shard's own histograms; client: by the load,
from when a request was due. Medians over the rounds; differences are of one round each, [smallest..largest]
";
/// Two runs without scrapes that differ by more than this share of their figure tell nothing about a third.
const RESTLESS: f64 = 0.5;
/// The figure that the verdict is about: its place in [`QUANTILES`].
const P99: usize = 2;

/// A distribution that every run has, in microseconds.
struct Kind {
    key: &'static str,
    name: &'static str,
    of: fn(&Run) -> Figures,
}

const KINDS: [Kind; 3] = [
    Kind { key: "tax_us", name: "tax", of: |run| run.inside.tax },
    Kind { key: "total_us", name: "total", of: |run| run.inside.total },
    Kind {
        key: "client_us",
        name: "client",
        of: |run| QUANTILES.map(|(_, at)| run.load.corrected.value_at_quantile(at) as f64 / 1e3),
    },
];

/// The same figure of every round, four times.
struct Compared {
    without: [Option<Spread>; QUANTILES.len()],
    with: [Option<Spread>; QUANTILES.len()],
    /// With less the mean of the two around it.
    difference: [Option<Spread>; QUANTILES.len()],
    /// The second run without less the first.
    by_itself: [Option<Spread>; QUANTILES.len()],
}

impl Compared {
    fn new(rounds: &[Round], of: impl Fn(&Run) -> Figures) -> Self {
        let figures = |each: &dyn Fn(&Round, usize) -> f64| {
            std::array::from_fn(|at| spread(rounds.iter().map(|round| each(round, at))))
        };
        let quiet = |round: &Round, at: usize| (of(&round.before)[at] + of(&round.after)[at]) / 2.0;
        Self {
            without: figures(&quiet),
            with: figures(&|round, at| of(&round.scraped)[at]),
            difference: figures(&|round, at| of(&round.scraped)[at] - quiet(round, at)),
            by_itself: figures(&|round, at| of(&round.after)[at] - of(&round.before)[at]),
        }
    }

    /// Whether a figure is farther off than two runs without scrapes ever were.
    fn moved(&self, at: usize) -> bool {
        match (self.difference[at], self.by_itself[at]) {
            (Some(difference), Some(own)) => difference.median.abs() > own.max.abs().max(own.min.abs()),
            _ => false,
        }
    }

    /// Whether runs without scrapes differ so much that nothing can be said of those with them.
    fn is_restless(&self, at: usize) -> bool {
        match (self.without[at], self.by_itself[at]) {
            (Some(without), Some(own)) => own.max.max(-own.min) > without.median * RESTLESS,
            _ => true,
        }
    }

    fn rows(&self) -> [(&'static str, bool, &[Option<Spread>; QUANTILES.len()]); 4] {
        [
            ("without scrapes", false, &self.without),
            ("with scrapes", false, &self.with),
            ("with - without", true, &self.difference),
            ("two runs without", true, &self.by_itself),
        ]
    }
}

fn cell(spread: Option<Spread>, is_signed: bool) -> String {
    match spread {
        None => "-".into(),
        Some(Spread { median, min, max }) if is_signed => format!("{median:+.1} [{min:+.1}..{max:+.1}]"),
        Some(Spread { median, .. }) => format!("{median:.1}"),
    }
}

/// What scrapes took and how large they were.
struct Sizes {
    bytes: usize,
    alone_ms: Option<Spread>,
    loaded_ms: Option<Spread>,
    /// CPU time of the gateway's other threads for one, in milliseconds.
    cpu_ms: Option<Spread>,
    scrapes: usize,
}

impl Sizes {
    fn of(measured: &Measured) -> Self {
        let loaded = || measured.rounds.iter().flat_map(|round| &round.scraped.scrapes);
        let ms = |scraped: &Scraped| scraped.took.as_secs_f64() * 1e3;
        let cpu_ms = |Round { before, scraped, after }: &Round| {
            let more = scraped.others_ns as f64 - (before.others_ns + after.others_ns) as f64 / 2.0;
            (!scraped.scrapes.is_empty()).then(|| more / 1e6 / scraped.scrapes.len() as f64)
        };
        Self {
            cpu_ms: spread(measured.rounds.iter().filter_map(cpu_ms)),
            bytes: measured.alone.iter().chain(loaded()).map(|scraped| scraped.bytes).max().unwrap_or(0),
            alone_ms: spread(measured.alone.iter().map(ms)),
            loaded_ms: spread(loaded().map(ms)),
            scrapes: loaded().count(),
        }
    }
}

/// CPU time of the shard a request, and the time it waited for its CPU, in microseconds.
fn per_request(run: &Run) -> Figures {
    let each = |ns: u64| ns as f64 / 1e3 / run.load.answered.max(1) as f64;
    let mut figures = Figures::default();
    (figures[0], figures[1]) = (each(run.shard_ns), each(run.waited_ns));
    figures
}

/// Share of the time that the shard was busy without scrapes.
fn busy(measured: &Measured) -> Option<Spread> {
    spread(measured.rounds.iter().map(|round| round.before.shard_ns as f64 / 1e9 / round.before.load.seconds))
}

fn verdict(name: &str, compared: &Compared) -> String {
    let word = match (compared.is_restless(P99), compared.moved(P99)) {
        (true, _) => "cannot be told on a machine this restless",
        (false, true) => "moved",
        (false, false) => "is where it was",
    };
    format!(
        "p99 of {name} {word}: {} µs with scrapes, {} between two runs without",
        cell(compared.difference[P99], true),
        cell(compared.by_itself[P99], true)
    )
}

/// What a reader must know: of the last run of each kind that has anything.
fn warnings(measured: &Measured) -> Vec<String> {
    let runs = |of: fn(&Round) -> &Run| {
        measured.rounds.iter().rev().map(of).map(|run| run.load.warnings()).find(|said| !said.is_empty())
    };
    let mut warnings = Vec::new();
    for (which, of) in [
        ("without scrapes", (|round| &round.before) as fn(&Round) -> &Run),
        ("with scrapes", |round| &round.scraped),
    ] {
        warnings.extend(runs(of).into_iter().flatten().map(|said| format!("{which}: {said}")));
    }
    if measured.rounds.iter().any(|round| round.scraped.scrapes.is_empty()) {
        warnings.push("a run was too short for a scrape: give --for or --every another time".into());
    }
    warnings
}

/// One line: what was done, and where.
fn done(measured: &Measured) -> String {
    let Measured { rate, connections, length, every, cpu, elsewhere, rounds, .. } = measured;
    let busy = busy(measured).map_or(f64::NAN, |busy| busy.median * 100.0);
    let place = match (elsewhere.is_behind, elsewhere.cpu == *cpu) {
        (_, true) => format!("the shard and all else of the gateway on CPU {cpu}"),
        (true, _) => format!(
            "the shard alone on CPU {cpu}, all else of the gateway on CPU {}, behind load and upstream",
            elsewhere.cpu
        ),
        (false, _) => {
            format!("the shard alone on CPU {cpu}, all else of the gateway on CPU {}", elsewhere.cpu)
        }
    };
    format!(
        "{rate:.0} requests a second ({busy:.0} % of the shard) over {connections} connections, {} rounds of 3 runs of \
         {:.0} s, a scrape every {:.1} s; {place}",
        rounds.len(),
        length.as_secs_f64(),
        every.as_secs_f64()
    )
}

/// One line: the scrapes.
fn scrapes(measured: &Measured) -> String {
    let Sizes { bytes, alone_ms, loaded_ms, cpu_ms, scrapes } = Sizes::of(measured);
    let ms = |spread: Option<Spread>| {
        spread.map_or("-".into(), |Spread { median, min, max }| format!("{median:.0} [{min:.0}..{max:.0}]"))
    };
    format!(
        "a scrape: {} MiB, {} samples, rows of {} routes; {} ms without load, {} ms with, {} ms of CPU time \
         of the gateway's other threads; {scrapes} scrapes",
        mebibytes(bytes as u64),
        measured.samples.0,
        measured.samples.1,
        ms(alone_ms),
        ms(loaded_ms),
        ms(cpu_ms)
    )
}

/// For people.
pub(super) fn table(measured: &Measured) -> String {
    let mut text = format!("{}\n{}\n{}\n", measured.machine.line(), done(measured), scrapes(measured));
    let head = ["µs"].into_iter().chain(QUANTILES.map(|(name, _)| name)).map(str::to_owned);
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    let mut verdicts = Vec::new();
    for kind in KINDS {
        let compared = Compared::new(&measured.rounds, kind.of);
        for (name, is_signed, figures) in compared.rows() {
            let cells = figures.iter().map(|figure| cell(*figure, is_signed));
            rows.push([format!("{}: {name}", kind.name)].into_iter().chain(cells).collect());
        }
        verdicts.push(verdict(kind.name, &compared));
    }
    align(&mut text, &rows);
    let compared = Compared::new(&measured.rounds, per_request);
    for (at, what) in ["CPU time of the shard", "the shard's wait for its CPU"].iter().enumerate() {
        let _ = writeln!(
            text,
            "  {what}, µs a request: {} without, {} with; {} and {} between two without",
            cell(compared.without[at], false),
            cell(compared.with[at], false),
            cell(compared.difference[at], true),
            cell(compared.by_itself[at], true)
        );
    }
    for verdict in verdicts {
        let _ = writeln!(text, "  {verdict}");
    }
    for warning in warnings(measured) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push_str(ROWS);
    text
}

/// As the README has it.
pub(super) fn markdown(measured: &Measured) -> String {
    let mut text = format!("{}. {}.\n\n", done(measured), scrapes(measured));
    let names = QUANTILES.map(|(name, _)| name);
    let _ = writeln!(text, "| µs | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for kind in KINDS {
        for (name, is_signed, figures) in Compared::new(&measured.rounds, kind.of).rows() {
            let cells: Vec<String> = figures.iter().map(|figure| cell(*figure, is_signed)).collect();
            let _ = writeln!(text, "| {}: {name} | {} |", kind.name, cells.join(" | "));
        }
    }
    text
}

/// For programs: medians and extremes, times in microseconds where nothing else is said.
pub(super) fn json(measured: &Measured) -> Value {
    let spread = |spread: Option<Spread>| {
        spread.map(|Spread { median, min, max }| json!({"median": median, "min": min, "max": max}))
    };
    let rows = |compared: &Compared, names: &[&str]| -> Value {
        let keys = ["without", "with", "difference", "between_two_without"];
        let named = |(key, (_, _, figures)): (&str, (_, _, &[Option<Spread>; QUANTILES.len()]))| {
            let figures =
                names.iter().zip(figures).map(|(name, figure)| ((*name).to_owned(), json!(spread(*figure))));
            (key.to_owned(), figures.collect::<Value>())
        };
        keys.into_iter().zip(compared.rows()).map(named).collect()
    };
    let sizes = Sizes::of(measured);
    let mut value = json!({
        "machine": measured.machine.json(), "rate": measured.rate, "connections": measured.connections,
        "seconds": measured.length.as_secs_f64(), "every_seconds": measured.every.as_secs_f64(),
        "rounds": measured.rounds.len(), "shard_cpu": measured.cpu, "other_threads_cpu": measured.elsewhere.cpu,
        "other_threads_behind": measured.elsewhere.is_behind, "shard_busy": spread(busy(measured)),
        "scrape": {
            "bytes": sizes.bytes, "samples": measured.samples.0, "route_rows": measured.samples.1,
            "ms_without_load": spread(sizes.alone_ms), "ms_with_load": spread(sizes.loaded_ms),
            "cpu_ms_of_other_threads": spread(sizes.cpu_ms),
            "count": sizes.scrapes,
        },
        "shard_us_per_request":
            rows(&Compared::new(&measured.rounds, per_request), &["cpu", "waited_for_cpu"]),
        "warnings": warnings(measured),
    });
    for kind in KINDS {
        let compared = Compared::new(&measured.rounds, kind.of);
        value[kind.key] = rows(&compared, &QUANTILES.map(|(name, _)| name));
        value[kind.key]["p99_moved"] = (!compared.is_restless(P99)).then(|| compared.moved(P99)).into();
    }
    value
}

#[cfg(test)]
mod tests;
