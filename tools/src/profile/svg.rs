//! A percentile plot as SVG: a panel for each row, one below the other, with the phases as stepped lines over axes of
//! nines and of time. Light background, text that stays text, nothing from elsewhere.

use super::axis::{Nines, Times};
use super::series::{PHASES, Row, Series};
use std::fmt::Write as _;

/// Colours that people tell apart whatever eyes they have, in the order of `PHASES`.
const COLORS: [&str; PHASES.len()] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777"];
/// Most panels; rows beyond it are in the table.
const MOST_PANELS: usize = 12;

const WIDTH: f64 = 960.0;
const PANEL: f64 = 430.0;
const TOP: f64 = 54.0;
/// The plot within its panel: left, right, top, bottom.
const PLOT: (f64, f64, f64, f64) = (70.0, 720.0, 38.0, 370.0);

/// The whole picture; `subtitle` says what was measured.
pub(crate) fn draw(rows: &[Row], subtitle: &str) -> String {
    let panels = rows.len().min(MOST_PANELS);
    let height = TOP + PANEL * panels as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"20\" y=\"26\" font-size=\"18\" font-weight=\"600\">Latency by percentile</text>\n\
         <text x=\"20\" y=\"45\" fill=\"#555\">{}</text>\n",
        escaped(subtitle)
    );
    for (at, row) in rows.iter().take(panels).enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">", TOP + PANEL * at as f64);
        panel(&mut svg, row);
        svg.push_str("</g>\n");
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, row: &Row) {
    let (left, right, top, bottom) = PLOT;
    let count = row.series.iter().map(|series| series.count).max().unwrap_or(1);
    let nines = Nines::of(count);
    let times = Times::of(row.series.iter().flat_map(|series| [series.at(0.0), series.max_us()]));
    let x = |place: f64| left + place * (right - left);
    let y = |place: f64| bottom - place * (bottom - top);
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"24\" font-size=\"14\" font-weight=\"600\">{}</text>",
        escaped(&row.title)
    );
    for (place, text, is_decade) in times.ticks() {
        let (at, color) = (y(place), if is_decade { "#bbb" } else { "#e8e8e8" });
        let _ = writeln!(svg, "<path d=\"M{left} {at:.1}H{right}\" stroke=\"{color}\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left - 8.0,
            at + 4.0
        );
    }
    for (place, text) in nines.ticks() {
        let at = x(place);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/>");
        let _ =
            writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", bottom + 18.0);
    }
    let _ = writeln!(svg, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#555\"/>");
    let middle = (left + right) / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">percentile</text>",
        bottom + 38.0
    );
    // The gateway's own time last, so that nothing hides it.
    let mut order: Vec<&Series> = row.series.iter().collect();
    order.sort_by_key(|series| (series.phase == 1, std::cmp::Reverse(series.phase)));
    for series in order {
        let width = if series.phase <= 1 { 2.5 } else { 1.6 };
        let mut path = String::new();
        for point in &series.points {
            // All in the last cell of the axis is one place.
            let (at, up) = (x(nines.place(point.share)), y(times.place(point.us)));
            let _ = match path.is_empty() {
                true => write!(path, "M{at:.1} {up:.1}"),
                false => write!(path, "V{up:.1}H{at:.1}"),
            };
        }
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
            COLORS[series.phase]
        );
    }
    legend(svg, row);
}

fn legend(svg: &mut String, row: &Row) {
    let (right, top) = (PLOT.1, PLOT.2);
    let column = |svg: &mut String, x: f64, y: f64, text: &str| {
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{text}</text>");
    };
    let _ = writeln!(svg, "<g fill=\"#555\">");
    for (at, text) in [(162.0, "p50"), (222.0, "p99")] {
        column(svg, right + at, top + 4.0, text);
    }
    svg.push_str("</g>\n");
    for (line, series) in row.series.iter().enumerate() {
        let y = top + 24.0 + line as f64 * 21.0;
        let (from, color) = (right + 16.0, COLORS[series.phase]);
        let _ = writeln!(svg, "<path d=\"M{from} {}h14\" stroke=\"{color}\" stroke-width=\"4\"/>", y - 4.0);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{}</text>", from + 20.0, short_title(series.phase));
        column(svg, right + 162.0, y, &crate::stats::microseconds(series.p50_us));
        column(svg, right + 222.0, y, &crate::stats::microseconds(series.p99_us));
    }
}

/// A title that fits the legend.
fn short_title(phase: usize) -> &'static str {
    match PHASES[phase].key {
        "first_byte" => "first byte",
        "connect" => "connect",
        _ => PHASES[phase].title,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::series::{rows, tests::answer};
    use super::*;

    #[test]
    fn a_picture_has_a_panel_a_row_and_a_line_a_phase() {
        let mut profile = answer();
        profile["by"] = "route".into();
        profile["rows"][0]["key"] = "n/<r>&co".into();
        let one = rows(&profile);
        let svg = draw(&one, "10 s & more");
        assert_eq!(svg.matches("<g transform").count(), 1);
        for color in &COLORS[..2] {
            assert_eq!(svg.matches(&format!("fill=\"none\" stroke=\"{color}\"")).count(), 1, "{svg}");
        }
        assert!(
            svg.contains("route n/&lt;r&gt;&amp;co")
                && svg.contains("10 s &amp; more")
                && !svg.contains("NaN")
        );
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
        let row = || rows(&profile).remove(0);
        let many: Vec<Row> = std::iter::repeat_with(row).take(40).collect();
        assert_eq!(draw(&many, "").matches("<g transform").count(), MOST_PANELS);
        assert!(draw(&[], "").ends_with("</svg>\n"));
    }
}
