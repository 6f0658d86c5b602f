//! What was measured, and the figures made of it. Every figure is a median or an extreme of samples; where there is
//! none, none is made up.

use crate::load::Load;
use crate::machine::Machine;
use crate::notes::notes;
use crate::statistics::{Spread, differences, paired, spread};
use crate::targets::{Verdict, verdicts};
use crate::workload::Workload;
use serde_json::{Value, json};
use std::path::PathBuf;

/// From this share on a CPU counts as saturated: more load would not have been possible.
const SATURATED: f64 = 0.97;
/// From this share of a contestant's CPU on, others that ran there are worth a warning.
const DISTURBED: f64 = 0.10;
/// Rounds that differ by more than this share of their median are worth one as well.
const UNSTEADY: f64 = 0.20;

/// One run of the load against one contestant.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) load: Load,
    /// CPU time of the contestant during the run, user and system, in nanoseconds; none of a service without a gateway.
    pub(crate) cpu_ns: Option<u64>,
    /// That of its shard threads alone, if it has any.
    pub(crate) shard_ns: Option<u64>,
    pub(crate) wall_seconds: f64,
    /// Share of the run that the contestant's CPU was busy, whoever ran there.
    pub(crate) cpu_busy: Option<f64>,
    /// The same of the load's CPU.
    pub(crate) load_busy: Option<f64>,
}

impl Sample {
    fn cpu_us(&self) -> Option<f64> {
        Some(self.cpu_ns? as f64 / 1e3 / self.load.requests as f64)
    }

    fn requests_per_second(&self) -> f64 {
        self.load.requests as f64 / self.load.seconds
    }

    /// Share of the contestant's CPU that others took.
    fn others(&self) -> Option<f64> {
        Some((self.cpu_busy? - self.cpu_ns? as f64 / 1e9 / self.wall_seconds).max(0.0))
    }

    fn json(&self) -> Value {
        json!({"requests": self.load.requests, "seconds": self.load.seconds, "cpu_ns": self.cpu_ns,
            "shard_cpu_ns": self.shard_ns, "p50_us": self.load.p50, "p99_us": self.load.p99,
            "p999_us": self.load.p999, "load_late": self.load.late, "errors": self.load.errors, "load_cpu_busy": self.load_busy,
            "other_work_on_cpu": self.others()})
    }
}

/// Everything about one contestant in one workload.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// Bytes; none of a service without a gateway.
    pub(crate) peak_memory: Option<u64>,
    pub(crate) samples: Vec<Sample>,
    /// The same gateway without what the workload is about, round by round; empty where there is nothing to leave out.
    pub(crate) plain: Vec<Sample>,
}

/// Who does not take part in a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) why: String,
    /// It was to take part and failed, where others just cannot.
    pub(crate) failed: bool,
}

impl Series {
    fn over(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        spread(self.samples.iter().filter_map(figure))
    }

    /// CPU time per request, in microseconds.
    pub(crate) fn cpu_us(&self) -> Option<Spread> {
        self.over(Sample::cpu_us)
    }

    /// That of its shard threads alone.
    pub(crate) fn shard_us(&self) -> Option<Spread> {
        self.over(|sample| Some(sample.shard_ns? as f64 / 1e3 / sample.load.requests as f64))
    }

    pub(crate) fn requests_per_second(&self) -> Option<Spread> {
        self.over(|sample| Some(sample.requests_per_second()))
    }

    /// A latency, in microseconds.
    pub(crate) fn latency(&self, of: impl Fn(&Load) -> f64) -> Option<Spread> {
        self.over(|sample| Some(of(&sample.load)))
    }

    pub(crate) fn errors(&self) -> u64 {
        self.samples.iter().chain(&self.plain).map(|sample| sample.load.errors).sum()
    }

    /// CPU time per request of the plain run, in microseconds.
    pub(crate) fn plain_us(&self) -> Option<Spread> {
        spread(self.plain.iter().filter_map(Sample::cpu_us))
    }

    fn figures(samples: &[Sample]) -> Vec<f64> {
        samples.iter().filter_map(Sample::cpu_us).collect()
    }

    /// What the plain run is spared per request, round by round, in microseconds.
    fn extra(&self) -> Vec<f64> {
        let (with, without) = (Self::figures(&self.samples), Self::figures(&self.plain));
        with.iter().zip(&without).map(|(with, without)| with - without).collect()
    }

