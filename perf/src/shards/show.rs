//! One shard against several, as a table, JSON and Markdown: every figure with its range, what it is of the first series'
//! in the same round, and what such a measurement cannot show.

use super::{Measured, Sample, Series};
use crate::statistics::{Spread, paired, spread};
use crate::table::align;
use serde_json::{Value, json};
use std::fmt::Write;

/// What the figures mean, and what they cannot.
const NOTES: [&str; 4] = [
    "Shards, load and upstream share all CPUs in the same way each time. With as many shards as CPUs nothing is left over: \
     requests/s then say how the machine is divided, not what more shards could do if the load came from elsewhere.",
    "What would show that shards disturb each other is more CPU per request: a lock or a cache line they share, memory of \
     another's. Less of it with more shards is batching: a shard that waits for its CPU finds more to do when it gets it.",
    "The wait for a CPU is the load's and the upstream's doing: they run on the shards' CPUs. On a host where they do not, it \
     is what other processes take.",
    "Two CPUs cannot show what comes with many: the memory bandwidth and last-level cache that all share, other NUMA nodes, \
     the accept queue's spread over many shards, and the admin's work per change, which grows with the shards.",
];

/// A figure of one run: its key for programs, its name for people, digits, and whether its ratio to the first series' means
/// anything.
struct Figure {
    key: &'static str,
    name: &'static str,
    digits: usize,
    has_ratio: bool,
    of: fn(&Sample) -> Option<f64>,
}

const fn figure(
    key: &'static str,
    name: &'static str,
    digits: usize,
    has_ratio: bool,
    of: fn(&Sample) -> Option<f64>,
) -> Figure {
    Figure { key, name, digits, has_ratio, of }
}

const FIGURES: [Figure; 11] = [
    figure("requests_per_second", "requests/s", 0, true, |it| {
        Some(it.load.requests as f64 / it.load.seconds)
    }),
    figure("cpu_us_per_request", "gateway: CPU µs/request", 2, true, |it| {
        per(it, it.process_ns as f64 / 1e3)
    }),
    figure("shard_cpu_us_per_request", "of it the shards", 2, true, |it| {
        per(it, it.threads.ran() as f64 / 1e3)
    }),
    figure("shard_user_percent", "shards: % in user space", 0, false, |it| {
        Some(it.threads.user_share()? * 100.0)
    }),
    figure("shard_wait_us_per_request", "shards: µs/request ready, without a CPU", 2, true, |it| {
        per(it, it.threads.waited_ns as f64 / 1e3)
    }),
    figure("sleeps_per_1000_requests", "shards: sleeps per 1,000 requests", 1, false, |it| {
        per(it, it.threads.slept as f64 * 1e3)
    }),
    figure("displaced_per_1000_requests", "shards: displaced per 1,000 requests", 1, false, |it| {
        per(it, it.threads.displaced as f64 * 1e3)
    }),
    figure("idlest_of_busiest_shard", "idlest shard's CPU time / busiest's", 2, false, |it| {
        it.threads.evenness()
    }),
    figure("machine_cpu_us_per_request", "whole machine: CPU µs/request", 2, true, |it| {
        per(it, it.busy_seconds? * 1e6)
    }),
    figure("machine_busy_percent", "whole machine: % busy", 0, false, |it| Some(it.busy? * 100.0)),
    figure("p99_us", "p99 µs", 0, true, |it| Some(it.load.p99)),
];

fn per(sample: &Sample, amount: f64) -> Option<f64> {
    (sample.load.requests > 0).then(|| amount / sample.load.requests as f64)
}

impl Series {
    fn figures(&self, of: fn(&Sample) -> Option<f64>) -> Vec<f64> {
        self.samples.iter().filter_map(of).collect()
    }

    fn name(&self) -> String {
        if self.shards == 1 { "1 shard".into() } else { format!("{} shards", self.shards) }
    }

    fn errors(&self) -> u64 {
        self.samples.iter().map(|sample| sample.load.errors).sum()
    }
}

/// A header and a line for each figure: all series, then the ratios of those after the first.
fn lines(measured: &Measured) -> Vec<Vec<String>> {
    let Some((first, others)) = measured.series.split_first() else { return Vec::new() };
    let mut header = vec![String::new()];
    header.extend(measured.series.iter().map(Series::name));
    header.extend(others.iter().map(|series| format!("{} / {}", series.shards, first.shards)));
    let mut lines = vec![header];
    for Figure { name, digits, has_ratio, of, .. } in FIGURES {
        let mut cells = vec![name.to_owned()];
        cells.extend(measured.series.iter().map(|series| shown(spread(series.figures(of)), digits)));
        cells.extend(others.iter().map(|series| match has_ratio {
            true => shown(paired(&series.figures(of), &first.figures(of)), 3),
            false => String::new(),
        }));
        lines.push(cells);
    }
    let mut errors = vec!["errors".to_owned()];
    errors.extend(measured.series.iter().map(|series| series.errors().to_string()));
    errors.resize(lines[0].len(), String::new());
    lines.push(errors);
    lines
}

