//! A comparison as the README has it: one table of CPU per request for all workloads of the same field of peers, more
//! of those that are about a service without a gateway, and the targets. Only medians; the spread stands in the JSON.

use crate::report::{Measured, Report, Series};
use crate::statistics::Spread;
use crate::table::mebibytes;
use crate::targets::verdicts;
use std::fmt::Write;

/// The whole text.
pub(crate) fn text(report: &Report) -> String {
    let mut text = format!(
        "{}; {}. Medians of {} interleaved rounds of {} s; one core for the gateway, the load and the upstream on \
         another.\n",
        report.machine.line(),
        report.versions(),
        report.rounds,
        report.seconds
    );
    for group in groups(report) {
        let _ = writeln!(text, "\nCPU µs per request:\n");
        matrix(&mut text, report, &group);
    }
    for measured in &report.workloads {
        if measured.find("direct").is_some() {
            rows(&mut text, measured);
        }
    }
    targets(&mut text, report);
    text
}

/// Workloads by who is measured in them: those of one table.
fn groups(report: &Report) -> Vec<Vec<&Measured>> {
    let mut groups: Vec<Vec<&Measured>> = Vec::new();
    for measured in report.workloads.iter().filter(|measured| measured.find("direct").is_none()) {
        match groups.iter_mut().find(|group| group[0].workload.peers() == measured.workload.peers()) {
            Some(group) => group.push(measured),
            None => groups.push(vec![measured]),
        }
    }
    groups
}

/// One line for each workload, one column for each contestant.
fn matrix(text: &mut String, report: &Report, group: &[&Measured]) {
    let took_part = |name: &str| group.iter().any(|measured| measured.find(name).is_some());
    let names: Vec<&str> =
        report.programs.iter().map(|program| program.name).filter(|name| took_part(name)).collect();
    // Who is missing in one of the workloads is the baseline of the others all the same.
    let baseline = group.iter().map(|measured| &measured.baseline).find(|name| name.as_str() != "tidegate");
    let ratio = baseline.filter(|_| names.contains(&"tidegate"));
    let mut header = vec!["workload".to_owned()];
    header.extend(names.iter().map(|name| (*name).to_owned()));
    header.extend(ratio.map(|baseline| format!("tidegate / {baseline}")));
    line(text, &header);
    line(text, &header.iter().enumerate().map(|(at, _)| rule(at)).collect::<Vec<_>>());
    for measured in group {
        let cell = |name: &&str| figure(measured.find(name).and_then(Series::cpu_us), 2);
        let mut cells = vec![measured.workload.what().to_owned()];
        cells.extend(names.iter().map(cell));
        cells.extend(ratio.map(|baseline| figure(measured.ratio_of("tidegate", baseline), 3)));
        line(text, &cells);
        if let Some((plain, _)) = measured.workload.beside() {
            let cell = |name: &&str| figure(measured.find(name).and_then(Series::plain_us), 2);
            let mut cells = vec![format!("the same: {plain}")];
            cells.extend(names.iter().map(cell));
            cells.extend(ratio.map(|_| "–".to_owned()));
            line(text, &cells);
        }
    }
}

/// One line for each contestant, with everything about it.
fn rows(text: &mut String, measured: &Measured) {
    let rate = measured.rate.map(|rate| format!(", {rate} requests/s")).unwrap_or_default();
    let _ = writeln!(text, "\n{}{rate}:\n", measured.workload.what());
    let mut header = vec!["", "CPU µs/request", "requests/s", "p50 µs", "p99 µs", "p99.9 µs"];
    if measured.rate.is_some() {
        header.extend(["added p50", "added p99"]);
    }
    header.push("peak MiB");
    let header: Vec<String> = header.into_iter().map(String::from).collect();
    line(text, &header);
    line(text, &header.iter().enumerate().map(|(at, _)| rule(at)).collect::<Vec<_>>());
    for series in &measured.series {
        let mut cells = vec![
            series.name.clone(),
            figure(series.cpu_us(), 2),
            figure(series.requests_per_second(), 0),
            figure(series.latency(|load| load.p50), 0),
            figure(series.latency(|load| load.p99), 0),
            figure(series.latency(|load| load.p999), 0),
        ];
        if measured.rate.is_some() {
            cells.push(figure(measured.added(series, |load| load.p50), 0));
            cells.push(figure(measured.added(series, |load| load.p99), 0));
        }
        cells.push(series.peak_memory.map_or_else(|| "–".into(), mebibytes));
        line(text, &cells);
    }
}

fn targets(text: &mut String, report: &Report) {
    let verdicts = verdicts(report);
    if verdicts.is_empty() {
        return;
    }
    text.push_str("\nTargets, Tidegate's figure as a share of another's:\n\n");
    let header =
        ["workload", "figure", "share of", "target", "seen", "", "others, when it was set"].map(String::from);
    line(text, &header);
    line(text, &header.iter().enumerate().map(|(at, _)| rule(at)).collect::<Vec<_>>());
    for verdict in verdicts {
        line(
            text,
            &[
                verdict.target.workload.name(),
                verdict.what().into(),
                verdict.share_of(),
                format!("≤ {:.2}", verdict.target.most),
                figure(verdict.seen, 3),
                verdict.word().into(),
                verdict.target.others.into(),
            ],
        );
    }
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Names to the left, figures to the right.
fn rule(column: usize) -> String {
    if column == 0 { "---".into() } else { "---:".into() }
}

fn figure(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| "–".into(), |spread| format!("{:.digits$}", spread.median))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{sample_report, scripted_report};
    use crate::workload::Workload;

    #[test]
    fn a_baseline_that_failed_once_leaves_the_table_whole() {
        let mut report = sample_report();
        let mut alone = report.workloads[0].clone();
        alone.workload = Workload::NewConnections;
        alone.series.remove(1);
        alone.baseline = "tidegate".into();
        report.workloads.insert(0, alone);
        let text = text(&report);
        assert_eq!(text.matches("| workload | tidegate | nginx | tidegate / nginx |").count(), 1, "{text}");
        assert!(text.contains("a new connection per request | 18.00 | – | – |"), "{text}");
    }

    #[test]
    fn tables_have_a_line_for_each_workload() {
        let mut report = sample_report();
        report.workloads.extend(scripted_report().workloads);
        let text = text(&report);
        for expected in [
            "2026-11-21 19:10 UTC",
            "| workload | tidegate | nginx | tidegate / nginx |\n| --- | ---: | ---: | ---: |\n",
            "| GET, 100-byte answer | 18.00 | 24.00 | 0.750 |\n",
            "| the same: without script | 16.50 | 18.50 | – |\n",
            "| small-get | CPU | nginx | ≤ 0.87 | 0.750 | met |",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
        let wide = |line: &str| line.matches('|').count();
        let table: Vec<usize> =
            text.lines().skip(3).take_while(|line| line.starts_with('|')).map(wide).collect();
        assert!(table.iter().all(|columns| *columns == table[0]), "{text}");
    }
}