    /// The spread of that.
    pub(crate) fn extra_us(&self) -> Option<Spread> {
        spread(self.extra())
    }

    /// CPU per request as a share of the plain run's, round by round.
    pub(crate) fn times_plain(&self) -> Option<Spread> {
        paired(&Self::figures(&self.samples), &Self::figures(&self.plain))
    }

    fn ratio_to(&self, other: &Self) -> Option<Spread> {
        paired(&Self::figures(&self.samples), &Self::figures(&other.samples))
    }
}

/// One workload, measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) workload: Workload,
    pub(crate) connections: u32,
    /// Requests a second, where they were due at a fixed rate.
    pub(crate) rate: Option<f64>,
    /// Whom the others are divided by here.
    pub(crate) baseline: String,
    pub(crate) series: Vec<Series>,
    pub(crate) left_out: Vec<LeftOut>,
}

impl Measured {
    /// A contestant's series.
    pub(crate) fn find(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// CPU per request of one as a share of another's, round by round.
    pub(crate) fn ratio_of(&self, name: &str, other: &str) -> Option<Spread> {
        self.find(name)?.ratio_to(self.find(other)?)
    }

    /// A latency of one as a share of another's, round by round.
    pub(crate) fn latency_ratio(&self, name: &str, other: &str, of: impl Fn(&Load) -> f64) -> Option<Spread> {
        let figures = |series: &Series| series.samples.iter().map(|it| of(&it.load)).collect::<Vec<_>>();
        paired(&figures(self.find(name)?), &figures(self.find(other)?))
    }

    /// What a gateway adds to a latency of the service itself, round by round, in microseconds.
    pub(crate) fn added(&self, series: &Series, of: impl Fn(&Load) -> f64) -> Option<Spread> {
        let figures = |series: &Series| series.samples.iter().map(|it| of(&it.load)).collect::<Vec<_>>();
        let direct = self.find("direct").filter(|_| self.workload.paced() && series.name != "direct")?;
        differences(&figures(series), &figures(direct))
    }

    /// How much more the plain run is spared than the baseline's, in microseconds per request.
    pub(crate) fn extra_difference(&self, series: &Series) -> Option<Spread> {
        differences(&series.extra(), &self.find(&self.baseline)?.extra())
    }

    /// What a reader must know before believing the figures.
    pub(crate) fn warnings(&self, cpu: usize, load_cpu: usize) -> Vec<String> {
        let mut warnings = Vec::new();
        let names = |of: &dyn Fn(&Series) -> bool| -> Option<String> {
            let names: Vec<&str> =
                self.series.iter().filter(|series| of(series)).map(|series| series.name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let saturated = |series: &Series| {
            series.over(|sample| sample.load_busy).is_some_and(|busy| busy.median >= SATURATED)
        };
        if let Some(names) = names(&saturated) {
            warnings.push(format!(
                "the load's CPU {load_cpu} was saturated with {names}: requests per second and latencies are the \
                 load's limit, not theirs; CPU per request holds",
            ));
        }
        let others = self.series.iter().filter_map(|series| Some(series.over(Sample::others)?.max));
        if let Some(most) = others.reduce(f64::max).filter(|most| *most >= DISTURBED) {
            warnings.push(format!(
                "other work took up to {:.0} % of CPU {cpu} during a run: trust the paired ratio more than the rest",
                most * 100.0
            ));
        }
        let unsteady = |series: &Series| {
            series.cpu_us().is_some_and(|Spread { median, min, max }| max - min > UNSTEADY * median)
        };
        if let Some(names) = names(&unsteady) {
            warnings.push(format!(
                "rounds differ by more than {:.0} % with {names}: something disturbed them",
                UNSTEADY * 100.0
            ));
        }
        if let Some(names) = names(&|series| series.samples.iter().any(|sample| sample.load.late)) {
            warnings.push(format!(
                "the load was late itself with {names}, which is in the latencies: the machine was busy, or the rate is \
                 too high for CPU {load_cpu}"
            ));
        }
        for series in self.series.iter().filter(|series| series.errors() > 0) {
            warnings.push(format!("{}: {} errors", series.name, series.errors()));
        }
        warnings
    }

    fn json(&self, cpu: usize, load_cpu: usize) -> Value {
        let samples = |of: &[Sample]| of.iter().map(Sample::json).collect::<Vec<Value>>();
        let contestant = |series: &Series| {
            json!({
                "name": series.name,
                "cpu_us_per_request": spread_json(series.cpu_us()),
                "shard_cpu_us_per_request": spread_json(series.shard_us()),
                "ratio_to_baseline": spread_json(self.ratio_of(&series.name, &self.baseline)),
                "requests_per_second": spread_json(series.requests_per_second()),
                "p50_us": spread_json(series.latency(|load| load.p50)),
                "p99_us": spread_json(series.latency(|load| load.p99)),
                "p999_us": spread_json(series.latency(|load| load.p999)),
                "added_p50_us": spread_json(self.added(series, |load| load.p50)),
                "added_p99_us": spread_json(self.added(series, |load| load.p99)),
                "added_p999_us": spread_json(self.added(series, |load| load.p999)),
                "errors": series.errors(),
                "peak_rss_bytes": series.peak_memory,
                "plain_cpu_us_per_request": spread_json(series.plain_us()),
                "extra_cpu_us": spread_json(series.extra_us()),
                "extra_cpu_us_over_baseline": spread_json(self.extra_difference(series)),
                "times_plain": spread_json(series.times_plain()),
                "samples": samples(&series.samples),
                "samples_plain": samples(&series.plain),
            })
        };
        let left_out = |left: &LeftOut| json!({"name": left.name, "why": left.why, "failed": left.failed});
        json!({"name": self.workload.name(), "what": self.workload.what(), "remark": self.workload.remark(),
            "plain": self.workload.beside().map(|(plain, _)| plain), "connections": self.connections,
            "rate": self.rate, "baseline": self.baseline, "contestants": self.series.iter().map(contestant).collect::<Vec<_>>(),
            "not_measured": self.left_out.iter().map(left_out).collect::<Vec<_>>(),
            "warnings": self.warnings(cpu, load_cpu)})
    }
}

/// A gateway that took part somewhere: which file was run, and what version it says it is; Tidegate also when it was built.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) version: Option<String>,
}

/// A whole comparison.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) cpu: usize,
    pub(crate) load_cpu: usize,
    pub(crate) machine: Machine,
    /// Tidegate was a binary that was given, which may be of other sources than those of the commit.
    pub(crate) given: bool,
    pub(crate) programs: Vec<Program>,
    /// Those that were asked for and are not installed.
    pub(crate) missing: Vec<String>,
    pub(crate) workloads: Vec<Measured>,
}

impl Report {
    /// Versions of everybody, in one line.
    pub(crate) fn versions(&self) -> String {
        let version = |program: &Program| {
            format!("{} {}", program.name, program.version.as_deref().unwrap_or("of an unknown version"))
        };
        self.programs.iter().map(version).collect::<Vec<_>>().join(", ")
    }

