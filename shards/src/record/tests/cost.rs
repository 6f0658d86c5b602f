//! What a line costs the shard, which has 100 ns for it. The figures mean something in an optimised build alone, and are
//! bounded there.

use super::*;
use std::hint::black_box;
use tidegate_reactor::clock;

const LINES: u32 = 10_000;
/// The most that a line may cost, in nanoseconds; twice that on machines with other work.
const MOST_NS: f64 = 100.0;

/// Takes buffers and hands the same ones out again, as the recorder does.
#[derive(Default)]
struct Round(Option<Vec<u8>>);

impl RecordSink for Round {
    fn buffer(&mut self) -> Vec<u8> {
        self.0.take().unwrap_or_else(|| Vec::with_capacity(64 << 10))
    }

    fn submit(&mut self, mut lines: Vec<u8>) -> bool {
        lines.clear();
        self.0 = Some(lines);
        true
    }
}

/// Nanoseconds a line, the best of some rounds.
fn cost(rules: RecordRules, request: &str) -> f64 {
    let (peer, head) = (peer(), head(request));
    let route = route();
    let line = Line { route: Some(&route), ..line(&peer, &head) };
    let records = Records::new(Some(Box::new(Round::default())), rules);
    let round = || {
        let began_ns = clock::precise_ns();
        for _ in 0..LINES {
            records.add(black_box(&line));
        }
        (clock::precise_ns() - began_ns) as f64 / f64::from(LINES)
    };
    (0..20).map(|_| round()).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_line_costs_little() {
    let typical = "GET /api/v1/users/4711/profile HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: curl/8.5.0\r\n\
                   Accept: */*\r\n\r\n";
    let asking = typical.replace("profile ", "profile?page=2&sort=name ");
    let mut json = 0.0;
    for (what, format, request) in [
        ("json", "json", typical),
        ("json, with a query", "json", &asking),
        ("clf", "clf", typical),
        ("combined", "combined", typical),
        ("template", "%{at} %{client} %{method} %{path} %{status} %{duration_us}", typical),
    ] {
        let ns = cost(rules(format, Redaction::default()), request);
        println!("{what}: {ns:.0} ns a line");
        if what == "json" {
            json = ns;
        }
    }
    let sampling = Sampling { all: Rate::parse("1%").expect("a rate"), errors: Rate::all() };
    let ns = cost(RecordRules { sampling, ..RecordRules::default() }, typical);
    println!("json, one in a hundred: {ns:.1} ns a request");
    assert!(cfg!(debug_assertions) || json < 2.0 * MOST_NS, "{json:.0} ns a line");
}
