//! What a plot draws: the percentile points of each phase of a row, read from the API's answer. What is not there is left
//! out; nothing is made up.

use crate::table;
use serde_json::Value;

/// A phase, as the API names it and as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
}

/// In the order of tables.
pub(crate) const PHASES: [Phase; 7] = [
    Phase { key: "total", title: "total" },
    Phase { key: "tax", title: "gateway tax" },
    Phase { key: "module", title: "modules" },
    Phase { key: "connect", title: "upstream connect" },
    Phase { key: "first_byte", title: "upstream first byte" },
    Phase { key: "transfer", title: "transfer" },
    Phase { key: "wait", title: "waits" },
];

/// So many times, a share (0 to 1) of all, are not longer than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) us: f64,
    pub(crate) share: f64,
    pub(crate) count: u64,
}

/// The distribution of one phase.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Index in [`PHASES`].
    pub(crate) phase: usize,
    /// From the shortest time to the longest; never empty.
    pub(crate) points: Vec<Point>,
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) mean_us: f64,
    pub(crate) deviation_us: f64,
}

impl Series {
    /// The time that a share of all is not longer than.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let first = self.points.partition_point(|point| point.share < share);
        self.points[first.min(self.points.len() - 1)].us
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.points.last().map_or(0.0, |point| point.us)
    }
}

/// One row of an answer.
#[derive(Debug)]
pub(crate) struct Row {
    /// For people: `node`, `shard 0`, `route default/users`.
    pub(crate) title: String,
    pub(crate) series: Vec<Series>,
}

/// Every row with something to draw.
pub(crate) fn rows(profile: &Value) -> Vec<Row> {
    let by = profile["by"].as_str().unwrap_or_default();
    let all = profile["rows"].as_array().into_iter().flatten();
    let rows = all.map(|row| Row { title: title(by, &row["key"]), series: series(row) });
    rows.filter(|row| !row.series.is_empty()).collect()
}

/// What a row is about.
pub(crate) fn title(by: &str, key: &Value) -> String {
    let by = table::printable(by);
    match key.as_str() {
        None | Some("") if by == "node" => by,
        None | Some("") => format!("no {by}"),
        Some(key) => format!("{by} {}", table::printable(key)),
    }
}

fn series(row: &Value) -> Vec<Series> {
    let of = |(phase, named): (usize, &Phase)| {
        let told = &row["phases"][named.key];
        let point = |point: &Value| {
            Some(Point { us: point[0].as_f64()?, share: point[1].as_f64()?, count: point[2].as_u64()? })
        };
        let points: Vec<Point> = told["points"].as_array()?.iter().filter_map(point).collect();
        (!points.is_empty()).then_some(Series {
            phase,
            points,
            count: told["count"].as_u64()?,
            p50_us: told["p50_us"].as_f64()?,
            p99_us: told["p99_us"].as_f64()?,
            mean_us: told["mean_us"].as_f64()?,
            deviation_us: told["stddev_us"].as_f64().unwrap_or_default(),
        })
    };
    PHASES.iter().enumerate().filter_map(of).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// An answer of the API about one row: a thousand exchanges, most of them of 100 µs, a few of 10 ms.
    pub(crate) fn answer() -> Value {
        let phase = |us: [f64; 3]| {
            json!({ "count": 1_000, "mean_us": us[0], "stddev_us": 1.5, "p50_us": us[0], "p90_us": us[0],
                "p99_us": us[1], "p99_9_us": us[2], "p99_99_us": us[2], "max_us": us[2],
                "points": [[us[0], 0.0, 500], [us[0], 0.5, 500], [us[0], 0.9, 980], [us[1], 0.99, 990],
                    [us[2], 0.999, 1_000], [us[2], 1.0, 1_000]] })
        };
        json!({ "by": "node", "seconds": 10.0, "shards": 2, "rows_refused": 0, "rows": [{
            "key": "", "count": 1_000, "requests_per_second": 100.0, "errors": 3, "errors_per_second": 0.3,
            "phases": { "total": phase([100.0, 900.0, 10_000.0]), "tax": phase([10.0, 12.5, 20.0]) },
        }] })
    }

    #[test]
    fn what_is_there_is_read() {
        let rows = rows(&answer());
        assert_eq!((rows.len(), rows[0].title.as_str(), rows[0].series.len()), (1, "node", 2));
        let total = &rows[0].series[0];
        for (share, us) in
            [(0.0, 100.0), (0.5, 100.0), (0.95, 900.0), (0.99, 900.0), (0.995, 10_000.0), (1.0, 10_000.0)]
        {
            assert_eq!(total.at(share), us, "{share}");
        }
        assert_eq!((total.count, total.max_us()), (1_000, 10_000.0));
    }

    #[test]
    fn rows_are_named_and_empty_ones_left_out() {
        for (by, key, named) in [
            ("node", json!(""), "node"),
            ("shard", json!("1"), "shard 1"),
            ("route", json!(""), "no route"),
            ("route", json!("n/\u{1b}[2J"), "route n/\\u{1b}[2J"),
        ] {
            assert_eq!(title(by, &key), named);
        }
        for nothing in [json!({}), json!({ "rows": [{ "key": "a", "phases": {} }] }), json!(null)] {
            assert!(super::rows(&nothing).is_empty());
        }
    }
}