    /// Where Tidegate itself was to be measured and failed.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = |measured: &Measured| {
            let of_ours = |left: &&LeftOut| left.failed && left.name == "tidegate";
            let left = measured.left_out.iter().find(of_ours)?;
            Some(format!("{}: {}", measured.workload.name(), left.why))
        };
        self.workloads.iter().filter_map(failed).collect()
    }

    /// For programs: figures and every sample they come from.
    pub(crate) fn json(&self) -> Value {
        let workloads: Vec<Value> =
            self.workloads.iter().map(|measured| measured.json(self.cpu, self.load_cpu)).collect();
        let programs: Value = self
            .programs
            .iter()
            .map(|program| (program.name, json!({"path": program.path, "version": program.version})))
            .collect();
        json!({"rounds": self.rounds, "seconds": self.seconds, "cpu": self.cpu, "load_cpu": self.load_cpu,
            "machine": self.machine.json(), "tidegate_given": self.given, "notes": notes(self), "programs": programs, "not_installed": self.missing,
            "targets": verdicts(self).iter().map(verdict_json).collect::<Vec<_>>(), "workloads": workloads})
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    json!({"workload": verdict.target.workload.name(), "figure": verdict.what(), "share_of": verdict.share_of(),
        "at_most": verdict.target.most, "seen": spread_json(verdict.seen), "met": verdict.met(), "verdict": verdict.word()})
}

