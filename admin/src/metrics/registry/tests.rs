//! Counters by examples, and the text as a whole: families once, in one piece, and every line in the grammar.

use super::*;
use crate::metrics::text::tests::families;
use std::sync::Arc;
use tidegate_js::Histogram;
use tidegate_snapshot::{FunctionReport, ScriptNow, TimesReport};

fn times(ns: &[u64]) -> TimesReport {
    let mut times = Histogram::default();
    ns.iter().for_each(|ns| times.record(*ns));
    TimesReport { filled: times.filled().collect(), sum_ns: times.sum_ns(), max_ns: times.max_ns() }
}

fn report(shard: u16, key: &str, count: u64) -> ShardReport {
    let mut responses = [0; 5];
    responses[1] = count;
    let mut latency = [0; LATENCY_BOUNDS_US.len() + 1];
    latency[0] = count;
    ShardReport {
        shard,
        totals: ShardTotals { connections: 7, accepted: 2, requests: count, ..ShardTotals::default() },
        routes: vec![RouteReport {
            key: Arc::from(key),
            responses,
            latency,
            latency_sum_us: 40 * count,
            upstream_errors: 1,
        }],
        scripts: vec![ScriptReport {
            key: Arc::from("n/m"),
            calls: 1,
            failures: 0,
            cpu_ns: 1_500_000,
            now: Some(ScriptNow { memory_bytes: 1024, contexts: 1, leased: 0 }),
            functions: vec![FunctionReport {
                function: "requestHandler",
                outcomes: vec![("ok", 2), ("thrown", 1)],
                cpu: times(&[900, 3_000_000, 4_000_000]),
                wall: times(&[900, 3_000_000, 20_000_000]),
            }],
        }],
        faults: vec![("header_timeout", 1)],
    }
}

#[test]
fn differences_add_up_and_gauges_do_not() {
    let mut registry = Registry::default();
    registry.absorb(report(0, "n/r", 3));
    registry.absorb(report(0, "n/r", 4));
    registry.absorb(report(1, "n/r", 1));
    let text = registry.render();
    for line in [
        "tidegate_connections{shard=\"0\"} 7",
        "tidegate_connections_accepted_total{shard=\"0\"} 4",
        "tidegate_shard_requests_total{shard=\"1\"} 1",
        "tidegate_requests_total{route=\"n/r\",status_class=\"2xx\"} 8",
        "tidegate_request_duration_seconds_bucket{route=\"n/r\",le=\"0.00005\"} 8",
        "tidegate_request_duration_seconds_bucket{route=\"n/r\",le=\"+Inf\"} 8",
        "tidegate_request_duration_seconds_sum{route=\"n/r\"} 0.00032",
        "tidegate_request_duration_seconds_count{route=\"n/r\"} 8",
        "tidegate_upstream_errors_total{route=\"n/r\"} 3",
        "tidegate_faults_total{shard=\"0\",fault=\"header_timeout\"} 2",
        "tidegate_module_calls_total{module=\"n/m\",function=\"requestHandler\",outcome=\"ok\"} 6",
        "tidegate_module_calls_total{module=\"n/m\",function=\"requestHandler\",outcome=\"thrown\"} 3",
        "tidegate_module_cpu_seconds_bucket{module=\"n/m\",function=\"requestHandler\",le=\"0.000001\"} 3",
        "tidegate_module_cpu_seconds_bucket{module=\"n/m\",function=\"requestHandler\",le=\"0.001\"} 3",
        "tidegate_module_cpu_seconds_bucket{module=\"n/m\",function=\"requestHandler\",le=\"0.005\"} 9",
        "tidegate_module_cpu_seconds_bucket{module=\"n/m\",function=\"requestHandler\",le=\"+Inf\"} 9",
        "tidegate_module_cpu_seconds_sum{module=\"n/m\",function=\"requestHandler\"} 0.021002700",
        "tidegate_module_cpu_seconds_count{module=\"n/m\",function=\"requestHandler\"} 9",
        "tidegate_module_wall_seconds_bucket{module=\"n/m\",function=\"requestHandler\",le=\"0.01\"} 6",
        "tidegate_module_cpu_seconds_total{module=\"n/m\"} 0.004500000",
        "tidegate_module_memory_bytes{module=\"n/m\"} 2048",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn a_module_is_told_in_numbers_for_people() {
    let mut registry = Registry::default();
    registry.absorb(report(0, "n/r", 1));
    registry.absorb(report(1, "n/r", 1));
    let told = registry.module("n/m");
    let handler = &told["functions"]["requestHandler"];
    assert_eq!((&handler["calls"], &handler["errors"]), (&json!(6), &json!({ "thrown": 2 })), "{told}");
    assert_eq!(
        (&handler["wall"]["count"], &handler["wall"]["max_us"]),
        (&json!(6), &json!(20_000.0)),
        "{told}"
    );
    let near = |value: &Value, us: f64| value.as_f64().is_some_and(|told| (told - us).abs() <= us * 0.05);
    assert!(near(&handler["cpu"]["p50_us"], 3_000.0) && near(&handler["cpu"]["p99_us"], 4_000.0), "{told}");
    assert_eq!((&told["memory_bytes"], &told["shards"][1]["contexts"]), (&json!(2048), &json!(1)), "{told}");
    assert_eq!(registry.module("n/other")["functions"], json!({}));
}

#[test]
fn rows_are_bounded_and_go_with_their_routes() {
    let mut registry = Registry::default();
    for route in 0..MAX_ROUTES + 50 {
        registry.absorb(report(0, &format!("n/{route}"), 1));
    }
    assert_eq!(registry.routes.len(), MAX_ROUTES + 1);
    assert_eq!(registry.routes[OTHER].responses[1], 50);
    registry.retain(&HashSet::from(["n/1"]), &HashSet::new());
    assert_eq!(registry.routes.keys().collect::<Vec<_>>(), ["n/1", OTHER]);
    assert!(registry.scripts.is_empty());
}

#[test]
fn every_line_is_in_the_grammar() {
    let mut registry = Registry::default();
    registry.absorb(report(0, "n/\"quo\\te\nline", 1));
    registry.observe_state(5, 2, 4096);
    let text = registry.render();
    assert!(text.contains("route=\"n/\\\"quo\\\\te\\nline\""), "{text}");
    assert!(text.ends_with('\n'));
    families(&text);
}
