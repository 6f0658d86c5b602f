//! The comparison as an SVG file: one panel per workload, one bar for each contestant's median CPU per request (at a
//! fixed rate: its median latency, and paler its 99th percentile), a line from the least to the most, a dashed line at
//! the baseline, and the workload's warnings below. Every scale starts at zero; a bar that is too long for its panel is cut, visibly,
//! and says its figure.

use crate::load::Load;
use crate::report::{Measured, Report, Series};
use crate::statistics::Spread;
use std::fmt::Write;

const PANEL: f64 = 560.0;
const COLUMNS: usize = 2;
const MARGIN: f64 = 20.0;
const TOP: f64 = 84.0;
/// Room for names, and for figures behind the longest bar.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 128.0;
const BAR: f64 = 17.0;
const ROW: f64 = 23.0;
const HEADING: f64 = 46.0;
/// Height of a line of a warning, and how many characters it has room for.
const WARNING: f64 = 13.0;
const CHARACTERS: usize = 98;
/// Bars end at this many times the baseline's: one slow contestant must not flatten the others.
const LONGEST: f64 = 2.6;

const GROUND: &str = "#f6f8f9";
const INK: &str = "#1c2b33";
const FAINT: &str = "#5f717b";
const OURS: &str = "#0a7f8c";
const BASE: &str = "#6b7c86";
const OTHERS: &str = "#b4c0c7";

/// The drawing.
pub(crate) fn svg(report: &Report) -> String {
    let panels: Vec<&Measured> =
        report.workloads.iter().filter(|measured| !measured.series.is_empty()).collect();
    let mut ends = [TOP; COLUMNS];
    let mut body = String::new();
    for measured in panels {
        // Into the column that is shorter, so that reading goes down and across.
        let column = if ends[0] <= ends[1] { 0 } else { 1 };
        let left = MARGIN + column as f64 * (PANEL + MARGIN);
        let warnings = measured.warnings(report.cpu, report.load_cpu);
        ends[column] += panel(&mut body, measured, &warnings, left, ends[column]) + MARGIN;
    }
    let width = MARGIN + COLUMNS as f64 * (PANEL + MARGIN);
    let height = ends.into_iter().fold(TOP, f64::max);
    let (machine, versions) = (escaped(&report.machine.line()), escaped(&report.versions()));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width} {height:.0}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"12\" \
         fill=\"{INK}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{MARGIN}\" y=\"30\" font-size=\"18\" font-weight=\"bold\">CPU time per request, µs (less is better)</text>\n\
         <text x=\"{MARGIN}\" y=\"50\" font-size=\"10.5\" fill=\"{FAINT}\">{machine}; medians of {} rounds of {} s, \
         thin line from least to most; × is the paired ratio to the dashed baseline</text>\n\
         <text x=\"{MARGIN}\" y=\"66\" font-size=\"10.5\" fill=\"{FAINT}\">{versions}</text>\n{body}</svg>\n",
        report.rounds, report.seconds
    )
}

/// What is drawn of a contestant.
struct Bar<'a> {
    name: &'a str,
    figure: Spread,
    /// A second figure, which is larger: drawn paler behind.
    behind: Option<f64>,
    /// A second figure, which is smaller: drawn as a white line within.
    within: Option<f64>,
    ratio: Option<Spread>,
}

fn bars(measured: &Measured) -> Vec<Bar<'_>> {
    let paced = measured.workload.paced();
    let bar = |series: &'_ Series| -> Option<Bar<'_>> {
        let p50 = |load: &Load| load.p50;
        let ratio = match paced {
            true => measured.latency_ratio(&series.name, &measured.baseline, p50),
            false => measured.ratio_of(&series.name, &measured.baseline),
        };
        let name = measured.series.iter().find(|it| it.name == series.name)?.name.as_str();
        Some(Bar {
            name,
            figure: if paced { series.latency(p50)? } else { series.cpu_us()? },
            behind: series.latency(|load| load.p99).filter(|_| paced).map(|spread| spread.median),
            within: series.plain_us().map(|spread| spread.median),
            ratio: ratio.filter(|_| series.name != measured.baseline),
        })
    };
    measured.series.iter().filter_map(bar).collect()
}