fn spread_json(spread: Option<Spread>) -> Value {
    spread
        .map_or(Value::Null, |spread| json!({"median": spread.median, "min": spread.min, "max": spread.max}))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report of two contestants in two rounds.
    pub(crate) fn sample_report() -> Report {
        let sample = |cpu_us: u64, load_busy| Sample {
            load: Load {
                requests: 1_000,
                seconds: 1.0,
                p50: 50.0,
                p99: 99.0,
                p999: 120.0,
                errors: 0,
                late: false,
            },
            cpu_ns: Some(cpu_us * 1_000_000),
            shard_ns: None,
            wall_seconds: 1.0,
            cpu_busy: Some(0.05),
            load_busy: Some(load_busy),
        };
        let series = |name: &str, first, second, busy| Series {
            name: name.into(),
            peak_memory: Some(3 << 20),
            samples: vec![sample(first, busy), sample(second, busy)],
            plain: Vec::new(),
        };
        let program = |name, path: &str| Program { name, path: path.into(), version: Some("1.2".into()) };
        Report {
            rounds: 2,
            seconds: 1,
            cpu: 0,
            load_cpu: 1,
            given: false,
            machine: Machine { date: "2026-11-21 19:10".into(), ..Machine::default() },
            programs: vec![program("tidegate", "/opt/tidegate"), program("nginx", "/usr/sbin/nginx")],
            missing: vec!["haproxy".into()],
            workloads: vec![Measured {
                workload: Workload::SmallGet,
                connections: 64,
                rate: None,
                baseline: "nginx".into(),
                series: vec![series("tidegate", 12, 24, 0.5), series("nginx", 16, 32, 1.0)],
                left_out: Vec::new(),
            }],
        }
    }

    /// The same with a script: Tidegate 12 and 24 against 11 and 22 without, nginx 16 and 32 against 10 and 27.
    pub(crate) fn scripted_report() -> Report {
        let mut report = sample_report();
        let measured = &mut report.workloads[0];
        measured.workload = Workload::ScriptHeader;
        measured.left_out = vec![LeftOut { name: "dgate".into(), why: "no\nmore".into(), failed: true }];
        for (at, cpu_us) in [(0, [11, 22]), (1, [10, 27])] {
            let like = measured.series[at].samples[0].clone();
            let plain = |us: u64| Sample { cpu_ns: Some(us * 1_000_000), ..like.clone() };
            measured.series[at].plain = cpu_us.map(plain).to_vec();
        }
        report
    }

    #[test]
    fn json_has_null_where_nothing_was_measured() {
        let json = sample_report().json();
        let first = &json["workloads"][0]["contestants"][0];
        assert_eq!(first["ratio_to_baseline"]["median"], 0.75);
        assert_eq!(first["shard_cpu_us_per_request"], Value::Null);
        assert_eq!(first["samples"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["targets"][0]["met"], true);
    }

    #[test]
    fn what_is_extra_is_paired_with_the_same_product_without_it() {
        let json = scripted_report().json();
        assert_eq!(json["workloads"][0]["contestants"][0]["extra_cpu_us"]["median"], 1.5);
        assert_eq!(json["workloads"][0]["contestants"][1]["extra_cpu_us_over_baseline"]["median"], 0.0);
    }

    #[test]
    fn what_a_gateway_adds_is_told_at_a_fixed_rate_only() {
        let mut report = sample_report();
        let measured = &mut report.workloads[0];
        measured.series[1].name = "direct".into();
        measured.series[1].samples.iter_mut().for_each(|sample| sample.load.p50 = 20.0);
        let added = |measured: &Measured| measured.added(&measured.series[0], |load| load.p50);
        assert_eq!(added(measured), None);
        measured.workload = Workload::FixedRate;
        assert_eq!(added(measured).map(|spread| spread.median), Some(30.0));
        let ratio = measured.latency_ratio("tidegate", "direct", |load| load.p50);
        assert_eq!(ratio.map(|spread| spread.median), Some(2.5));
    }

    #[test]
    fn a_failure_of_tidegate_is_one_of_the_run() {
        let mut report = scripted_report();
        assert!(report.failures().is_empty());
        report.workloads[0].left_out[0].name = "tidegate".into();
        assert_eq!(report.failures(), ["script-header: no\nmore"]);
    }
}
