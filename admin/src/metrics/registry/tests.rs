//! Counters by examples, and the text as a whole: families once, in one piece, and every line in the grammar.

use super::*;
use std::sync::Arc;
use tidegate_snapshot::ScriptNow;

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
            functions: Vec::new(),
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
        "tidegate_module_calls_total{module=\"n/m\"} 3",
        "tidegate_module_cpu_seconds_total{module=\"n/m\"} 0.004500000",
        "tidegate_module_memory_bytes{module=\"n/m\"} 2048",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
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
    let (mut families, mut current) = (HashSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().unwrap_or("").to_owned();
            assert!(families.insert(current.clone()), "{current} stands twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert_eq!(name, current);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let own = name == current
                || ["_bucket", "_sum", "_count"].iter().any(|end| name.strip_suffix(end) == Some(&current));
            assert!(own, "{line} is outside its family {current}");
            let (_, value) = line.rsplit_once(' ').expect(line);
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