/// Draws a workload with its warnings below and gives the height it took.
fn panel(body: &mut String, measured: &Measured, warnings: &[String], left: f64, top: f64) -> f64 {
    let bars = bars(measured);
    let ours = measured.left_out.iter().find(|left_out| left_out.name == "tidegate");
    let rows = bars.len() + usize::from(ours.is_some());
    let warnings: Vec<String> =
        warnings.iter().flat_map(|warning| wrapped(&format!("! {warning}"))).collect();
    let height = HEADING + rows as f64 * ROW + 8.0 + warnings.len() as f64 * WARNING;
    let rate =
        measured.rate.map(|rate| format!("   {rate} requests/s: latency p50 / p99, µs")).unwrap_or_default();
    let _ = writeln!(
        body,
        "<rect x=\"{left}\" y=\"{top:.1}\" width=\"{PANEL}\" height=\"{height:.1}\" rx=\"6\" fill=\"{GROUND}\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" font-size=\"13\" xml:space=\"preserve\">{}<tspan \
         font-size=\"10.5\" font-weight=\"normal\" fill=\"{FAINT}\">{rate}</tspan></text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10.5\" fill=\"{FAINT}\">{}</text>",
        left + 12.0,
        top + 19.0,
        escaped(&measured.workload.name()),
        left + 12.0,
        top + 34.0,
        escaped(measured.workload.what()),
    );
    let baseline = bars.iter().find(|bar| bar.name == measured.baseline);
    let ends = |bar: &Bar| bar.behind.unwrap_or(bar.figure.max);
    let longest = bars.iter().map(ends).fold(f64::MIN_POSITIVE, f64::max);
    let most = baseline
        .map_or(longest, |baseline| longest.min(baseline.behind.unwrap_or(baseline.figure.median) * LONGEST));
    let x = |value: f64| left + LEFT + value.min(most) / most * (PANEL - LEFT - RIGHT);
    if let Some(baseline) = baseline {
        let _ = writeln!(
            body,
            "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"{INK}\" stroke-dasharray=\"3 3\" stroke-opacity=\"0.55\"/>",
            x(baseline.figure.median),
            top + HEADING - 4.0,
            top + HEADING + bars.len() as f64 * ROW
        );
    }
    let mut y = top + HEADING;
    for bar in &bars {
        draw(body, bar, &measured.baseline, (y, left + LEFT, &x, most));
        y += ROW;
    }
    if let Some(ours) = ours {
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"bold\">{}</text>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"{FAINT}\" font-style=\"italic\">{}</text>",
            left + LEFT - 8.0,
            y + 12.5,
            ours.name,
            left + LEFT,
            y + 12.5,
            escaped(ours.why.lines().next().unwrap_or_default()),
        );
    }
    for (at, warning) in warnings.iter().enumerate() {
        let y = top + height - 8.0 - (warnings.len() - 1 - at) as f64 * WARNING;
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"9.5\" fill=\"{FAINT}\">{}</text>",
            left + 12.0,
            escaped(warning)
        );
    }
    height
}

