//! A clean exit loses nothing: every request has its line, and is in an interval.

use crate::harness::{Upstream, ok};
use crate::intervals::read;
use crate::operator::node::Plan;
use crate::{ask, lines, serving};

#[test]
fn every_request_before_the_end_is_on_disk() {
    let upstream = Upstream::answering(|_| ok("well"));
    let plan = Plan::new().flag("--shards", "2").flag("--hdr-interval", "300ms");
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    let (node, hdr) = serving(plan, &logs, &upstream.url());
    ask(&node, 8, 250);
    let said = node.stop();
    assert!(!said.contains("loses lines"), "{said}");
    let lines = lines(&logs);
    assert_eq!(lines.len(), 2_000);
    let read = read(&hdr);
    assert_eq!(read[""].1.len(), 2_000, "all of them are in an interval");
    let shards: u64 =
        ["shard0.total", "shard1.total"].iter().filter_map(|tag| Some(read.get(*tag)?.1.len())).sum();
    assert_eq!(shards, 2_000, "{:?}", read.keys());
    assert_eq!(read["tax"].1.len(), 2_000);
    // Both were told of the same clock readings.
    let slowest_us = lines.iter().filter_map(|line| line["duration_us"].as_u64()).max().expect("a time");
    let slowest = read[""].1.max() as f64 / 1_000.0;
    assert!((slowest / slowest_us as f64 - 1.0).abs() < 0.01, "{slowest} {slowest_us}");
    let tax = |line: &serde_json::Value| line["tax_us"].as_u64() <= line["duration_us"].as_u64();
    assert!(lines.iter().all(tax));
}
