//! What the ways came to, as a table and as JSON.

use super::relay::Figures;
use super::{Measured, Row};
use crate::statistics::{Spread, paired, spread};
use crate::table::align;
use serde_json::{Value, json};
use std::fmt::Write;

type Figure = fn(&Figures) -> f64;

fn cpu_us(figures: &Figures) -> f64 {
    figures.cpu_ns as f64 / 1e3 / figures.requests as f64
}

fn busy(figures: &Figures) -> f64 {
    figures.cpu_ns as f64 / figures.wall_ns as f64
}

fn batch(figures: &Figures) -> f64 {
    figures.completions as f64 / figures.turns as f64
}

fn operations(figures: &Figures) -> f64 {
    figures.completions as f64 / figures.requests as f64
}

fn rate(figures: &Figures) -> f64 {
    figures.requests as f64 * 1e9 / figures.wall_ns as f64
}

impl Row {
    fn of(&self, figure: Figure) -> Option<Spread> {
        spread(self.rounds.iter().map(figure))
    }

    /// CPU time per request as a share of another's, round by round.
    fn share(&self, of: &Self) -> Option<Spread> {
        let times = |row: &Self| row.rounds.iter().map(cpu_us).collect::<Vec<_>>();
        paired(&times(self), &times(of))
    }

    fn count(&self, of: fn(&Figures) -> u64) -> u64 {
        self.rounds.iter().map(of).sum()
    }
}

/// For people.
pub(crate) fn table(measured: &[Measured]) -> String {
    let mut text = String::new();
    for Measured { connections, rows } in measured {
        let rounds = rows.first().map_or(0, |row| row.rounds.len());
        let _ = writeln!(text, "{connections} connections, medians of {rounds} rounds");
        let header = ["", "CPU µs/request", "vs plain", "completions/turn", "busy", "requests/s", ""];
        let mut cells = vec![header.map(String::from).to_vec()];
        cells.extend(rows.iter().map(|row| {
            vec![
                row.way.name.into(),
                shown(row.of(cpu_us), 2),
                shown(row.share(&rows[0]), 3),
                shown(row.of(batch), 1),
                shown(row.of(busy), 2),
                shown(row.of(rate), 0),
                format!("{:<72}", row.way.what),
            ]
        }));
        align(&mut text, &cells);
        text.push('\n');
    }
    text.push_str(
        "CPU time of the relay's thread alone. Less is better. Shares are medians of the ratios within each round [extremes]\n",
    );
    text
}

fn shown(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(
        || "-".into(),
        |Spread { median, min, max }| format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]"),
    )
}

/// For programs.
pub(crate) fn json(measured: &[Measured]) -> Value {
    let spread = |of: Option<Spread>| of.map(|s| json!({"median": s.median, "min": s.min, "max": s.max}));
    let row = |row: &Row, plain: &Row| {
        json!({
            "way": row.way.name, "what": row.way.what,
            "cpu_us": spread(row.of(cpu_us)),
            "share_of_plain": spread(row.share(plain)),
            "completions_per_turn": spread(row.of(batch)),
            "completions_per_request": spread(row.of(operations)),
            "busy": spread(row.of(busy)),
            "requests_per_second": spread(row.of(rate)),
            "requests": row.count(|figures| figures.requests),
            "stamps": row.count(|figures| figures.stamps),
            "rearmed": row.count(|figures| figures.rearmed),
        })
    };
    let one = |m: &Measured| {
        let rows: Vec<Value> = m.rows.iter().map(|of| row(of, &m.rows[0])).collect();
        json!({"connections": m.connections, "ways": rows})
    };
    Value::Array(measured.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::super::way::WAYS;
    use super::*;

    fn rows() -> Vec<Measured> {
        let figures = |cpu_ns| Figures {
            requests: 100,
            cpu_ns,
            wall_ns: 2_000_000,
            turns: 40,
            completions: 400,
            stamps: 3,
            rearmed: 0,
        };
        // The second round was twice as slow for both: the share does not see it.
        let row = |at: usize, rounds: [u64; 2]| Row { way: &WAYS[at], rounds: rounds.map(figures).to_vec() };
        let rows = vec![row(0, [1_000_000, 2_000_000]), row(2, [900_000, 1_800_000])];
        vec![Measured { connections: 64, rows }]
    }

    #[test]
    fn tables_have_medians_and_shares() {
        let text = table(&rows());
        for expected in
            ["64 connections, medians of 2 rounds", "15.00 [10.00..20.00]", "0.900 [0.900..0.900]", "10.0"]
        {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }

    #[test]
    fn programs_get_the_same() {
        let told = json(&rows());
        let fixed = &told[0]["ways"][1];
        assert_eq!((told[0]["connections"].as_u64(), fixed["way"].as_str()), (Some(64), Some("fixed")));
        assert_eq!(fixed["share_of_plain"]["median"].as_f64(), Some(0.9));
        assert_eq!(fixed["completions_per_request"]["median"].as_f64(), Some(4.0));
        assert_eq!((fixed["stamps"].as_u64(), fixed["requests"].as_u64()), (Some(6), Some(200)));
    }
}
