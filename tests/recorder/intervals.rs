//! Interval logs as the Rust library reads them: an interval about every `--hdr-interval`, with and without an access log.

use crate::harness::{Upstream, ok, until};
use crate::operator::node::Plan;
use crate::{ask, files, serving};
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// Of every tag: its lines, and all their values together.
pub type Read = BTreeMap<String, (usize, Histogram<u64>)>;

/// Reads all interval logs of a folder.
pub fn read(dir: &Path) -> Read {
    let mut read = Read::new();
    for file in files(dir, ".hlog") {
        let mut bytes = std::fs::read(file).expect("a file");
        // While it is being written its tail may be padding, and a line that has not ended yet.
        bytes.retain(|byte| *byte != 0);
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        for entry in IntervalLogIterator::new(&bytes) {
            let LogEntry::Interval(line) = entry.expect("a line") else { continue };
            let histogram = base64::engine::general_purpose::STANDARD.decode(line.encoded_histogram());
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut &*histogram.expect("base64")).expect("a histogram");
            let tag = line.tag().map(|tag| tag.as_str().to_string()).unwrap_or_default();
            let empty = || (0, Histogram::new_from(&histogram));
            let (lines, sum) = read.entry(tag).or_insert_with(empty);
            *lines += 1;
            sum.add(&histogram).expect("same bounds");
        }
    }
    read
}

#[test]
fn rows_are_written_where_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::answering(|_| ok("well"));
    let plan = Plan::new().flag("--hdr-interval", "100ms").flag("--profile", "routes,services");
    let (node, hdr) = serving(plan, &folder.path().join("logs"), &upstream.url());
    ask(&node, 2, 20);
    node.stop();
    let read = read(&hdr);
    for tag in ["route.default/r.total", "service.default/s.total", "route.default/r.tax"] {
        assert_eq!(read.get(tag).map(|(_, times)| times.len()), Some(40), "{tag} in {:?}", read.keys());
    }
    assert!(!read.keys().any(|tag| tag.starts_with("module.")), "{:?}", read.keys());
}

#[test]
fn intervals_follow_each_other_without_an_access_log() {
    let upstream = Upstream::answering(|_| ok("well"));
    let plan = Plan::new().flag("--hdr-interval", "100ms");
    let folder = tempfile::tempdir().expect("a folder");
    let hdr = folder.path().join("hdr");
    let node = plan.flag("--hdr-dir", hdr.to_str().expect("a path")).start();
    node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()] }));
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
    let mut client = node.client();
    let mut asked = 0;
    // They are on disk within moments, not only at the end.
    until("five intervals", || {
        asked += 1;
        assert_eq!(client.get("/").status(), 200);
        read(&hdr).get("").is_some_and(|(lines, _)| *lines >= 5)
    });
    node.stop();
    let read = read(&hdr);
    assert_eq!(read[""].1.len(), asked);
    assert_eq!(read["first_byte"].1.len(), asked);
    assert_eq!(read["connect"].1.len(), 1, "one connection was made");
    assert!(!read.contains_key("shard0.total"), "one shard is not said twice: {:?}", read.keys());
}
