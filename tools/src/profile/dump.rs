//! `tidegate profile`: measures from now on, says how far it is, and shows a table of percentiles for each row and a plot;
//! into files where that is asked for. The gateway measures; what is shown is what it answered.

use super::series::{self, PHASES};
use super::words::Dump;
use super::{chart, hgrm, svg, top};
use crate::answer;
use crate::failure::{Exit, Failure};
use crate::options::Output;
use crate::request::Request;
use crate::stats;
use crate::table::{self, Style};
use crate::wire::{Opened, Wire};
use serde_json::Value;
use std::io::{self, BufRead};
use std::path::Path;

/// Columns of a phase: heading, figure.
const FIGURES: [(&str, &str); 7] = [
    ("mean", "mean_us"),
    ("p50", "p50_us"),
    ("p90", "p90_us"),
    ("p99", "p99_us"),
    ("p99.9", "p99_9_us"),
    ("p99.99", "p99_99_us"),
    ("max", "max_us"),
];

/// Measures; answers the text for the output, and what to note beside. `progress` is told how far it is.
pub(crate) fn run(
    wire: &mut Wire<'_>,
    dump: &Dump,
    (output, style): (Output, Style),
    progress: &mut dyn FnMut(&str),
) -> Result<(String, String), Failure> {
    // What cannot be written is said before half an hour is spent on it.
    if let Some(path) = &dump.svg {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
        opened.map_err(|error| unwritten(path, &error))?;
    }
    if let Some(path) = &dump.hgrm {
        // Its own name is only the front of the names that are written.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::read_dir(folder).map_err(|error| unwritten(path, &error))?;
    }
    let request = Request::get(&dump.target(), "measure", "the latency profile");
    let mut profile = match wire.open(&request)? {
        Opened::Lines(lines) => measured(lines, progress),
        Opened::Other(answer) => {
            answer::data(answer, &request)?;
            None
        }
    }
    .ok_or_else(|| {
        Failure::new(Exit::Unreachable, "the gateway ended before it had measured")
            .hint("look at its log, and measure again")
    })?;
    let rows = series::rows(&profile);
    let mut note = String::new();
    let mut write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| unwritten(path, &error))?;
        note += &format!("wrote {}\n", path.display());
        Ok::<(), Failure>(())
    };
    if let Some(path) = &dump.svg {
        write(path, &svg::draw(&rows, &subtitle(&profile)))?;
    }
    if let Some(path) = &dump.hgrm {
        hgrm::files(path, &rows).iter().try_for_each(|(path, text)| write(path, text))?;
    }
    if output != Output::Table {
        without_points(&mut profile);
        return Ok((answer::text(None, &profile, output, style), note));
    }
    if rows.is_empty() {
        note += &format!("no {} served anything in this time\n", dump.by.name());
    }
    note += &top::refused(&profile);
    let mut text = tables(&profile, style);
    // One plot is worth looking at; many are for the file.
    if let [row] = &rows[..] {
        text += &format!("\n{}", chart::draw(row, style));
    } else if rows.len() > 1 && dump.svg.is_none() {
        note += "give one row with --key, or a file with --svg, to see the plot\n";
    }
    Ok((text, note))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Refused, "the measurement could not be written")
        .at(path.display().to_string())
        .why(error.to_string())
}

/// Reads to the profile, which comes last.
fn measured(lines: impl BufRead, progress: &mut dyn FnMut(&str)) -> Option<Value> {
    for line in lines.lines().map_while(Result::ok) {
        let mut line: Value = serde_json::from_str(&line).ok()?;
        if line["kind"] == "profile" {
            return Some(line["data"].take());
        }
        let number = |name: &str| line[name].as_f64().unwrap_or_default();
        progress(&format!("{:.0} of {:.0} s, {} counted", number("seconds"), number("of"), number("count")));
    }
    None
}

/// `30.0 s on 2 shards`.
fn subtitle(profile: &Value) -> String {
    let count: u64 =
        profile["rows"].as_array().into_iter().flatten().filter_map(|row| row["count"].as_u64()).sum();
    let seconds = profile["seconds"].as_f64().unwrap_or_default();
    format!("{count} exchanges in {seconds:.1} s on {} shards", table::cell(&profile["shards"]))
}

fn tables(profile: &Value, style: Style) -> String {
    let by = profile["by"].as_str().unwrap_or_default();
    let seconds = profile["seconds"].as_f64().unwrap_or_default();
    let rows = profile["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let names = ["phase", "count"].into_iter().chain(FIGURES.map(|(name, _)| name));
    let header: Vec<String> = names.map(str::to_owned).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<Vec<String>> = PHASES
            .iter()
            .filter(|phase| row["phases"][phase.key].is_object())
            .map(|phase| {
                let told = &row["phases"][phase.key];
                let mut cells = vec![phase.title.to_owned(), table::cell(&told["count"])];
                cells.extend(FIGURES.map(|(_, figure)| stats::duration(&told[figure])));
                cells
            })
            .collect();
        let errors = row["errors"].as_u64().map(|errors| format!(", {errors} errors")).unwrap_or_default();
        let gap = if text.is_empty() { "" } else { "\n" };
        text += &format!(
            "{gap}{}: {} in {seconds:.1} s, {}/s{errors}\n",
            series::title(by, &row["key"]),
            table::cell(&row["count"]),
            table::cell(&row["requests_per_second"]),
        );
        text += &table::render(Some(&header), &cells, style);
    }
    text
}

/// The points are for plots.
fn without_points(profile: &mut Value) {
    let rows = profile["rows"].as_array_mut().into_iter().flatten();
    for phase in rows.filter_map(|row| row["phases"].as_object_mut()).flat_map(|phases| phases.values_mut()) {
        if let Some(phase) = phase.as_object_mut() {
            phase.remove("points");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::tests::answer;
    use super::*;

    #[test]
    fn what_is_measured_is_read_to_its_end() {
        let last = serde_json::json!({ "kind": "profile", "data": answer() });
        let lines = format!("{{\"kind\":\"progress\",\"seconds\":1.2,\"of\":10.0,\"count\":77}}\n{last}\n");
        let mut told = Vec::new();
        let profile = measured(lines.as_bytes(), &mut |text| told.push(text.to_owned())).expect("a profile");
        assert_eq!((profile, told), (answer(), vec!["1 of 10 s, 77 counted".to_owned()]));
        for cut in ["", "{\"kind\":\"progress\"}\n", "{\"kind\":\"prof"] {
            assert!(measured(cut.as_bytes(), &mut |_| {}).is_none(), "{cut}");
        }
    }

    #[test]
    fn a_table_for_each_row() {
        let text = tables(&answer(), Style::default());
        assert_eq!(
            text,
            "node: 1000 in 10.0 s, 100.0/s, 3 errors\n\
             PHASE        COUNT  MEAN     P50      P90      P99      P99.9    P99.99   MAX\n\
             total        1000   100.0µs  100.0µs  100.0µs  900.0µs  10.00ms  10.00ms  10.00ms\n\
             gateway tax  1000   10.0µs   10.0µs   10.0µs   12.5µs   20.0µs   20.0µs   20.0µs\n"
        );
        assert_eq!(subtitle(&answer()), "1000 exchanges in 10.0 s on 2 shards");
        let mut profile = answer();
        without_points(&mut profile);
        assert!(!profile.to_string().contains("points") && profile.to_string().contains("p99_us"));
    }
}
