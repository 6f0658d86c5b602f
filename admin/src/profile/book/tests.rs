//! Intervals made by hand: what is kept of them, what a window finds, what is told of them, and their bounds.

use super::super::{By, Merge, Shown, Sort};
use super::*;
use serde_json::{Value, json};
use tidegate_snapshot::{OTHERS, Phase, ProfileRow, RouteReport, ScriptReport, Times};

fn times(digits: u8, recorded: &[(Phase, u64)]) -> Times {
    let mut times = Times::new(digits);
    recorded.iter().for_each(|(phase, us)| times.record(*phase, us * 1_000));
    times
}

/// `count` exchanges of so many microseconds, half of it tax, in the second before `ended_ms`.
fn interval(shard: u16, ended_ms: u64, us: u64, count: usize) -> IntervalProfile {
    let each = [(Phase::Total, us), (Phase::Tax, us / 2)].repeat(count);
    let row = |scope, key: &str| ProfileRow { scope, key: key.into(), times: times(2, &each) };
    IntervalProfile {
        shard,
        began_ms: ended_ms - 1_000,
        ended_ms,
        times: times(3, &each),
        rows: vec![
            row(Scope::Route, "n/r"),
            row(Scope::Service, "n/s"),
            ProfileRow { scope: Scope::Module, key: "n/m".into(), times: times(2, &[(Phase::Module, us)]) },
        ],
        rows_refused: 3,
    }
}

fn report(shard: u16, route: &str, failed: u64) -> ShardReport {
    let route = RouteReport {
        key: route.into(),
        responses: [0, 10, 0, 0, failed],
        latency: [0; 16],
        latency_sum_us: 0,
        upstream_errors: 0,
    };
    let script = ScriptReport {
        key: "n/m".into(),
        calls: 5,
        failures: 2,
        cpu_ns: 0,
        now: None,
        functions: Vec::new(),
    };
    ShardReport { shard, routes: vec![route], scripts: vec![script], ..ShardReport::default() }
}

fn told(book: &Book, by: &str, for_ms: u64, now_ms: u64) -> Value {
    let (window, found) = book.back(for_ms, now_ms);
    let mut merge = Merge::new(By::named(by).expect("a known name"), None, window);
    found.iter().for_each(|kept| merge.add(kept));
    merge.json(Shown { limit: 100, ..Shown::default() }, now_ms)
}

/// Counts of the rows by key.
fn counts(told: &Value) -> Vec<(String, u64)> {
    let rows = told["rows"].as_array().expect("rows").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(&row["key"]), row["count"].as_u64().unwrap_or_default())).collect()
}

#[test]
fn a_window_finds_what_lies_in_it() {
    let mut book = Book::default();
    for second in 1..=10u64 {
        book.keep(&interval(0, 100_000 + second * 1_000, 100, 2), 100_000 + second * 1_000);
        // The other shard is half a second behind, and idle but for three seconds.
        if (4..7).contains(&second) {
            book.keep(&interval(1, 100_500 + second * 1_000, 300, 1), 100_500 + second * 1_000);
        }
    }
    // How far back, and how many exchanges of each shard in how many seconds.
    for (for_ms, now_ms, first, second, seconds) in [
        (1_000, 110_010, 2, 0, 1.0),
        (500, 110_010, 2, 0, 1.0),
        (5_000, 110_900, 10, 2, 5.0),
        (60_000, 110_010, 20, 3, 60.0),
        // Both silent by now.
        (1_000, 130_000, 0, 0, 1.0),
        // The window's end is idle.
        (10_000, 114_500, 14, 3, 10.0),
    ] {
        let told = told(&book, "shard", for_ms, now_ms);
        let mut wanted = vec![("0".to_owned(), first), ("1".to_owned(), second)];
        wanted.retain(|(_, count)| *count > 0);
        assert_eq!(counts(&told), wanted, "{for_ms} {now_ms}");
        let found = told["seconds"].as_f64().expect("seconds");
        assert!((found - seconds).abs() <= 1.0, "{for_ms} {now_ms}: {found} s");
    }
    let told = told(&book, "node", 10_000, 110_010);
    assert_eq!(counts(&told), [(String::new(), 23)]);
    assert_eq!(told["rows"][0]["requests_per_second"], 2.3);
}

