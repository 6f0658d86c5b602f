//! A comparison as Markdown: first the summary that the README has (CPU per request, latencies at a fixed rate, targets),
//! then everything about each workload, with the warnings; nothing that the table says is left out here.

use crate::load::Load;
use crate::notes::notes;
use crate::report::{Measured, Report, Series};
use crate::statistics::Spread;
use crate::table::columns;
use crate::targets::verdicts;
use std::fmt::Write;

/// The whole text.
pub(crate) fn text(report: &Report) -> String {
    let (cpu, load_cpu) = (report.cpu, report.load_cpu);
    let mut text = format!(
        "{}; {}. Medians of {} interleaved rounds of {} s; CPU {cpu} for the gateway, CPU {load_cpu} for load and \
         upstream.\n",
        report.machine.line(),
        report.versions(),
        report.rounds,
        report.seconds
    );
    let (paced, closed): (Vec<&Measured>, Vec<&Measured>) =
        report.workloads.iter().partition(|measured| measured.workload.paced());
    for group in groups(&closed) {
        text.push_str(
            "\nCPU µs per request; the ratio is the median of those within each round (least to most):\n\n",
        );
        matrix(&mut text, report, &group, costs);
    }
    for group in groups(&paced) {
        text.push_str("\nLatency in µs at a fixed rate, p50 / p99; the ratio is that of the p99:\n\n");
        matrix(&mut text, report, &group, latencies);
    }
    targets(&mut text, report);
    text.push_str("\nNotes:\n\n");
    for note in notes(report) {
        let _ = writeln!(text, "- {note}");
    }
    for missing in &report.missing {
        let _ = writeln!(text, "- {missing} is not installed and was not measured.");
    }
    text.push_str(
        "\n## Everything, by workload\n\nMedian [least..most] of the rounds, or ± the farthest of them; errors of all \
         rounds; \"vs\" is the ratio of CPU per request, paired by rounds.\n",
    );
    report.workloads.iter().for_each(|measured| details(&mut text, report, measured));
    text
}

/// Workloads by who is measured in them: those of one table.
fn groups<'a>(workloads: &[&'a Measured]) -> Vec<Vec<&'a Measured>> {
    let mut groups: Vec<Vec<&Measured>> = Vec::new();
    for measured in workloads {
        match groups.iter_mut().find(|group| group[0].workload.peers() == measured.workload.peers()) {
            Some(group) => group.push(measured),
            None => groups.push(vec![measured]),
        }
    }
    groups
}

/// A line of a summary: what it is of, the cell of a contestant, and the ratio.
type Line<'a> = (String, Box<dyn Fn(&str) -> String + 'a>, Option<Spread>);

/// The lines of a workload whose figure is CPU per request.
fn costs<'a>(measured: &'a Measured, baseline: &str) -> Vec<Line<'a>> {
    let cell = |of: fn(&Series) -> Option<Spread>| -> Box<dyn Fn(&str) -> String + 'a> {
        Box::new(move |name| figure(measured.find(name).and_then(of), 2))
    };
    let ratio = measured.ratio_of("tidegate", baseline);
    let mut lines = vec![(measured.workload.what().to_owned(), cell(Series::cpu_us), ratio)];
    if let Some((plain, _)) = measured.workload.beside() {
        lines.push((format!("the same: {plain}"), cell(Series::plain_us), None));
    }
    lines
}

/// The line of a workload whose figures are latencies.
fn latencies<'a>(measured: &'a Measured, baseline: &str) -> Vec<Line<'a>> {
    let rate = measured.rate.map(|rate| format!(" ({rate} requests/s)")).unwrap_or_default();
    let cell = |name: &str| -> String {
        let of = |which: fn(&Load) -> f64| figure(measured.find(name).and_then(|it| it.latency(which)), 0);
        format!("{} / {}", of(|load| load.p50), of(|load| load.p99))
    };
    let ratio = measured.latency_ratio("tidegate", baseline, |load| load.p99);
    vec![(format!("{}{rate}", measured.workload.what()), Box::new(cell), ratio)]
}

/// The lines of each workload, one column for each contestant.
fn matrix(
    text: &mut String,
    report: &Report,
    group: &[&Measured],
    lines: for<'a> fn(&'a Measured, &str) -> Vec<Line<'a>>,
) {
    let took_part = |name: &str| group.iter().any(|measured| measured.find(name).is_some());
    let mut names: Vec<&str> =
        report.programs.iter().map(|program| program.name).filter(|name| took_part(name)).collect();
    // The service itself has no CPU time that would be ours to tell, but latencies.
    names.extend(["direct"].into_iter().filter(|name| took_part(name) && group[0].workload.paced()));
    // Who is missing in one of the workloads is the baseline of the others all the same.
    let baseline = group.iter().map(|measured| &measured.baseline).find(|name| name.as_str() != "tidegate");
    let ratio = baseline.filter(|_| names.contains(&"tidegate"));
    let mut header = vec!["workload".to_owned()];
    header.extend(names.iter().map(|name| (*name).to_owned()));
    header.extend(ratio.map(|baseline| format!("tidegate / {baseline}")));
    head(text, &header);
    for measured in group {
        for (what, cell, share) in lines(measured, baseline.map_or("", String::as_str)) {
            let mut cells = vec![what];
            cells.extend(names.iter().map(|name| cell(name)));
            cells.extend(ratio.map(|_| ranged(share)));
            line(text, &cells);
        }
    }
}

