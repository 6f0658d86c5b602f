//! A process that is killed while it writes.

use super::house::*;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const DIR: &str = "TIDEGATE_TEST_KILLED_DIR";

/// The process that is killed: writes until then, and says what was answered. Run without a folder it does nothing.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let node =
        start(dir.as_ref(), crate::raft::ClusterConfig { raft_snapshot_every: 20, keep_logs: 5, ..config() })
            .await;
    let from = node.store().view().unwrap().count_documents("n", "c").unwrap();
    apply(&node, vec![put(namespace("n"))]).await;
    for id in from.. {
        apply(&node, vec![put_document(&format!("{id:08}"), json!({ "text": "x".repeat(100) }))]).await;
        println!("\nanswered {id:08}");
    }
}

#[tokio::test]
async fn after_a_kill_every_answered_write_is_there() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "raft::tests::killed::writes_until_it_is_killed", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut answered = lines.filter_map(|line| line.strip_prefix("answered ").map(str::to_owned));
        let wanted = 20 + 13 * round;
        let seen: Vec<_> = answered.by_ref().take(wanted).collect();
        child.kill().unwrap();
        let seen: Vec<_> = seen.into_iter().chain(answered).collect();
        child.wait().unwrap();
        assert!(seen.len() >= wanted, "the child failed");
        let report = verified(dir.path()).await;
        assert!(report.replayed_from.is_some());
        let store = open(dir.path()).await;
        let view = store.view().unwrap();
        for id in &seen {
            assert!(view.get(&document(id)).unwrap().is_some(), "{id} was answered and is gone");
        }
    }
}
