//! The comparison as an SVG file: per workload one bar for each contestant's median CPU per request, with a line from
//! the least to the most. Scales start at zero; a longer bar never means less.

use crate::report::Report;
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 150.0;
const BAR: f64 = 22.0;
const GAP: f64 = 8.0;
const HEADING: f64 = 34.0;
const COLOURS: &[(&str, &str)] = &[
    ("tidegate", "#0b7285"),
    ("nginx", "#868e96"),
    ("nginx-njs", "#868e96"),
    ("nginx-lua", "#868e96"),
    ("haproxy", "#adb5bd"),
    ("haproxy-lua", "#adb5bd"),
    ("dgate", "#ced4da"),
];

/// The drawing. Of a workload with a script, the bar's part right of the white line is what the script costs.
pub(crate) fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = 44.0;
    for measured in &report.workloads {
        let spreads: Vec<_> = measured
            .series
            .iter()
            .filter_map(|series| Some((series.name.as_str(), series.cpu_us()?, series.plain_us())))
            .collect();
        let most = spreads.iter().map(|(_, spread, _)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
        let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - RIGHT);
        y += HEADING;
        let (name, what) = (measured.workload.name(), escaped(measured.workload.what()));
        let _ = writeln!(
            body,
            "<text x=\"12\" y=\"{:.1}\"><tspan font-weight=\"bold\">{name}</tspan> {what}</text>",
            y - 10.0
        );
        for (name, spread, plain) in spreads {
            let colour =
                COLOURS.iter().find(|(known, _)| *known == name).map_or("#ced4da", |(_, colour)| colour);
            let middle = y + BAR / 2.0;
            let (end, min, max) = (x(spread.median), x(spread.min), x(spread.max));
            let _ = writeln!(
                body,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
                 <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
                 <path d=\"M{min:.1} {middle:.1}H{max:.1}M{min:.1} {:.1}v8M{max:.1} {:.1}v8\" stroke=\"#212529\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\">{:.2} µs</text>",
                LEFT - 8.0,
                middle + 4.5,
                escaped(name),
                end - LEFT,
                middle - 4.0,
                middle - 4.0,
                max + 8.0,
                middle + 4.5,
                spread.median,
            );
            if let Some(plain) = plain {
                let at = x(plain.median);
                let _ =
                    writeln!(body, "<path d=\"M{at:.1} {y:.1}v{BAR}\" stroke=\"#fff\" stroke-width=\"2\"/>");
            }
            y += BAR + GAP;
        }
    }
    let height = y + 12.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\">CPU per request (µs, less is better)</text>\n\
         <text x=\"12\" y=\"42\" fill=\"#495057\">median of {} rounds of {} s, line from least to most; one core \
         each</text>\n{body}</svg>\n",
        report.rounds, report.seconds
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample_report;

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let svg = svg(&sample_report());
        let widths: Vec<f64> = svg
            .split("<rect x=")
            .skip(1)
            .filter_map(|rect| rect.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths.len(), 2);
        assert!((widths[0] / widths[1] - 18.0 / 24.0).abs() < 0.01, "{widths:?}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert_eq!(escaped("a<b & c>"), "a&lt;b &amp; c&gt;");
    }
}