fn targets(text: &mut String, report: &Report) {
    let verdicts = verdicts(report);
    if verdicts.is_empty() {
        return;
    }
    text.push_str(
        "\nTargets, Tidegate's figure as a share of another's; unsure: the rounds lie on both sides of it:\n\n",
    );
    let header = ["workload", "figure", "share of", "target", "seen", "", "others, when it was set"];
    head(text, &header.map(String::from));
    for verdict in verdicts {
        line(
            text,
            &[
                verdict.target.workload.name(),
                verdict.what().into(),
                verdict.share_of(),
                format!("≤ {:.2}", verdict.target.most),
                ranged(verdict.seen),
                verdict.word().into(),
                verdict.target.others.into(),
            ],
        );
    }
}

/// One workload with every column of the table, who is not in it, and what must be known of it.
fn details(text: &mut String, report: &Report, measured: &Measured) {
    let Measured { workload, connections, rate, series, left_out, .. } = measured;
    let rate = rate.map(|rate| format!("{rate} requests/s, ")).unwrap_or_default();
    let remark = workload.remark().map(|remark| format!("; {remark}")).unwrap_or_default();
    let (name, what) = (workload.name(), workload.what());
    let _ = writeln!(text, "\n### {name}\n\n{what}; {rate}{connections} connections{remark}\n");
    if !series.is_empty() {
        let columns = columns(measured);
        let names = columns.iter().map(|(name, _)| name.clone());
        head(text, &[String::new()].into_iter().chain(names).collect::<Vec<_>>());
        for series in series {
            let cells = columns.iter().map(|(_, cell)| cell(series));
            line(text, &[series.name.clone()].into_iter().chain(cells).collect::<Vec<_>>());
        }
        text.push('\n');
    }
    for warning in measured.warnings(report.cpu, report.load_cpu) {
        let _ = writeln!(text, "- Warning: {warning}");
    }
    for left_out in left_out {
        let why = left_out.why.lines().next().unwrap_or_default();
        let _ = writeln!(text, "- {}: not measured: {why}", left_out.name);
    }
}

/// The first line of a table: names to the left, figures to the right.
fn head(text: &mut String, cells: &[String]) {
    line(text, cells);
    let rule = |column| if column == 0 { "---".into() } else { "---:".into() };
    line(text, &(0..cells.len()).map(rule).collect::<Vec<String>>());
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn figure(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| "–".into(), |spread| format!("{:.digits$}", spread.median))
}

/// A ratio with its range.
fn ranged(ratio: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = ratio else { return "–".into() };
    format!("{median:.3} ({min:.2}–{max:.2})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{sample_report, scripted_report};
    use crate::workload::Workload;

    #[track_caller]
    fn check(report: &Report, expected: &[&str]) {
        let text = text(report);
        for expected in expected {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
        let wide = |line: &str| line.matches('|').count();
        let lines: Vec<&str> = text.lines().collect();
        for two in lines.windows(2).filter(|two| two.iter().all(|line| line.starts_with('|'))) {
            assert_eq!(wide(two[0]), wide(two[1]), "{two:?}");
        }
    }

    #[test]
    fn a_baseline_that_failed_once_leaves_the_table_whole() {
        let mut report = sample_report();
        let mut alone = report.workloads[0].clone();
        alone.workload = Workload::NewConnections;
        alone.series.remove(1);
        alone.baseline = "tidegate".into();
        report.workloads.insert(0, alone);
        check(&report, &["a new connection per request | 18.00 | – | – |"]);
        assert_eq!(text(&report).matches("| workload | tidegate | nginx | tidegate / nginx |").count(), 1);
    }

    #[test]
    fn the_summary_has_a_line_for_each_workload() {
        let mut report = sample_report();
        report.workloads.extend(scripted_report().workloads);
        check(
            &report,
            &[
                "2026-11-21 19:10 UTC",
                "tidegate 1.2, nginx 1.2. Medians of 2 interleaved rounds of 1 s",
                "| workload | tidegate | nginx | tidegate / nginx |\n| --- | ---: | ---: | ---: |\n",
                "| GET, 100-byte answer | 18.00 | 24.00 | 0.750 (0.75–0.75) |\n",
                "| the same: without script | 16.50 | 18.50 | – |\n",
                "| small-get | CPU | nginx | ≤ 0.87 | 0.750 (0.75–0.75) | met |",
            ],
        );
    }

    #[test]
    fn what_disturbed_a_workload_stands_below_it() {
        check(
            &scripted_report(),
            &[
                "### script-header\n",
                "18.00 [12.00..24.00]",
                "| 50 ±0% | 99 ±0% | 120 ±0% | 0 | 3.0 |",
                "- Warning: the load's CPU 1 was saturated with nginx",
                "- Warning: rounds differ by more than 20 % with tidegate, nginx",
                "- dgate: not measured: no\n",
                "- haproxy is not installed",
            ],
        );
    }

    #[test]
    fn at_a_fixed_rate_the_figures_are_latencies() {
        let mut report = sample_report();
        let measured = &mut report.workloads[0];
        (measured.workload, measured.rate) = (Workload::FixedRate, Some(500.0));
        measured.series.push(measured.series[1].clone());
        measured.series[2].name = "direct".into();
        check(
            &report,
            &["(500 requests/s) | 50 / 99 | 50 / 99 | 50 / 99 | 1.000 (1.00–1.00) |", "added p99"],
        );
    }
}