/// A text in lines that are no longer than a panel is wide.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| line.chars().count() + word.chars().count() < CHARACTERS) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// One bar with its name and figures.
fn draw(
    body: &mut String,
    bar: &Bar,
    baseline: &str,
    (y, start, x, most): (f64, f64, &dyn Fn(f64) -> f64, f64),
) {
    let Bar { name, figure, behind, within, ratio } = bar;
    let (colour, weight) = match *name {
        "tidegate" => (OURS, "bold"),
        name if name == baseline => (BASE, "normal"),
        _ => (OTHERS, "normal"),
    };
    let middle = y + BAR / 2.0;
    let (end, min, max) = (x(figure.median), x(figure.min), x(figure.max));
    let rect = |body: &mut String, end: f64, opacity: f64| {
        let _ = writeln!(
            body,
            "<rect x=\"{start:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\" \
             fill-opacity=\"{opacity}\"/>",
            end - start
        );
    };
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"{weight}\">{}</text>",
        start - 8.0,
        middle + 4.0,
        escaped(name),
    );
    let far = behind.map_or(end, x);
    behind.iter().for_each(|_| rect(body, far, 0.35));
    rect(body, end, 1.0);
    if behind.unwrap_or(figure.median) > most {
        // Two strokes through the bar: it goes on.
        let (first, second, bottom) = (far - 22.0, far - 16.0, y + BAR);
        let _ = writeln!(
            body,
            "<path d=\"M{first:.1} {bottom:.1}l6 -{BAR}M{second:.1} {bottom:.1}l6 -{BAR}\" stroke=\"#fff\" \
             stroke-width=\"2.5\"/>"
        );
    } else if max - min > 0.5 {
        let _ = writeln!(
            body,
            "<path d=\"M{min:.1} {middle:.1}H{max:.1}M{min:.1} {:.1}v6M{max:.1} {:.1}v6\" stroke=\"{INK}\" \
             stroke-opacity=\"0.8\"/>",
            middle - 3.0,
            middle - 3.0
        );
    }
    if let Some(within) = within.filter(|within| *within < most) {
        let at = x(within);
        let _ = writeln!(body, "<path d=\"M{at:.1} {y:.1}v{BAR}\" stroke=\"#fff\" stroke-width=\"2\"/>");
    }
    let ratio = ratio.map(|ratio| format!("  <tspan fill=\"{FAINT}\">{:.2}×</tspan>", ratio.median));
    let behind = behind.map(|behind| format!(" / {}", rounded(behind))).unwrap_or_default();
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"{weight}\" xml:space=\"preserve\" paint-order=\"stroke\" \
         stroke=\"{GROUND}\" stroke-width=\"3\">{}{behind}{}</text>",
        max.max(end).max(far) + 8.0,
        middle + 4.0,
        rounded(figure.median),
        ratio.unwrap_or_default(),
    );
}

/// As many digits as mean something.
fn rounded(value: f64) -> String {
    match value {
        value if value < 100.0 => format!("{value:.2}"),
        value if value < 10_000.0 => format!("{value:.0}"),
        value => format!("{:.0}k", value / 1e3),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;

    /// Widths of the bars, in order.
    fn widths(svg: &str) -> Vec<f64> {
        let bars = svg.split("<rect x=").skip(1).filter(|rect| rect.contains("rx=\"2\""));
        bars.filter_map(|rect| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn warnings_stand_below_their_workload() {
        let svg = svg(&sample_report());
        assert!(svg.contains(">! the load's CPU 1 was saturated"), "{svg}");
        assert!(svg.contains(">! rounds differ by more than 20 %"), "{svg}");
        let lines = wrapped(&"word ".repeat(60));
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= CHARACTERS), "{lines:?}");
    }

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let svg = svg(&sample_report());
        let widths = widths(&svg);
        assert_eq!(widths.len(), 2);
        assert!((widths[0] / widths[1] - 18.0 / 24.0).abs() < 0.01, "{widths:?}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(svg.contains("0.75×"), "{svg}");
        assert_eq!(escaped("a<b & c>"), "a&lt;b &amp; c&gt;");
    }

    #[test]
    fn a_bar_that_is_cut_says_so() {
        let mut report = sample_report();
        let slow = &mut report.workloads[0].series[0];
        slow.samples.iter_mut().for_each(|sample| sample.cpu_ns = Some(900_000_000));
        let svg = svg(&report);
        assert!((widths(&svg)[0] / widths(&svg)[1] - LONGEST).abs() < 0.01);
        assert!(
            svg.contains("stroke-width=\"2.5\"") && svg.contains(">900<tspan")
                || svg.contains(">900  <tspan")
        );
    }
}