#[test]
fn figures_and_errors_of_rows() {
    let mut book = Book::default();
    book.serve([("n/r".into(), "n/s".into()), ("n/fourth".into(), "n/s".into())].into());
    for scope in [Scope::Route, Scope::Service, Scope::Module] {
        book.leases.renew(scope, None, 10_000, 5_000);
    }
    book.note(&report(0, "n/r", 3));
    book.note(&report(0, "n/other", 1));
    book.keep(&interval(0, 11_000, 200, 8), 11_000);
    book.keep(&interval(0, 12_000, 200, 2), 12_000);
    let route = told(&book, "route", 2_000, 12_000);
    assert_eq!(counts(&route), [("n/r".to_owned(), 10)]);
    let row = &route["rows"][0];
    assert_eq!(
        (&row["errors"], &row["errors_per_second"], &row["requests_per_second"]),
        (&json!(3), &json!(1.5), &json!(5.0))
    );
    assert_eq!(route["rows_refused"], 6);
    let near = |value: &Value, us: f64| value.as_f64().is_some_and(|told| (told / us - 1.0).abs() < 0.01);
    let (total, tax) = (&row["phases"]["total"], &row["phases"]["tax"]);
    assert!(near(&total["p99_99_us"], 200.0) && near(&total["mean_us"], 200.0), "{total}");
    assert!(near(&tax["p50_us"], 100.0) && near(&tax["max_us"], 100.0), "{tax}");
    assert_eq!(row["phases"].get("connect"), None, "what nobody had is not there");

    let module = told(&book, "module", 2_000, 12_000);
    assert_eq!((counts(&module), &module["rows"][0]["errors"]), (vec![("n/m".to_owned(), 2)], &json!(4)));
    assert_eq!(told(&book, "node", 2_000, 12_000)["rows"][0]["errors"], 4);
    // The routes of a service together; that of `n/other` is not known.
    book.note(&report(0, "n/fourth", 2));
    book.keep(&interval(0, 13_000, 200, 1), 13_000);
    let service = told(&book, "service", 3_000, 13_000);
    assert_eq!(counts(&service), [("n/s".to_owned(), 11)]);
    let row = &service["rows"][0];
    assert_eq!((&row["errors"], &row["errors_per_second"]), (&json!(5), &json!(1.667)), "{row}");
}

#[test]
fn what_came_after() {
    let mut book = Book::default();
    assert!(book.newest_told().next().is_none() && book.after(0).1.is_empty());
    let first = book.keep(&interval(0, 5_000, 1, 1), 5_000);
    book.keep(&interval(1, 5_200, 1, 1), 5_200);
    let (newest, found) = book.after(first);
    assert_eq!((newest, found.iter().map(|kept| kept.shard).collect::<Vec<_>>()), (2, vec![1]));
    assert_eq!(book.after(0).1.len(), 2);
    assert!(book.after(newest).1.is_empty());
    assert_eq!(book.newest_told().map(|kept| kept.ended_ms).collect::<Vec<_>>(), [5_000, 5_200]);
}

