//! What was measured, as a table for people and JSON for programs. Every figure is a median or an extreme of samples;
//! where there is none, none is printed.

use crate::statistics::{Spread, differences, paired, spread};
use crate::workload::Workload;
use crate::wrk::Load;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// From this share on a CPU counts as saturated: more load would not have been possible.
const SATURATED: f64 = 0.97;
/// From this share of a contestant's CPU on, others that ran there are worth a warning.
const DISTURBED: f64 = 0.10;

/// One run of the load against one contestant.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) load: Load,
    /// CPU time of the contestant during the run, user and system, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// That of its shard threads alone, if it has any.
    pub(crate) shard_ns: Option<u64>,
    pub(crate) wall_seconds: f64,
    /// Share of the run that the contestant's CPU was busy, whoever ran there.
    pub(crate) cpu_busy: Option<f64>,
    /// The same of the load's CPU.
    pub(crate) load_busy: Option<f64>,
}

impl Sample {
    fn cpu_us(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.load.requests as f64
    }

    fn requests_per_second(&self) -> f64 {
        self.load.requests as f64 / self.load.seconds
    }

    /// Share of the contestant's CPU that others took.
    fn others(&self) -> Option<f64> {
        Some((self.cpu_busy? - self.cpu_ns as f64 / 1e9 / self.wall_seconds).max(0.0))
    }
}

/// Everything about one contestant in one workload.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Bytes.
    pub(crate) peak_memory: u64,
    pub(crate) samples: Vec<Sample>,
    /// The same gateway without the workload's script, round by round; empty where the workload has none.
    pub(crate) plain: Vec<Sample>,
}

/// Who does not take part in a workload.
#[derive(Clone, Debug)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) why: String,
}

impl Series {
    fn over(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        spread(self.samples.iter().filter_map(figure))
    }

    /// CPU time per request, in microseconds.
    pub(crate) fn cpu_us(&self) -> Option<Spread> {
        self.over(|sample| Some(sample.cpu_us()))
    }

    fn shard_us(&self) -> Option<Spread> {
        self.over(|sample| Some(sample.shard_ns? as f64 / 1e3 / sample.load.requests as f64))
    }

    fn errors(&self) -> u64 {
        self.samples.iter().chain(&self.plain).map(|sample| sample.load.errors).sum()
    }

    /// CPU time per request without the script, in microseconds.
    pub(crate) fn plain_us(&self) -> Option<Spread> {
        spread(self.plain.iter().map(Sample::cpu_us))
    }

    /// What the script costs per request, round by round, in microseconds.
    fn calls_us(&self) -> Vec<f64> {
        self.samples.iter().zip(&self.plain).map(|(with, without)| with.cpu_us() - without.cpu_us()).collect()
    }

    fn ratio_to(&self, baseline: &Self) -> Option<Spread> {
        let figures = |series: &Self| series.samples.iter().map(Sample::cpu_us).collect::<Vec<_>>();
        paired(&figures(self), &figures(baseline))
    }
}

/// One workload, measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) workload: Workload,
    pub(crate) connections: u32,
    pub(crate) series: Vec<Series>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl Measured {
    fn ratio(&self, series: &Series, baseline: &str) -> Option<Spread> {
        series.ratio_to(self.series.iter().find(|other| other.name == baseline)?)
    }

    /// How much more the script costs than the baseline's, in microseconds per request.
    fn call_difference(&self, series: &Series, baseline: &str) -> Option<Spread> {
        let baseline = self.series.iter().find(|other| other.name == baseline)?;
        differences(&series.calls_us(), &baseline.calls_us())
    }

    /// What a reader must know before believing the figures.
    pub(crate) fn warnings(&self, cpu: usize, load_cpu: usize) -> Vec<String> {
        let mut warnings = Vec::new();
        let saturated: Vec<&str> = self
            .series
            .iter()
            .filter(|series| {
                series.over(|sample| sample.load_busy).is_some_and(|busy| busy.median >= SATURATED)
            })
            .map(|series| series.name.as_str())
            .collect();
        if !saturated.is_empty() {
            warnings.push(format!(
                "the load's CPU {load_cpu} was saturated with {}: requests per second and latencies are the load's \
                 limit, not theirs; CPU per request holds",
                saturated.join(", ")
            ));
        }
        let others = self.series.iter().filter_map(|series| Some(series.over(Sample::others)?.max));
        if let Some(most) = others.reduce(f64::max).filter(|most| *most >= DISTURBED) {
            warnings.push(format!(
                "other work took up to {:.0} % of CPU {cpu} during a run: trust the paired ratio more than the rest",
                most * 100.0
            ));
        }
        for series in self.series.iter().filter(|series| series.errors() > 0) {
            warnings.push(format!("{}: {} errors", series.name, series.errors()));
        }
        warnings
    }
}

/// A column of a table: what it is called, and its cell in the row of a series.
type Column<'a> = (String, Box<dyn Fn(&Series) -> String + 'a>);