fn shown(spread: Option<Spread>, digits: usize) -> String {
    let Some(Spread { median, min, max }) = spread else { return "-".into() };
    format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]")
}

fn heading(measured: &Measured) -> String {
    let Measured { machine, version, cpus, connections, rounds, seconds, .. } = measured;
    format!(
        "{}; tidegate {}. GET, 100-byte answer, {connections} connections; load and upstream on the same {cpus} CPUs as the \
         shards; medians [least..most] of {rounds} interleaved rounds of {seconds} s",
        machine.line(),
        version.as_deref().unwrap_or("of an unknown version")
    )
}

/// For people.
pub(super) fn table(measured: &Measured) -> String {
    let mut text = heading(measured) + "\n";
    align(&mut text, &lines(measured));
    NOTES.iter().for_each(|note| text.extend([*note, "\n"]));
    text
}

/// The same as Markdown.
pub(super) fn markdown(measured: &Measured) -> String {
    let mut text = heading(measured) + ":\n\n";
    for (at, cells) in lines(measured).iter().enumerate() {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
        if at == 0 {
            let _ = writeln!(text, "|---{}|", "|---:".repeat(cells.len() - 1));
        }
    }
    text.push('\n');
    NOTES.iter().for_each(|note| text.extend(["- ", *note, "\n"]));
    text
}

/// For programs: figures of every round, and ratios to the first series'.
pub(super) fn json(measured: &Measured) -> Value {
    let as_json = |spread: Option<Spread>| {
        spread.map_or(
            Value::Null,
            |Spread { median, min, max }| json!({"median": median, "min": min, "max": max}),
        )
    };
    let first = measured.series.first();
    let one = |series: &Series| {
        let mut value = json!({"shards": series.shards, "errors": series.errors()});
        for Figure { key, has_ratio, of, .. } in FIGURES {
            let figures = series.figures(of);
            let ratio = first.filter(|_| has_ratio).and_then(|first| paired(&figures, &first.figures(of)));
            value[key] = json!({"figure": as_json(spread(figures.iter().copied())),
                "ratio_to_first": as_json(ratio), "rounds": figures});
        }
        value
    };
    json!({"machine": measured.machine.json(), "version": measured.version, "cpus": measured.cpus,
        "connections": measured.connections, "rounds": measured.rounds, "seconds": measured.seconds,
        "series": measured.series.iter().map(one).collect::<Vec<_>>(), "notes": NOTES})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Load;
    use crate::machine::Machine;
    use crate::shards::threads::Threads;

    fn measured() -> Measured {
        let sample = |requests, ran_ns: &[u64]| Sample {
            load: Load { requests, seconds: 1.0, p50: 1.0, p99: 9.0, p999: 10.0, errors: 1, late: false },
            process_ns: 20_000_000,
            threads: Threads {
                ran_ns: ran_ns.to_vec(),
                waited_ns: 5_000_000,
                user: 1,
                system: 3,
                slept: 40,
                displaced: 10,
            },
            busy: Some(0.5),
            busy_seconds: Some(1.0),
        };
        let series = |shards, requests, ran_ns: &[u64]| Series {
            shards,
            samples: vec![sample(requests, ran_ns), sample(2 * requests, ran_ns)],
        };
        Measured {
            machine: Machine { date: "2026-11-21 19:10".into(), ..Machine::default() },
            version: None,
            cpus: 2,
            connections: 128,
            rounds: 2,
            seconds: 1,
            series: vec![series(1, 1_000, &[10_000_000]), series(2, 1_600, &[8_000_000, 4_000_000])],
        }
    }

    #[test]
    fn figures_stand_beside_those_of_the_first() {
        let table = table(&measured());
        for expected in [
            "2026-11-21 19:10",
            "1 shard",
            "2 / 1",
            "1500 [1000..2000]",
            "1.600 [1.600..1.600]",
            "0.625 [0.625..0.625]",
            "0.750 [0.750..0.750]",
            "25 [25..25]",
            "0.50 [0.50..0.50]",
            NOTES[3],
        ] {
            assert!(table.contains(expected), "{expected}:\n{table}");
        }
        let markdown = markdown(&measured());
        let wide: Vec<usize> = markdown
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.matches('|').count())
            .collect();
        assert!(
            wide.len() == FIGURES.len() + 3 && wide.iter().all(|columns| *columns == wide[0]),
            "{markdown}"
        );
        let json = json(&measured());
        assert_eq!(json["series"][1]["requests_per_second"]["ratio_to_first"]["median"], 1.6);
        assert_eq!(json["series"][0]["errors"], 2);
    }
}
