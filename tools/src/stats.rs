//! The stats of a module as tables: what its functions did and how long it took, its runtimes, its bounds. Text is made
//! from what the gateway answers; what it adds later is left out here and is there with `-o json`.

use crate::table::{self, Style};
use serde_json::Value;

/// Columns of a distribution: key in the answer, heading.
const TIMES: [(&str, &str); 6] = [
    ("mean_us", "mean"),
    ("p50_us", "p50"),
    ("p90_us", "p90"),
    ("p99_us", "p99"),
    ("p99_9_us", "p99.9"),
    ("max_us", "max"),
];

/// Microseconds for people; `-` where there are none.
pub(crate) fn duration(us: &Value) -> String {
    us.as_f64().map_or_else(|| "-".into(), microseconds)
}

/// The same of a number.
pub(crate) fn microseconds(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.1}µs"),
        us if us < 1_000_000.0 => format!("{:.2}ms", us / 1_000.0),
        us => format!("{:.2}s", us / 1_000_000.0),
    }
}

/// Bytes for people.
fn size(bytes: &Value) -> String {
    match bytes.as_f64() {
        None => "-".into(),
        Some(bytes) if bytes < 1_024.0 => format!("{bytes}B"),
        Some(bytes) if bytes < 1_048_576.0 => format!("{:.1}KiB", bytes / 1_024.0),
        Some(bytes) => format!("{:.1}MiB", bytes / 1_048_576.0),
    }
}

/// `thrown 2, cpu_time 1`.
fn errors(errors: &Value) -> String {
    let all = errors.as_object().into_iter().flatten();
    let shown: Vec<String> =
        all.map(|(cause, count)| format!("{} {}", table::printable(cause), table::cell(count))).collect();
    if shown.is_empty() { "-".into() } else { shown.join(", ") }
}

/// All of it.
pub(crate) fn text(stats: &Value, style: Style) -> String {
    let mut text = functions(&stats["functions"], style);
    let shards = stats["shards"].as_array().map_or(&[][..], Vec::as_slice);
    if !shards.is_empty() {
        let header = ["shard", "memory", "contexts", "leased"].map(str::to_owned);
        let rows: Vec<Vec<String>> = shards
            .iter()
            .map(|shard| {
                vec![
                    table::cell(&shard["shard"]),
                    size(&shard["memory_bytes"]),
                    table::cell(&shard["contexts"]),
                    table::cell(&shard["leased"]),
                ]
            })
            .collect();
        text += &format!("\n{}", table::render(Some(&header), &rows, style));
    }
    let mut rows = vec![vec!["module".into(), table::cell(&stats["module"])]];
    if stats["is_run_by_a_route"] == false {
        rows.push(vec!["routes".into(), "no route runs it".into()]);
    }
    for (name, value) in stats["limits"].as_object().into_iter().flatten() {
        let value = if name.ends_with("_bytes") { size(value) } else { table::cell(value) };
        rows.push(vec![format!("limit {}", table::printable(name)), value]);
    }
    rows.push(vec!["permissions".into(), table::cell(&stats["permissions"])]);
    let log = &stats["log"];
    rows.push(vec![
        "log".into(),
        format!(
            "{} lines, {}, {} dropped",
            table::cell(&log["lines"]),
            size(&log["bytes"]),
            table::cell(&log["dropped"])
        ),
    ]);
    format!("{text}\n{}", table::render(None, &rows, style)).trim_start().to_owned()
}

/// Two rows for each function: its CPU time and the whole.
fn functions(functions: &Value, style: Style) -> String {
    let Some(functions) = functions.as_object().filter(|functions| !functions.is_empty()) else {
        return "no calls yet\n".into();
    };
    let names = ["function", "calls", "errors", "cancelled", "time"];
    let header: Vec<String> =
        names.into_iter().chain(TIMES.map(|(_, heading)| heading)).map(str::to_owned).collect();
    let mut rows = Vec::new();
    for (name, function) in functions {
        for which in ["cpu", "wall"] {
            let first = which == "cpu";
            let told = |text: String| if first { text } else { String::new() };
            let mut row = vec![
                told(table::printable(name)),
                told(table::cell(&function["calls"])),
                told(errors(&function["errors"])),
                told(table::cell(&function["cancelled"])),
                which.to_owned(),
            ];
            row.extend(TIMES.map(|(key, _)| duration(&function[which][key])));
            rows.push(row);
        }
    }
    table::render(Some(&header), &rows, style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_units() {
        for (us, text) in [
            (json!(0.25), "0.2µs"),
            (json!(999.0), "999.0µs"),
            (json!(1_500), "1.50ms"),
            (json!(2e6), "2.00s"),
            (json!(null), "-"),
        ] {
            assert_eq!(duration(&us), text);
        }
        for (bytes, text) in [(json!(12), "12B"), (json!(2_048), "2.0KiB"), (json!(3 << 20), "3.0MiB")] {
            assert_eq!(size(&bytes), text);
        }
    }

    #[test]
    fn a_module_in_tables() {
        let times = json!({ "mean_us": 2, "p50_us": 1, "p90_us": 3, "p99_us": 1_000, "p99_9_us": 2e6, "max_us": 2e6 });
        let stats = json!({
            "module": "default/m",
            "functions": { "requestHandler": { "calls": 7, "cancelled": 0, "errors": { "cpu_time": 1, "thrown": 2 },
                "cpu": times, "wall": times } },
            "shards": [{ "shard": 0, "memory_bytes": 1_048_576, "contexts": 2, "leased": 1 }],
            "limits": { "cpu_ms": 10, "memory_bytes": 33_554_432 },
            "permissions": ["cache"],
            "log": { "lines": 3, "bytes": 2_048, "dropped": 1 },
        });
        let text = text(&stats, Style::default());
        for line in [
            "FUNCTION        CALLS  ERRORS                CANCELLED  TIME  MEAN   P50    P90    P99     P99.9  MAX",
            "requestHandler  7      cpu_time 1, thrown 2  0          cpu   2.0µs  1.0µs  3.0µs  1.00ms  2.00s  2.00s",
            "0      1.0MiB  2         1",
            "limit memory_bytes  32.0MiB",
            "log                 3 lines, 2.0KiB, 1 dropped",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(
            super::text(&json!({ "module": "n/m", "functions": {} }), Style::default())
                .starts_with("no calls yet")
        );
    }
}