/// A whole comparison.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) cpu: usize,
    pub(crate) load_cpu: usize,
    pub(crate) baseline: String,
    /// Name and file of everyone measured.
    pub(crate) programs: Vec<(&'static str, PathBuf)>,
    pub(crate) missing: Vec<String>,
    pub(crate) workloads: Vec<Measured>,
}

impl Report {
    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for measured in &self.workloads {
            let (name, what) = (measured.workload.name(), measured.workload.what());
            let (connections, rounds, seconds) = (measured.connections, self.rounds, self.seconds);
            let _ =
                writeln!(text, "{name}: {what}; {connections} connections, {rounds} rounds of {seconds} s");
            let columns = self.columns(measured);
            let header = [String::new()].into_iter().chain(columns.iter().map(|(name, _)| name.clone()));
            let mut rows: Vec<Vec<String>> = vec![header.collect()];
            rows.extend(measured.series.iter().map(|series| {
                let cells = columns.iter().map(|(_, cell)| cell(series));
                [series.name.clone()].into_iter().chain(cells).collect()
            }));
            align(&mut text, &rows);
            for LeftOut { name, why } in &measured.left_out {
                let _ = writeln!(text, "  {name}: not measured: {}", why.lines().next().unwrap_or_default());
            }
            for warning in measured.warnings(self.cpu, self.load_cpu) {
                let _ = writeln!(text, "  ! {warning}");
            }
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "median [min..max] over the rounds; \"vs {}\" is the median of the ratios of CPU per request within each \
             round, less is better",
            self.baseline
        );
        if self.workloads.iter().any(|measured| measured.workload.script().is_some()) {
            let _ = writeln!(
                text,
                "\"the call\" is the median of the differences to the same product without the script within each \
                 round, both in µs of CPU per request; \"call vs {}\" is how much more that is than its",
                self.baseline
            );
        }
        for (name, path) in &self.programs {
            let _ = writeln!(text, "{name}: {}", path.display());
        }
        for peer in &self.missing {
            let _ = writeln!(text, "{peer}: not installed, not measured");
        }
        text
    }

    /// The columns of a table after the name: what they are called, and their cell of a row.
    fn columns<'a>(&'a self, measured: &'a Measured) -> Vec<Column<'a>> {
        let mut columns: Vec<Column<'a>> = vec![
            ("CPU µs/request".into(), Box::new(|series| shown(series.cpu_us(), 2))),
            ("shard alone".into(), Box::new(|series| shown(series.shard_us(), 2))),
            (
                format!("vs {}", self.baseline),
                Box::new(|series| shown(measured.ratio(series, &self.baseline), 3)),
            ),
        ];
        if measured.workload.script().is_some() {
            columns.push(("without script".into(), Box::new(|series| shown(series.plain_us(), 2))));
            columns.push(("the call".into(), Box::new(|series| shown(spread(series.calls_us()), 2))));
            columns.push((
                format!("call vs {}", self.baseline),
                Box::new(|series| shown(measured.call_difference(series, &self.baseline), 2)),
            ));
        }
        columns.push((
            "requests/s".into(),
            Box::new(|series| shown(series.over(|sample| Some(sample.requests_per_second())), 0)),
        ));
        columns.push((
            "p50 µs".into(),
            Box::new(|series| shown(series.over(|sample| Some(sample.load.p50)), 0)),
        ));
        columns.push((
            "p99 µs".into(),
            Box::new(|series| shown(series.over(|sample| Some(sample.load.p99)), 0)),
        ));
        columns.push(("errors".into(), Box::new(|series| series.errors().to_string())));
        columns.push((
            "peak MiB".into(),
            Box::new(|series| format!("{:.1}", series.peak_memory as f64 / f64::from(1 << 20))),
        ));
        columns
    }

    /// For programs: figures and every sample they come from.
    pub(crate) fn json(&self) -> Value {
        let workloads: Vec<Value> =
            self.workloads.iter().map(|measured| self.measured_json(measured)).collect();
        let programs: Value = self.programs.iter().map(|(name, path)| (*name, json!(path))).collect();
        json!({"rounds": self.rounds, "seconds": self.seconds, "cpu": self.cpu, "load_cpu": self.load_cpu,
            "baseline": self.baseline, "programs": programs, "not_installed": self.missing, "workloads": workloads})
    }

    fn measured_json(&self, measured: &Measured) -> Value {
        let contestants: Vec<Value> = measured
            .series
            .iter()
            .map(|series| {
                let samples = |of: &[Sample]| of.iter().map(sample_json).collect::<Vec<Value>>();
                json!({
                    "name": series.name,
                    "cpu_us_per_request": spread_json(series.cpu_us()),
                    "shard_cpu_us_per_request": spread_json(series.shard_us()),
                    "ratio_to_baseline": spread_json(measured.ratio(series, &self.baseline)),
                    "requests_per_second": spread_json(series.over(|sample| Some(sample.requests_per_second()))),
                    "p50_us": spread_json(series.over(|sample| Some(sample.load.p50))),
                    "p99_us": spread_json(series.over(|sample| Some(sample.load.p99))),
                    "errors": series.errors(),
                    "peak_rss_bytes": series.peak_memory,
                    "without_script_cpu_us_per_request": spread_json(series.plain_us()),
                    "call_cpu_us": spread_json(spread(series.calls_us())),
                    "call_cpu_us_over_baseline": spread_json(measured.call_difference(series, &self.baseline)),
                    "samples": samples(&series.samples),
                    "samples_without_script": samples(&series.plain),
                })
            })
            .collect();
        json!({"name": measured.workload.name(), "what": measured.workload.what(),
            "connections": measured.connections, "contestants": contestants,
            "not_measured": measured.left_out.iter().map(|left| json!({"name": left.name, "why": left.why})).collect::<Vec<_>>(),
            "warnings": measured.warnings(self.cpu, self.load_cpu)})
    }
}

