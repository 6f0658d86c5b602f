//! The reader of another language: PyPI's `hdrhistogram` finds in the interval logs of a real gateway what was counted
//! there. It comes from PyPI into the target folder, once.

use crate::harness::{Upstream, ok};
use crate::intervals::read;
use crate::operator::node::Plan;
use crate::{ask, files, serving};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of the reader, exactly.
const VERSION: &str = "0.10.8";

/// Adds up the intervals of files by tag, and prints what it has of each.
const SCRIPT: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

sums, spans = {}, []
for name in sys.argv[1:]:
    reader = HistogramLogReader(name, HdrHistogram(64, 600 * 10**9, 3))
    while True:
        one = reader.get_next_interval_histogram()
        if one is None:
            break
        tag = one.get_tag() or ""
        if tag == "":
            spans.append([one.get_start_time_stamp(), one.get_end_time_stamp()])
        if tag not in sums:
            sums[tag] = HdrHistogram(64, 600 * 10**9, 3)
        sums[tag].add(one)
    reader.close()
quantiles = [50, 90, 99, 99.9, 100]
print(json.dumps({
    "tags": {tag: {
        "count": sum.get_total_count(),
        "values": [sum.get_value_at_percentile(q) for q in quantiles],
    } for tag, sum in sums.items()},
    "spans": spans,
}))
"#;

/// Where the reader is, or nothing where the environment says so.
fn reader() -> Option<PathBuf> {
    if std::env::var_os("TIDEGATE_SKIP_PYPI").is_some() {
        println!("skipped: TIDEGATE_SKIP_PYPI is set");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pypi-hdrhistogram-{VERSION}"));
    if !folder.join("hdrh").is_dir() {
        let pip = Command::new("python3")
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--target"])
            .arg(&folder)
            .arg(format!("hdrhistogram=={VERSION}"))
            .output()
            .unwrap_or_else(|e| {
                panic!(
                    "Python is needed to read interval logs ({e}): install it, or set TIDEGATE_SKIP_PYPI=1"
                )
            });
        let said = String::from_utf8_lossy(&pip.stderr).into_owned();
        assert!(
            pip.status.success(),
            "pip could not install hdrhistogram, TIDEGATE_SKIP_PYPI=1 leaves this out:\n{said}"
        );
    }
    Some(folder)
}

#[test]
fn pythons_reader_finds_what_was_counted() {
    let Some(reader) = reader() else { return };
    let upstream = Upstream::answering(|_| ok("well"));
    let began_ms = now_ms();
    // Small files: each must be readable by itself.
    let plan =
        Plan::new().flag("--shards", "2").flag("--hdr-interval", "100ms").flag("--hdr-segment-bytes", "4k");
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    let (node, hdr) = serving(plan.flag("--hdr-segments", "1000"), &logs, &upstream.url());
    ask(&node, 8, 250);
    node.stop();
    let logs = files(&hdr, ".hlog");
    assert!(logs.len() > 1, "{logs:?}");
    let python = Command::new("python3")
        .args(["-c", SCRIPT])
        .args(&logs)
        .env("PYTHONPATH", reader)
        .output()
        .expect("Python starts");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let found: Value = serde_json::from_slice(&python.stdout).expect("JSON");
    let ours = read(&hdr);
    let tags: Vec<&str> = found["tags"].as_object().expect("tags").keys().map(String::as_str).collect();
    assert_eq!(tags, ours.keys().map(String::as_str).collect::<Vec<_>>());
    for (tag, (_, sum)) in &ours {
        let theirs = &found["tags"][tag];
        assert_eq!(theirs["count"], sum.len(), "{tag:?}");
        // The two round the rank of a quantile differently: one value more or less.
        let one = 1.0 / sum.len() as f64;
        for (theirs, quantile) in
            theirs["values"].as_array().expect("values").iter().zip([0.5, 0.9, 0.99, 0.999, 1.0])
        {
            let theirs = theirs.as_f64().expect("a number") as u64;
            let at = |quantile: f64| sum.value_at_quantile(quantile.clamp(0.0, 1.0));
            let (low, high) = (at(quantile - one), at(quantile + one));
            assert!((low..=high).contains(&theirs), "{tag:?} at {quantile}: {theirs}, {low} to {high}");
        }
        let theirs = theirs["values"][4].as_f64().expect("a number") as u64;
        assert!(sum.equivalent(theirs, sum.max()), "{tag:?}: {theirs} {}", sum.max());
    }
    assert_eq!(found["tags"][""]["count"], 2_000);
    for span in found["spans"].as_array().expect("spans") {
        let [begin, end] = [0, 1].map(|at| span[at].as_f64().expect("milliseconds"));
        assert!(begin >= began_ms - 1.0 && begin < end && end <= now_ms() + 1.0, "{span} after {began_ms}");
    }
}

fn now_ms() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("after 1970").as_secs_f64() * 1_000.0
}
