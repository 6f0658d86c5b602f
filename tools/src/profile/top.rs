//! `tidegate top`: asks again every interval and shows rates, errors and percentiles as tables. On a terminal the newest
//! ones take the place of those before; everywhere else each interval is printed below the last.

use super::series;
use super::words::{By, Top};
use crate::answer;
use crate::failure::{Exit, Failure};
use crate::options::Output;
use crate::request::Request;
use crate::stats;
use crate::table::{self, Style};
use crate::terminal::{self, Keys};
use crate::wire::Wire;
use serde_json::{Map, Value};
use std::io::Write;
use std::time::{Duration, Instant};

/// Columns of a row besides its name, rate and errors: heading, phase, percentile.
const COLUMNS: [(&str, &str, &str); 8] = [
    ("p50", "total", "p50_us"),
    ("p99", "total", "p99_us"),
    ("p99.9", "total", "p99_9_us"),
    ("tax p50", "tax", "p50_us"),
    ("tax p99", "tax", "p99_us"),
    ("modules p99", "module", "p99_us"),
    ("upstream p50", "first_byte", "p50_us"),
    ("upstream p99", "first_byte", "p99_us"),
];
/// Those of modules, which have no other time than their own.
const OF_MODULES: [(&str, &str, &str); 3] =
    [("p50", "module", "p50_us"), ("p99", "module", "p99_us"), ("p99.9", "module", "p99_9_us")];

/// Runs until q, Ctrl-C, or nobody reads any more.
pub(crate) fn run(
    wire: &mut Wire<'_>,
    top: &Top,
    (output, style): (Output, Style),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let is_live = style.width.is_some() && output == Output::Table && !top.once;
    let keys = if is_live { Keys::open() } else { None };
    let (mut above, mut was_there) = (0, false);
    loop {
        let began = Instant::now();
        let text = match ask(wire, top) {
            Ok(profiles) => {
                was_there = true;
                shown(&profiles, top, output, style)
            }
            Err(failure) if was_there && failure.exit == Exit::Unreachable => {
                "waiting for the gateway\n".into()
            }
            Err(failure) => return Err(failure),
        };
        let text = if is_live { fitted(&text, terminal::lines()) } else { text };
        // Up over what stands there, and away with it.
        let back = if is_live && above > 0 { format!("\x1b[{above}F\x1b[J") } else { String::new() };
        above = text.lines().count();
        if out.write_all(format!("{back}{text}").as_bytes()).and_then(|()| out.flush()).is_err() || top.once {
            return Ok(());
        }
        let left = top.interval.saturating_sub(began.elapsed()).max(Duration::from_millis(20));
        match &keys {
            Some(keys) if keys.ended_within(left) => return Ok(()),
            Some(_) => {}
            None => std::thread::sleep(left),
        }
    }
}

/// What the API says, one profile for each kind of rows.
fn ask(wire: &mut Wire<'_>, top: &Top) -> Result<Vec<(By, Value)>, Failure> {
    let mut profiles: Vec<(By, Value)> = top.by.iter().map(|by| (*by, Value::Null)).collect();
    // Rows that shards begin to keep when they are asked come first: what they measure meanwhile is there for the others.
    let mut order: Vec<usize> = (0..profiles.len()).collect();
    order.sort_by_key(|at| !profiles[*at].0.is_asked_for());
    for (place, at) in order.into_iter().enumerate() {
        let by = profiles[at].0;
        let wait = top.once && (by.is_asked_for() || place == 0);
        let request = Request::get(&top.target(by, wait), "show", "the latency profile");
        profiles[at].1 = answer::data(wire.send(&request)?, &request)?;
    }
    Ok(profiles)
}

fn shown(profiles: &[(By, Value)], top: &Top, output: Output, style: Style) -> String {
    if output != Output::Table {
        let all: Map<String, Value> =
            profiles.iter().map(|(by, profile)| (by.name().to_owned(), profile.clone())).collect();
        let all = Value::Object(all);
        return match output {
            Output::Json if !top.once => format!("{all}\n"),
            Output::Yaml if !top.once => format!("---\n{}", answer::text(None, &all, output, style)),
            _ => answer::text(None, &all, output, style),
        };
    }
    let mut text = String::new();
    for (by, profile) in profiles {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &listing(*by, profile, style);
    }
    if !top.once {
        text.push('\n');
    }
    text
}

