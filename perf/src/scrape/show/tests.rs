//! What is shown of rounds whose figures are known. Nothing is measured here.

use super::*;
use crate::gap::Inside;
use crate::machine::Machine;
use crate::pace::Outcome;
use crate::scrape::confine::Elsewhere;
use std::time::Duration;

fn run(us: f64, scrapes: usize) -> Run {
    let mut load = Outcome { seconds: 1.0, due: 10, ..Outcome::new() };
    (0..10).for_each(|_| load.answered((us * 1e3) as u64, (us * 1e3) as u64, 200));
    Run {
        load,
        inside: Inside { count: 10, tax: [us; QUANTILES.len()], total: [us * 2.0; QUANTILES.len()] },
        scrapes: vec![Scraped { took: Duration::from_millis(250), bytes: 3 << 20 }; scrapes],
        shard_ns: 500_000_000,
        others_ns: 1_000_000 + scrapes as u64 * 50_000_000,
        waited_ns: 10_000,
    }
}

/// Rounds by the figures of their three runs.
fn measured(rounds: &[[f64; 3]]) -> Measured {
    let round = |[before, scraped, after]: &[f64; 3]| Round {
        before: run(*before, 0),
        scraped: run(*scraped, 2),
        after: run(*after, 0),
    };
    Measured {
        machine: Machine::default(),
        rate: 1_000.0,
        connections: 64,
        length: Duration::from_secs(1),
        every: Duration::from_millis(500),
        cpu: 3,
        elsewhere: Elsewhere { cpu: 5, is_behind: true },
        samples: (170_000, 10_001),
        alone: vec![Scraped { took: Duration::from_millis(100), bytes: 3 << 20 }],
        rounds: rounds.iter().map(round).collect(),
    }
}

#[test]
fn what_moves_more_than_by_itself_has_moved() {
    for (rounds, moved) in [
        // Quiet runs differ by 4, scrapes by 1.
        (&[[10.0, 13.0, 14.0], [14.0, 13.0, 10.0]][..], false),
        (&[[10.0, 30.0, 11.0], [11.0, 31.0, 10.0], [10.0, 30.0, 10.0]], true),
        // Less is a change as well.
        (&[[30.0, 10.0, 31.0], [31.0, 11.0, 30.0]], true),
        // One disturbed round of three.
        (&[[10.0, 10.5, 11.0], [11.0, 90.0, 10.0], [10.0, 10.5, 11.0]], false),
        (&[], false),
    ] {
        let compared = Compared::new(&measured(rounds).rounds, |run| run.inside.tax);
        assert_eq!(compared.moved(P99), moved, "{rounds:?}");
    }
}

#[test]
fn a_restless_machine_has_no_verdict() {
    for (rounds, said) in [
        (&[[10.0, 10.0, 11.0], [10.0, 10.0, 30.0]][..], "cannot be told"),
        (&[], "cannot be told"),
        (&[[10.0, 10.0, 11.0]], "is where it was"),
        (&[[10.0, 15.0, 11.0]], "moved"),
    ] {
        let measured = measured(rounds);
        let compared = Compared::new(&measured.rounds, |run| run.inside.tax);
        assert!(verdict("tax", &compared).contains(said), "{rounds:?}");
        assert_eq!(json(&measured)["tax_us"]["p99_moved"].is_null(), said == "cannot be told", "{rounds:?}");
    }
}

#[test]
fn tables_say_what_was_done_and_seen() {
    let measured = measured(&[[10.0, 30.0, 12.0]]);
    let text = table(&measured);
    for expected in [
        "1000 requests a second (50 % of the shard) over 64 connections, 1 rounds of 3 runs of 1 s, a scrape every 0.5 s",
        "the shard alone on CPU 3, all else of the gateway on CPU 5, behind load and upstream",
        "a scrape: 3.0 MiB, 170000 samples, rows of 10001 routes; 100 [100..100] ms without load, 250 [250..250] ms with, 50 [50..50] ms of CPU time of the gateway's other threads; 2 scrapes",
        "+19.0 [+19.0..+19.0]",
        "p99 of total moved: +38.0 [+38.0..+38.0] µs with scrapes, +4.0 [+4.0..+4.0] between two runs without",
        "CPU time of the shard, µs a request: 50000.0 without",
    ] {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
    assert!(markdown(&measured).contains("| total: with - without | +38.0 [+38.0..+38.0] |"));
    let json = json(&measured);
    assert_eq!(json["tax_us"]["difference"]["p99"]["median"], 19.0, "{json}");
    assert_eq!(
        (&json["total_us"]["p99_moved"], &json["scrape"]["count"]),
        (&json!(true), &json!(2)),
        "{json}"
    );
    assert_eq!(json["shard_us_per_request"]["without"]["cpu"]["median"], 50_000.0, "{json}");
}

#[test]
fn where_threads_were_is_said() {
    for (cpu, is_behind, said) in [
        (5, true, "the shard alone on CPU 3, all else of the gateway on CPU 5, behind load and upstream"),
        (5, false, "the shard alone on CPU 3, all else of the gateway on CPU 5"),
        (3, false, "the shard and all else of the gateway on CPU 3"),
    ] {
        let measured = Measured { elsewhere: Elsewhere { cpu, is_behind }, ..measured(&[[1.0; 3]]) };
        assert!(done(&measured).ends_with(said), "{}", done(&measured));
    }
}

#[test]
fn a_run_without_a_scrape_is_said() {
    let mut measured = measured(&[[10.0, 10.0, 10.0]]);
    assert!(warnings(&measured).is_empty(), "{:?}", warnings(&measured));
    measured.rounds[0].scraped.scrapes.clear();
    assert!(warnings(&measured)[0].contains("too short for a scrape"));
}
