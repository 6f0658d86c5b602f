//! The comparison as an SVG file: one panel per workload, one bar for each contestant's median CPU per request, a line
//! from the least to the most, and a dashed line at the baseline. Every scale starts at zero; a bar that is too long for
//! its panel is cut, visibly, and says its figure.

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
/// Bars end at this many times the baseline's: one slow contestant must not flatten the others.
const LONGEST: f64 = 2.6;

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
        ends[column] += panel(&mut body, measured, left, ends[column]) + MARGIN;
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

/// Draws a workload and gives the height it took.
fn panel(body: &mut String, measured: &Measured, left: f64, top: f64) -> f64 {
    let bars: Vec<(&Series, Spread)> =
        measured.series.iter().filter_map(|series| Some((series, series.cpu_us()?))).collect();
    let height = HEADING + bars.len() as f64 * ROW + 8.0;
    let _ = writeln!(
        body,
        "<rect x=\"{left}\" y=\"{top:.1}\" width=\"{PANEL}\" height=\"{height:.1}\" rx=\"6\" fill=\"#f6f8f9\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" font-size=\"13\">{}</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10.5\" fill=\"{FAINT}\">{}</text>",
        left + 12.0,
        top + 19.0,
        escaped(&measured.workload.name()),
        left + 12.0,
        top + 34.0,
        escaped(measured.workload.what()),
    );
    let baseline = measured.find(&measured.baseline).and_then(Series::cpu_us).map(|spread| spread.median);
    let longest = bars.iter().map(|(_, spread)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
    let most = baseline.map_or(longest, |baseline| longest.min(baseline * LONGEST));
    let x = |value: f64| left + LEFT + value.min(most) / most * (PANEL - LEFT - RIGHT);
    for (at, (series, spread)) in bars.iter().enumerate() {
        let y = top + HEADING + at as f64 * ROW;
        let ratio = measured.ratio_of(&series.name, &measured.baseline);
        bar(body, series, *spread, ratio, &measured.baseline, (y, left + LEFT, &x, most));
    }
    if let Some(baseline) = baseline {
        let bottom = top + height - 8.0;
        let _ = writeln!(
            body,
            "<path d=\"M{:.1} {:.1}V{bottom:.1}\" stroke=\"{INK}\" stroke-dasharray=\"3 3\" stroke-opacity=\"0.55\"/>",
            x(baseline),
            top + HEADING - 4.0
        );
    }
    height
}

/// One bar with its name and figures.
fn bar(
    body: &mut String,
    series: &Series,
    spread: Spread,
    ratio: Option<Spread>,
    baseline: &str,
    (y, start, x, most): (f64, f64, &dyn Fn(f64) -> f64, f64),
) {
    let (colour, weight) = match series.name.as_str() {
        "tidegate" => (OURS, "bold"),
        name if name == baseline => (BASE, "normal"),
        _ => (OTHERS, "normal"),
    };
    let middle = y + BAR / 2.0;
    let (end, min, max) = (x(spread.median), x(spread.min), x(spread.max));
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" font-weight=\"{weight}\">{}</text>\n\
         <rect x=\"{start:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>",
        start - 8.0,
        middle + 4.0,
        escaped(&series.name),
        end - start,
    );
    if spread.median > most {
        // Two strokes through the bar: it goes on.
        let _ = writeln!(
            body,
            "<path d=\"M{:.1} {:.1}l6 -{}M{:.1} {:.1}l6 -{}\" stroke=\"#fff\" stroke-width=\"2.5\"/>",
            end - 22.0,
            y + BAR,
            BAR,
            end - 16.0,
            y + BAR,
            BAR
        );
    } else {
        let _ = writeln!(
            body,
            "<path d=\"M{min:.1} {middle:.1}H{max:.1}M{min:.1} {:.1}v6M{max:.1} {:.1}v6\" stroke=\"{INK}\" \
             stroke-opacity=\"0.8\"/>",
            middle - 3.0,
            middle - 3.0
        );
    }
    if let Some(plain) = series.plain_us().filter(|plain| plain.median < most) {
        let at = x(plain.median);
        let _ = writeln!(body, "<path d=\"M{at:.1} {y:.1}v{BAR}\" stroke=\"#fff\" stroke-width=\"2\"/>");
    }
    let ratio = ratio.filter(|_| series.name != baseline);
    let ratio = ratio.map(|ratio| format!("  <tspan fill=\"{FAINT}\">{:.2}×</tspan>", ratio.median));
    let digits = if spread.median < 100.0 { 2 } else { 0 };
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"{weight}\" xml:space=\"preserve\">{:.digits$}{}</text>",
        max.max(end) + 8.0,
        middle + 4.0,
        spread.median,
        ratio.unwrap_or_default(),
    );
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