/// A whole number with its thousands set apart, or a small one with its digits.
fn rate(value: &Value) -> String {
    match value.as_f64() {
        None => "-".into(),
        Some(0.0) => "0".into(),
        Some(rate) if rate < 100.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

fn listing(by: By, profile: &Value, style: Style) -> String {
    let rows = profile["rows"].as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        return format!(
            "no {} served anything in the last {:.0} s\n",
            by.name(),
            profile["seconds"].as_f64().unwrap_or(0.0)
        );
    }
    let columns: &[(&str, &str, &str)] = if by == By::Module { &OF_MODULES } else { &COLUMNS };
    let names = [by.name(), "rate/s", "errors/s"].into_iter().chain(columns.iter().map(|(name, ..)| *name));
    let header: Vec<String> = names.map(str::to_owned).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let title = series::title(by.name(), &row["key"]);
            let key = title.strip_prefix(by.name()).map_or(title.as_str(), str::trim_start);
            let mut cells = vec![if key.is_empty() { title.clone() } else { key.to_owned() }];
            cells.extend([rate(&row["requests_per_second"]), rate(&row["errors_per_second"])]);
            cells.extend(
                columns.iter().map(|(_, phase, figure)| stats::duration(&row["phases"][phase][figure])),
            );
            cells
        })
        .collect();
    let mut text = table::render(Some(&header), &cells, style);
    let total = profile["rows_total"].as_u64().unwrap_or_default();
    if total > rows.len() as u64 {
        text += &format!("and {} more\n", total - rows.len() as u64);
    }
    text + &refused(profile)
}

/// How many exchanges have no row of their own, where there are any.
pub(super) fn refused(profile: &Value) -> String {
    match profile["rows_refused"].as_u64() {
        None | Some(0) => String::new(),
        Some(refused) => format!(
            "{refused} exchanges found no room for a row of their own and are in `others`: see --profile-rows of serve\n"
        ),
    }
}

/// As many lines as the terminal has room for.
fn fitted(text: &str, lines: Option<usize>) -> String {
    let most = lines.unwrap_or(usize::MAX).saturating_sub(1).max(1);
    text.lines().take(most).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::series::tests::answer;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_shows_rates_and_percentiles() {
        let mut profile = answer();
        profile["rows_total"] = 3.into();
        profile["rows_refused"] = 7.into();
        let text = listing(By::Node, &profile, Style::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "NODE  RATE/S  ERRORS/S  P50      P99      P99.9    TAX P50  TAX P99  MODULES P99  UPSTREAM P50  UPSTREAM P99"
        );
        assert_eq!(
            lines[1],
            "node  100     0.3       100.0µs  900.0µs  10.00ms  10.0µs   12.5µs   -            -             -"
        );
        assert_eq!(
            lines[2..],
            [
                "and 2 more",
                "7 exchanges found no room for a row of their own and are in `others`: see --profile-rows of serve"
            ]
        );
        let none = json!({ "rows": [], "seconds": 1.0 });
        assert_eq!(listing(By::Route, &none, Style::default()), "no route served anything in the last 1 s\n");
    }

    #[test]
    fn rows_are_called_what_they_are() {
        for (by, key, name) in [
            (By::Shard, "0", "0"),
            (By::Route, "n/r", "n/r"),
            (By::Route, "", "no route"),
            (By::Module, "n/m", "n/m"),
        ] {
            let mut profile = answer();
            profile["rows"][0]["key"] = key.into();
            let text = listing(by, &profile, Style::default());
            assert!(text.lines().nth(1).is_some_and(|line| line.starts_with(&format!("{name}  "))), "{text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(json!(null), "-"), (json!(0), "0"), (json!(0.25), "0.2"), (json!(12_345.6), "12346")]
        {
            assert_eq!(rate(&value), text);
        }
        assert_eq!(fitted("a\nb\nc\n", Some(3)), "a\nb\n");
        assert_eq!(fitted("a\nb\n", None), "a\nb\n");
    }
}
