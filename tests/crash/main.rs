//! Power cuts, full disks and wrong hands on the data folder: whatever was answered is there afterwards, the state is
//! what its log says, and what cannot be done is said in one sentence.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod disk;
mod writers;

use operator::Json as _;
use operator::node::{BINARY, Node, Plan};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use writers::Writers;

/// Rounds of the long test; set `TIDEGATE_CRASH_ROUNDS` for more.
fn rounds() -> u64 {
    std::env::var("TIDEGATE_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// `tidegate verify` says that the state is what its log says.
#[track_caller]
fn verify(data: &std::path::Path) -> Value {
    let output = Command::new(BINARY).arg("verify").arg("--data-dir").arg(data).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}{why}");
    let report: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(report["ok"], true, "{report}");
    report
}

/// A moment within a span, another one for every seed.
fn moment(seed: u64, span: Duration) -> Duration {
    let mixed = (seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    span.mul_f64(mixed as f64 / f64::from(1 << 24))
}

/// What the writers' resources refer to.
fn prepare(node: &Node) {
    let schema = json!({ "type": "object", "required": ["n"] });
    node.put("/api/v1/collection", json!({ "name": "c", "visibility": "public", "schema": schema }));
    node.put("/api/v1/service", json!({ "name": "s", "urls": ["http://127.0.0.1:1"] }));
}

#[test]
fn answered_writes_survive_every_kill() {
    let mut node = Plan::new().flag("--log-level", "warn").start();
    prepare(&node);
    let writers = Writers::new(4);
    for round in 0..rounds() {
        // After some answers, in the middle of whatever is going on then.
        let answered = writers.answered();
        writers.run_until(node.admin, || {
            if writers.answered() < answered + 10 {
                return false;
            }
            std::thread::sleep(moment(round, Duration::from_millis(30)));
            node.kill();
            true
        });
        let report = verify(node.data_dir());
        node = node.again().start();
        writers.check(&node, &format!("round {round}, {report}"));
    }
    println!("{} rounds, {} answered writes, all there", rounds(), writers.answered());
    node.stop();
}

#[test]
fn kills_during_the_start_harm_nothing() {
    let mut node = Plan::new().flag("--log-level", "warn").start();
    prepare(&node);
    let writers = Writers::new(1);
    writers.run_until(node.admin, || writers.answered() > 20);
    let started = Instant::now();
    node.kill();
    node = node.again().start();
    let usual = started.elapsed();
    for round in 0..10 {
        node.kill();
        node = node.again().spawn();
        std::thread::sleep(moment(round, usual));
        node.kill();
        verify(node.data_dir());
        node = node.again().spawn();
    }
    node.wait_ready();
    writers.check(&node, "after ten broken starts");
    // The very first start of a folder, broken off: nothing is there, or all that a start makes.
    for round in 0..6 {
        let mut fresh = Plan::new().spawn();
        std::thread::sleep(moment(round, usual));
        fresh.kill();
        fresh.again().start().stop();
        verify(fresh.data_dir());
    }
}

#[test]
fn ending_properly_during_writes_loses_nothing() {
    let mut node = Plan::new().start();
    prepare(&node);
    let writers = Writers::new(4);
    writers.run_until(node.admin, || {
        if writers.answered() < 20 {
            return false;
        }
        node.signal(libc::SIGTERM);
        let status = node.wait_exit();
        assert!(status.success(), "{status}: {}", node.log());
        true
    });
    verify(node.data_dir());
    let node = node.again().start();
    writers.check(&node, "after SIGTERM");
}

#[test]
fn one_process_to_a_folder() {
    let node = Plan::new().start();
    let (status, said) = Plan::new().data(node.data_dir()).fails();
    assert!(!status.success());
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("tidegate: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    let folder = node.data_dir().to_str().expect("a path");
    assert!(lines[0].contains(folder) && lines[0].contains("another"), "{said}");
    let busy = Command::new(BINARY).args(["verify", "--data-dir", folder]).output().expect("it runs");
    assert!(!busy.status.success());
    assert_eq!(node.get("/").status(), 404, "the first goes on");
    node.put("/api/v1/namespace", json!({ "name": "n" }));
    assert_eq!(node.admin("GET", "/api/v1/namespace/n", &Value::Null).json()["data"]["name"], "n");
    // Its end gives the folder free.
    let again = node.again();
    node.stop();
    again.start().stop();
}
