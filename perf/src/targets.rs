//! What Tidegate is to reach in each workload, as data, and whether it did. A target is a bound on a paired median, of
//! CPU per request or of a latency at a fixed rate. It is met or missed where every round says so; where rounds lie on both
//! sides of the bound, that is said, whatever their median.

use crate::report::{Measured, Report};
use crate::statistics::Spread;
use crate::workload::Workload;

/// The figure a bound is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Tidegate's CPU per request as a share of this peer's, round by round.
    Against(&'static str),
    /// The median of its latencies as a share of this peer's.
    Median(&'static str),
    /// Their 99th percentile.
    Percentile99(&'static str),
    /// Tidegate's CPU per request as a share of its own without what the workload is about.
    Itself,
}

/// A bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) workload: Workload,
    pub(crate) figure: Figure,
    pub(crate) most: f64,
    /// What the best others reached when the target was set.
    pub(crate) others: &'static str,
}

const fn target(workload: Workload, figure: Figure, most: f64, others: &'static str) -> Target {
    Target { workload, figure, most, others }
}

const NGINX: Figure = Figure::Against("nginx");
const NJS: Figure = Figure::Against("nginx-njs");

/// Every target.
pub(crate) const TARGETS: &[Target] = &[
    target(Workload::SmallGet, NGINX, 0.87, "monolake 0.95, bare monoio proxy 0.80, raw bytes 0.74"),
    target(Workload::Body64k, NGINX, 1.0, "nginx 1.0"),
    target(Workload::Post16k, NGINX, 1.0, "nginx 1.0"),
    target(Workload::Connections2000, NGINX, 0.75, "monolake 0.77"),
    target(Workload::HttpsGet, NGINX, 0.95, "monolake 0.92"),
    target(Workload::HttpsNew, NGINX, 0.70, "Pingora 0.67"),
    target(Workload::NewConnections, NGINX, 1.0, "h2o 0.94"),
    target(Workload::Http2, NGINX, 0.85, "HAProxy 0.63 to 0.68"),
    target(Workload::Http2Cleartext, NGINX, 0.85, "HAProxy 0.63 to 0.68"),
    target(Workload::Routes10k, NGINX, 0.75, "HAProxy 0.88"),
    target(Workload::Routes10k, Figure::Itself, 1.03, ""),
    target(Workload::DirectResponse, NGINX, 0.95, "nginx 1.0"),
    target(Workload::FixedRate, Figure::Median("nginx"), 1.0, "nginx 1.0"),
    target(Workload::FixedRate, Figure::Percentile99("nginx"), 1.0, "nginx 1.0"),
    target(Workload::ScriptHeader, NJS, 0.80, "nginx Lua 0.90, HAProxy Lua 1.2"),
    target(
        Workload::ScriptBoth,
        NJS,
        0.80,
        "nginx Lua 0.90, HAProxy Lua 1.2, Node 4.1, workerd 7.9, DGate 36.8",
    ),
];

/// What came of a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) target: &'static Target,
    /// None if it was not measured in this run.
    pub(crate) seen: Option<Spread>,
}

impl Verdict {
    /// Whether it was met; none where that was not measured, or where the rounds do not agree.
    pub(crate) fn met(&self) -> Option<bool> {
        let Spread { min, max, .. } = self.seen?;
        let most = self.target.most;
        (max <= most || min > most).then_some(max <= most)
    }

    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        match (self.met(), self.seen) {
            (Some(true), _) => "met",
            (Some(false), _) => "missed",
            (None, Some(_)) => "unsure",
            (None, None) => "not measured",
        }
    }

    /// What is divided.
    pub(crate) fn what(&self) -> &'static str {
        match self.target.figure {
            Figure::Against(_) | Figure::Itself => "CPU",
            Figure::Median(_) => "p50",
            Figure::Percentile99(_) => "p99",
        }
    }

    /// What it is divided by.
    pub(crate) fn share_of(&self) -> String {
        match self.target.figure {
            Figure::Against(peer) | Figure::Median(peer) | Figure::Percentile99(peer) => peer.into(),
            Figure::Itself => "itself".into(),
        }
    }
}

/// The targets of everything that was asked for.
pub(crate) fn verdicts(report: &Report) -> Vec<Verdict> {
    let of = |target: &'static Target| {
        let measured = report.workloads.iter().find(|measured| measured.workload == target.workload)?;
        Some(Verdict { target, seen: seen(measured, target.figure) })
    };
    TARGETS.iter().filter_map(of).collect()
}

fn seen(measured: &Measured, figure: Figure) -> Option<Spread> {
    match figure {
        Figure::Against(peer) => measured.ratio_of("tidegate", peer),
        Figure::Median(peer) => measured.latency_ratio("tidegate", peer, |load| load.p50),
        Figure::Percentile99(peer) => measured.latency_ratio("tidegate", peer, |load| load.p99),
        Figure::Itself => measured.find("tidegate")?.times_plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;

    #[test]
    fn targets_are_met_or_missed_where_all_rounds_agree() {
        let mut report = sample_report();
        let verdict = verdicts(&report)[0];
        assert_eq!((verdict.word(), verdict.share_of().as_str()), ("met", "nginx"));
        report.workloads[0].series[0].samples[0].cpu_ns = Some(20_000_000);
        report.workloads[0].series[0].samples[1].cpu_ns = Some(40_000_000);
        assert_eq!(verdicts(&report)[0].word(), "missed");
        report.workloads[0].series[0].samples[1].cpu_ns = Some(20_000_000);
        assert_eq!((verdicts(&report)[0].word(), verdicts(&report)[0].met()), ("unsure", None));
        report.workloads[0].series.remove(1);
        assert_eq!(verdicts(&report)[0].word(), "not measured");
        report.workloads.clear();
        assert!(verdicts(&report).is_empty());
    }
}