fn sample_json(sample: &Sample) -> Value {
    json!({"requests": sample.load.requests, "seconds": sample.load.seconds,
        "cpu_ns": sample.cpu_ns, "shard_cpu_ns": sample.shard_ns, "p50_us": sample.load.p50,
        "p99_us": sample.load.p99, "errors": sample.load.errors,
        "load_cpu_busy": sample.load_busy, "other_work_on_cpu": sample.others()})
}

fn spread_json(spread: Option<Spread>) -> Value {
    spread
        .map_or(Value::Null, |spread| json!({"median": spread.median, "min": spread.min, "max": spread.max}))
}

fn shown(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(
        || "-".into(),
        |Spread { median, min, max }| format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]"),
    )
}

/// Columns as wide as their widest cell; the first to the left, figures to the right.
pub(crate) fn align(text: &mut String, rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let _ = write!(text, "  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report of two contestants in two rounds.
    pub(crate) fn sample_report() -> Report {
        let sample = |cpu_us: u64, load_busy| Sample {
            load: Load { requests: 1_000, seconds: 1.0, p50: 50.0, p99: 99.0, errors: 0 },
            cpu_ns: cpu_us * 1_000_000,
            shard_ns: None,
            wall_seconds: 1.0,
            cpu_busy: Some(0.05),
            load_busy: Some(load_busy),
        };
        let series = |name: &str, first, second, busy| Series {
            name: name.into(),
            peak_memory: 3 << 20,
            samples: vec![sample(first, busy), sample(second, busy)],
            plain: Vec::new(),
        };
        Report {
            rounds: 2,
            seconds: 1,
            cpu: 0,
            load_cpu: 1,
            baseline: "nginx".into(),
            programs: vec![("tidegate", "/opt/tidegate".into()), ("nginx", "/usr/sbin/nginx".into())],
            missing: vec!["haproxy".into()],
            workloads: vec![Measured {
                workload: Workload::SmallGet,
                connections: 64,
                series: vec![series("tidegate", 12, 24, 0.5), series("nginx", 16, 32, 1.0)],
                left_out: Vec::new(),
            }],
        }
    }

    #[test]
    fn tables_say_what_was_measured_and_no_more() {
        let table = sample_report().table();
        for expected in [
            "18.00 [12.00..24.00]",
            "0.750 [0.750..0.750]",
            "1.000 [1.000..1.000]",
            "the load's CPU 1 was saturated with nginx:",
            "tidegate: /opt/tidegate",
            "haproxy: not installed, not measured",
            "3.0",
        ] {
            assert!(table.contains(expected), "{expected}:\n{table}");
        }
    }

    #[test]
    fn what_a_script_costs_is_paired_with_the_same_product_without_it() {
        let mut report = sample_report();
        let measured = &mut report.workloads[0];
        measured.workload = Workload::ScriptHeader;
        measured.left_out = vec![LeftOut { name: "dgate".into(), why: "no\nmore".into() }];
        let plain = |cpu_us: [u64; 2], like: &Series| {
            cpu_us.map(|us| Sample { cpu_ns: us * 1_000_000, ..like.samples[0].clone() }).to_vec()
        };
        for (at, cpu_us) in [(0, [11, 22]), (1, [10, 27])] {
            measured.series[at].plain = plain(cpu_us, &measured.series[at]);
        }
        // Tidegate 12 and 24 against 11 and 22; nginx 16 and 32 against 10 and 27.
        let table = report.table();
        for expected in
            ["1.50 [1.00..2.00]", "5.50 [5.00..6.00]", "-4.00 [-5.00..-3.00]", "dgate: not measured: no\n"]
        {
            assert!(table.contains(expected), "{expected}:\n{table}");
        }
        let json = report.json();
        assert_eq!(json["workloads"][0]["contestants"][0]["call_cpu_us"]["median"], 1.5);
        assert_eq!(json["workloads"][0]["contestants"][1]["call_cpu_us_over_baseline"]["median"], 0.0);
    }

    #[test]
    fn json_has_null_where_nothing_was_measured() {
        let json = sample_report().json();
        let first = &json["workloads"][0]["contestants"][0];
        assert_eq!(first["ratio_to_baseline"]["median"], 0.75);
        assert_eq!(first["shard_cpu_us_per_request"], Value::Null);
        assert_eq!(first["samples"].as_array().map(Vec::len), Some(2));
    }
}
