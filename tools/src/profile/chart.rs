//! A percentile plot as text: a line of its own sign for each phase, the times up the side, the nines along the bottom.
//! Lines that are drawn later lie on top, the gateway's own time last.

use super::axis::{Nines, Times};
use super::series::{PHASES, Row};
use crate::table::Style;

/// Sign and colour of each phase, in the order of `PHASES`.
const SIGNS: [(char, &str); PHASES.len()] = [
    ('●', "\x1b[34m"),
    ('◆', "\x1b[31;1m"),
    ('▲', "\x1b[32m"),
    ('■', "\x1b[35m"),
    ('○', "\x1b[33m"),
    ('◇', "\x1b[36m"),
    ('△', "\x1b[37m"),
];
/// What is drawn when: the whole and the gateway's part of it are never hidden.
const ORDER: [usize; PHASES.len()] = [6, 5, 3, 2, 4, 0, 1];
const HEIGHT: usize = 16;
const WIDEST: usize = 100;
const NARROWEST: usize = 24;
/// Room for the times at the side.
const SIDE: usize = 7;

/// The plot; empty for nothing.
pub(crate) fn draw(row: &Row, style: Style) -> String {
    let Some(count) = row.series.iter().map(|series| series.count).max() else { return String::new() };
    let width = style.width.unwrap_or(80).min(WIDEST).saturating_sub(SIDE + 2).max(NARROWEST);
    let nines = Nines::of(count);
    let times = Times::of(row.series.iter().flat_map(|series| [series.at(0.0), series.max_us()]));
    let up = |us: f64| ((1.0 - times.place(us)) * (HEIGHT - 1) as f64).round() as usize;
    let mut cells = vec![[None; HEIGHT]; width];
    for phase in ORDER {
        let Some(series) = row.series.iter().find(|series| series.phase == phase) else { continue };
        let mut before = None;
        for (column, cells) in cells.iter_mut().enumerate() {
            let here = up(series.at(nines.share(column as f64 / (width - 1) as f64)));
            // A step is a line, too.
            let from = before.map_or(here, |before: usize| before.saturating_sub(1).max(here));
            cells[here..=from].fill(Some(phase));
            before = Some(here);
        }
    }
    let paint = |phase: usize| {
        let (sign, color) = SIGNS[phase];
        if style.color { format!("{color}{sign}\x1b[0m") } else { sign.to_string() }
    };
    let mut labels = vec![String::new(); HEIGHT];
    // Decades matter more than what is between them.
    let mut ticks = times.ticks();
    ticks.sort_by_key(|(.., is_decade)| *is_decade);
    for (place, text, _) in ticks {
        labels[((1.0 - place) * (HEIGHT - 1) as f64).round() as usize] = text;
    }
    let mut text = String::new();
    for (line, label) in labels.iter().enumerate() {
        let mark = if label.is_empty() { '│' } else { '┤' };
        text += &format!("{label:>SIDE$} {mark}");
        let drawn: String =
            cells.iter().map(|column| column[line].map_or_else(|| " ".into(), paint)).collect();
        text += drawn.trim_end();
        text.push('\n');
    }
    text += &bottom(nines, width);
    let legend: Vec<String> = row
        .series
        .iter()
        .map(|series| format!("{} {}", paint(series.phase), PHASES[series.phase].title))
        .collect();
    format!("{text}{:SIDE$}  {}\n", "", legend.join("   "))
}

/// The axis of percentiles: a line with ticks, and what stands below them.
fn bottom(nines: Nines, width: usize) -> String {
    let mut line: Vec<char> = vec!['─'; width];
    let mut below = vec![' '; width];
    let mut free = 0;
    for (place, text) in nines.ticks() {
        let at = (place * (width - 1) as f64).round() as usize;
        line[at] = '┴';
        let length = text.chars().count();
        let from = at.saturating_sub(length / 2).min(below.len() - length);
        if from >= free {
            below.splice(from..from + length, text.chars());
            free = from + length + 1;
        }
    }
    let (line, below): (String, String) = (line.into_iter().collect(), below.into_iter().collect());
    format!("{:SIDE$} └{line}\n{:SIDE$}  {}\n", "", "", below.trim_end())
}

#[cfg(test)]
mod tests {
    use super::super::series::{rows, tests::answer};
    use super::*;

    #[test]
    fn a_plot_shows_every_phase_where_it_lies() {
        let row = &rows(&answer())[0];
        let text = draw(row, Style { width: Some(60), color: false });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), HEIGHT + 3, "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{text}");
        // The longest is the total, at the right; the shortest the tax, at the left.
        assert!(lines[0].starts_with("   10ms ┤") && lines[0].ends_with('●'), "{text}");
        assert!(lines[HEIGHT - 1].starts_with("   10µs ┤◆◆◆"), "{text}");
        assert!(lines[HEIGHT + 1].contains("90%") && lines[HEIGHT + 1].ends_with("99.9%"), "{text}");
        assert_eq!(lines[HEIGHT + 2].trim(), "● total   ◆ gateway tax");
        assert!(draw(row, Style { width: None, color: true }).contains("\x1b[31;1m◆\x1b[0m"));
    }

    #[test]
    fn odd_ones_are_drawn_or_left() {
        assert_eq!(draw(&Row { title: "node".into(), series: Vec::new() }, Style::default()), "");
        let mut one = answer();
        one["rows"][0]["phases"]["total"]["points"] = serde_json::json!([[0.0, 0.0, 1], [0.0, 1.0, 1]]);
        let text = draw(&rows(&one)[0], Style { width: Some(1), color: false });
        assert!(text.contains('●') && text.contains('◆'), "{text}");
    }
}
