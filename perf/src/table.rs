//! A comparison as text for people: a table for each workload, what to know about it, and the targets.

use crate::load::Load;
use crate::notes::notes;
use crate::report::{LeftOut, Measured, Report, Series};
use crate::statistics::Spread;
use crate::targets::{Verdict, verdicts};
use std::fmt::Write;

/// A column of a table: what it is called, and its cell in the row of a series.
pub(crate) type Column<'a> = (String, Box<dyn Fn(&Series) -> String + 'a>);

/// The whole report.
pub(crate) fn text(report: &Report) -> String {
    let mut text = format!("{}\n{}\n\n", report.machine.line(), report.versions());
    for measured in &report.workloads {
        one(&mut text, report, measured);
    }
    let _ = writeln!(
        text,
        "median [min..max] over the rounds, or ± the farthest of them; \"vs\" is the median of the ratios of CPU per request within each round, \
         less is better"
    );
    if report.workloads.iter().any(|measured| measured.workload.beside().is_some()) {
        let _ = writeln!(
            text,
            "\"the call\" and \"10,000 cost\" are medians of the differences to the same product without within each \
             round, in µs of CPU per request"
        );
    }
    for note in notes(report) {
        let _ = writeln!(text, "{note}");
    }
    for program in &report.programs {
        let _ = writeln!(text, "{}: {}", program.name, program.path.display());
    }
    for peer in &report.missing {
        let _ =
            writeln!(text, "{peer}: not installed, not measured; `tidegate-perf peers` says what brings it");
    }
    let verdicts = verdicts(report);
    if !verdicts.is_empty() {
        text.push_str("\ntargets: Tidegate's figure as a share of another's\n");
        let row = |verdict: &Verdict| {
            let share = format!("{} of {}", verdict.what(), verdict.share_of());
            let most = format!("≤ {:.2}", verdict.target.most);
            let name = verdict.target.workload.name();
            vec![name, share, most, shown(verdict.seen, 3), verdict.word().into()]
        };
        let header = ["", "", "target", "seen", ""].map(String::from).to_vec();
        align(&mut text, &[header].into_iter().chain(verdicts.iter().map(row)).collect::<Vec<_>>());
    }
    text
}

fn one(text: &mut String, report: &Report, measured: &Measured) {
    let (name, what) = (measured.workload.name(), measured.workload.what());
    let (connections, rounds, seconds) = (measured.connections, report.rounds, report.seconds);
    let rate = measured.rate.map(|rate| format!("{rate} requests/s, ")).unwrap_or_default();
    let _ = writeln!(text, "{name}: {what}; {rate}{connections} connections, {rounds} rounds of {seconds} s");
    if let Some(remark) = measured.workload.remark() {
        let _ = writeln!(text, "  {remark}");
    }
    if !measured.series.is_empty() {
        let columns = columns(measured);
        let header = [String::new()].into_iter().chain(columns.iter().map(|(name, _)| name.clone()));
        let mut rows: Vec<Vec<String>> = vec![header.collect()];
        rows.extend(measured.series.iter().map(|series| {
            let cells = columns.iter().map(|(_, cell)| cell(series));
            [series.name.clone()].into_iter().chain(cells).collect()
        }));
        align(text, &rows);
    }
    for LeftOut { name, why, .. } in &measured.left_out {
        let _ = writeln!(text, "  {name}: not measured: {}", why.lines().next().unwrap_or_default());
    }
    for warning in measured.warnings(report.cpu, report.load_cpu) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push('\n');
}

/// The columns of a table after the name.
pub(crate) fn columns(measured: &Measured) -> Vec<Column<'_>> {
    let baseline = &measured.baseline;
    let mut columns: Vec<Column<'_>> = vec![
        ("CPU µs/request".into(), Box::new(|series| shown(series.cpu_us(), 2))),
        ("shard alone".into(), Box::new(|series| shown(series.shard_us(), 2))),
        (
            format!("vs {baseline}"),
            Box::new(move |series| shown(measured.ratio_of(&series.name, baseline), 3)),
        ),
    ];
    if let Some((plain, extra)) = measured.workload.beside() {
        columns.push((plain.into(), Box::new(|series| shown(series.plain_us(), 2))));
        columns.push((extra.into(), Box::new(|series| shown(series.extra_us(), 2))));
        columns.push((
            format!("{extra} vs {baseline}"),
            Box::new(|series| shown(measured.extra_difference(series), 2)),
        ));
        columns.push((format!("times {plain}"), Box::new(|series| shown(series.times_plain(), 3))));
    }
    columns.push(("requests/s".into(), Box::new(|series| around(series.requests_per_second()))));
    columns.push(("p50 µs".into(), Box::new(|series| around(series.latency(|load| load.p50)))));
    columns.push(("p99 µs".into(), Box::new(|series| around(series.latency(|load| load.p99)))));
    columns.push(("p99.9 µs".into(), Box::new(|series| around(series.latency(|load| load.p999)))));
    if measured.rate.is_some() {
        let added = |of: fn(&Load) -> f64| -> Box<dyn Fn(&Series) -> String> {
            Box::new(move |series| around(measured.added(series, of)))
        };
        columns.push(("added p50".into(), added(|load| load.p50)));
        columns.push(("added p99".into(), added(|load| load.p99)));
        columns.push(("added p99.9".into(), added(|load| load.p999)));
    }
    columns.push(("errors".into(), Box::new(|series| series.errors().to_string())));
    columns.push((
        "peak MiB".into(),
        Box::new(|series| series.peak_memory.map_or_else(|| "-".into(), mebibytes)),
    ));
    columns
}

/// Bytes as MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Median and extremes.
fn shown(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(
        || "-".into(),
        |Spread { median, min, max }| format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]"),
    )
}

/// A figure of which less is to be known: how far off its median the rounds were, in hundredths of it.
fn around(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || "-".into(),
        |Spread { median, min, max }| {
            let off = (max - median).max(median - min) / median.abs().max(f64::MIN_POSITIVE) * 100.0;
            format!("{median:.0} ±{off:.0}%")
        },
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
mod tests {
    use super::*;
    use crate::report::tests::{sample_report, scripted_report};

    #[track_caller]
    fn check(report: &Report, expected: &[&str]) {
        let table = text(report);
        for expected in expected {
            assert!(table.contains(expected), "{expected}:\n{table}");
        }
    }

    #[test]
    fn tables_say_what_was_measured_and_no_more() {
        check(
            &sample_report(),
            &[
                "2026-11-21 19:10 UTC; ",
                "tidegate 1.2, nginx 1.2",
                "18.00 [12.00..24.00]",
                "0.750 [0.750..0.750]",
                "1.000 [1.000..1.000]",
                "the load's CPU 1 was saturated with nginx:",
                "rounds differ by more than 20 % with tidegate, nginx",
                "tidegate: /opt/tidegate",
                "haproxy: not installed, not measured",
                "3.0",
                "50 ±0%",
                "≤ 0.87",
                "met",
            ],
        );
    }

    #[test]
    fn what_a_script_costs_stands_beside_it() {
        check(
            &scripted_report(),
            &[
                "1.50 [1.00..2.00]",
                "5.50 [5.00..6.00]",
                "-4.00 [-5.00..-3.00]",
                "dgate: not measured: no\n",
                "times without script",
            ],
        );
    }
}