#[test]
fn memory_is_bounded_by_age_and_bytes() {
    let mut book = Book::default();
    for second in 1..200u64 {
        book.keep(&interval(0, second * 1_000, second, 50), second * 1_000);
    }
    assert_eq!(book.shards[&0].kept.len(), 61);
    let of_all = |book: &Book| book.shards.values().flat_map(|s| &s.kept).map(|k| k.bytes).sum::<usize>();
    assert_eq!(book.bytes, of_all(&book));

    book.most_bytes = 1 << 20;
    let mut large = interval(0, 200_000, 1, 0);
    (0..600_000u64).step_by(70).for_each(|us| large.times.record(Phase::Tax, us * 1_000));
    for shard in 0..150 {
        large.shard = shard;
        book.keep(&large, 200_000);
    }
    assert!(book.bytes <= 1 << 20 && book.bytes > 1 << 19, "{}", book.bytes);
    assert_eq!(book.bytes, of_all(&book));
    assert!(book.shards[&0].kept.is_empty(), "the oldest went first");
}

#[test]
fn order_and_bound_of_rows() {
    let mut book = Book::default();
    book.leases.renew(Scope::Route, None, 0, 100_000);
    let mut all = interval(0, 10_000, 1, 1);
    let row = |key: &str, us: u64, tax: u64, count: usize| ProfileRow {
        scope: Scope::Route,
        key: key.into(),
        times: times(2, &[(Phase::Total, us), (Phase::Tax, tax)].repeat(count)),
    };
    all.rows = vec![row("n/often", 10, 1, 9), row("n/slow", 900, 2, 1), row("n/taxed", 100, 90, 2)];
    book.note(&report(0, "n/taxed", 1));
    book.keep(&all, 10_000);
    let (window, found) = book.back(1_000, 10_000);
    let first = |sort: &str, only: Option<&str>| {
        let mut merge = Merge::new(By::Scope(Scope::Route), only.map(str::to_owned), window);
        found.iter().for_each(|kept| merge.add(kept));
        let sort = Sort::named(sort).expect("known");
        merge.json(Shown { sort, limit: 1, points: true, encoded: true }, 0)
    };
    for (sort, key) in [("rate", "n/often"), ("p99", "n/slow"), ("tax", "n/taxed"), ("errors", "n/taxed")] {
        let told = first(sort, None);
        assert_eq!((&told["rows"][0]["key"], &told["rows_total"]), (&json!(key), &json!(3)), "{sort}");
        assert_eq!(told["rows"].as_array().map(Vec::len), Some(1));
    }
    let told = first("rate", Some("n/slow"));
    let total = &told["rows"][0]["phases"]["total"];
    assert_eq!(told["rows_total"], 1);
    assert_eq!(total["points"].as_array().and_then(|points| points.last()?.get(1)), Some(&json!(1.0)));
    assert!(total["histogram"].as_str().is_some_and(|text| text.starts_with("HISTFAAAA")), "{total}");
}

#[test]
fn what_found_no_room_is_with_the_others() {
    let mut book = Book::default();
    book.leases.renew(Scope::Route, None, 0, 100_000);
    let mut one = interval(0, 10_000, 100, 4);
    one.rows[1] = ProfileRow { scope: Scope::Route, key: OTHERS.into(), times: one.rows[0].times.clone() };
    one.rows_refused = 4;
    for (route, failed) in [("n/r", 3), ("n/x", 2), ("n/y", 1)] {
        book.note(&report(0, route, failed));
    }
    book.keep(&one, 10_000);
    let all = told(&book, "route", 1_000, 10_000);
    assert_eq!(counts(&all), [("n/r".to_owned(), 4), (OTHERS.to_owned(), 4)]);
    assert_eq!((&all["rows"][0]["errors"], &all["rows"][1]["errors"]), (&json!(3), &json!(3)), "{all}");
    // An answer has fewer rows than shards keep.
    let (window, found) = book.back(1_000, 10_000);
    let mut merge = Merge::new(By::Scope(Scope::Route), None, window);
    merge.bound(0);
    found.iter().for_each(|kept| merge.add(kept));
    let bounded = merge.json(Shown { limit: 100, ..Shown::default() }, 10_000);
    assert_eq!(counts(&bounded), [(OTHERS.to_owned(), 8)]);
    assert_eq!((&bounded["rows"][0]["errors"], &bounded["rows_refused"]), (&json!(6), &json!(8)));
}
