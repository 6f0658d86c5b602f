//! The cluster's cache on a node that is alone: what operations answer, times, bounds, and that the state, its hash, its
//! log and its Raft snapshots stay one. Three nodes are in `three`.

use super::house::*;
use crate::change::{CacheOp, CacheValue, Change, Op, Outcome};
use crate::raft::{Cluster, ClusterConfig};
use std::path::Path;

const AT: u64 = 1_709_208_000_000;

fn json(text: &str) -> Option<CacheValue> {
    Some(CacheValue::Json(text.into()))
}

fn add(by: i64, ttl_ms: Option<u64>) -> CacheOp {
    CacheOp::Increment { by, ttl_ms }
}

fn swap(expected: Option<CacheValue>, value: Option<CacheValue>) -> CacheOp {
    CacheOp::CompareAndSet { expected, value, ttl_ms: None }
}

/// The answer, or why not.
async fn run(
    node: &Cluster,
    namespace: &str,
    key: &str,
    update: CacheOp,
    at_ms: u64,
) -> Result<String, String> {
    let op = Op::Cache { namespace: namespace.into(), key: key.into(), update };
    match node.propose(Change { ops: vec![op], at_ms }).await.unwrap() {
        Outcome::Applied { answer: Some(CacheValue::Json(text)), .. } => Ok(text),
        Outcome::Rejected { faults } => Err(faults[0].why.clone()),
        other => panic!("{other:?}"),
    }
}

async fn alone(dir: &Path) -> Cluster {
    let node = start(dir, ClusterConfig { raft_snapshot_every: 10_000_000, ..config() }).await;
    apply(&node, vec![put(namespace("n"))]).await;
    node
}

#[tokio::test]
async fn operations_answer_what_they_did() {
    let dir = tempfile::tempdir().unwrap();
    let node = alone(dir.path()).await;
    let bytes = || Some(CacheValue::Bytes(vec![0, 255, 10]));
    for (key, update, after_ms, expected) in [
        ("a", add(1, Some(100)), 0, Ok("1")),
        ("a", add(41, Some(1)), 99, Ok("42")),
        ("a", add(1, None), 100, Ok("1")),
        ("a", add(1, None), 1_000_000, Ok("2")),
        ("a", add(i64::MAX, None), 0, Err("2^53")),
        ("a", swap(json("1"), json("9")), 0, Ok("false")),
        ("a", swap(json("2"), json("\"x\"")), 0, Ok("true")),
        ("a", add(1, None), 0, Err("no whole number")),
        ("a", swap(json("\"x\""), None), 0, Ok("true")),
        ("a", swap(None, None), 0, Ok("true")),
        ("b", swap(None, bytes()), 0, Ok("true")),
        ("b", swap(None, bytes()), 0, Ok("false")),
        ("b", swap(bytes(), json("1")), 0, Ok("true")),
        ("b", add(-3, None), 0, Ok("-2")),
        ("c\0", add(1, None), 0, Err("NUL")),
        ("", add(1, None), 0, Err("empty")),
        (&"x".repeat(600), add(1, None), 0, Err("at most 509 fit")),
        ("c", swap(None, Some(CacheValue::Bytes(vec![0; (16 << 10) + 1]))), 0, Err("takes up to 16384")),
    ] {
        let found = run(&node, "n", key, update.clone(), AT + after_ms).await;
        match expected {
            Ok(answer) => assert_eq!(found.as_deref(), Ok(answer), "{key} {update:?}"),
            Err(why) => {
                assert!(found.as_ref().is_err_and(|e| e.contains(why)), "{key} {update:?}: {found:?}")
            }
        }
    }
    let view = node.store().view().unwrap();
    assert_eq!(view.cached("n", "b", AT).unwrap(), json("-2"));
    assert_eq!((view.cached("n", "a", AT).unwrap(), view.cached("m", "b", AT).unwrap()), (None, None));
    assert_eq!(view.latest_changes(10).unwrap().len(), 1, "the changelog is of the configuration");
    drop(view);
    let both = vec![
        put(service("n", "s")),
        Op::Cache { namespace: "n".into(), key: "k".into(), update: add(1, None) },
    ];
    assert!(reject(&node, both).await[0].contains("stands alone"));
    node.shutdown().await;
    verified(dir.path()).await;
}

#[tokio::test]
async fn values_that_are_over_make_room_and_counters_are_never_pushed_out() {
    let dir = tempfile::tempdir().unwrap();
    let node = alone(dir.path()).await;
    // Each waits for the disk otherwise.
    let keys: Vec<_> = (0..10_000).map(|n| format!("k{n}")).collect();
    for some in keys.chunks(500) {
        let all: Vec<_> = some
            .iter()
            .map(|key| {
                let ttl_ms = (key != "k7").then_some(1_000);
                let (node, key) = (node.clone(), key.clone());
                tokio::spawn(async move { run(&node, "n", &key, add(1, ttl_ms), AT).await })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap().as_deref(), Ok("1"));
        }
    }
    let full = run(&node, "n", "more", add(1, None), AT + 999).await;
    assert!(full.as_ref().is_err_and(|why| why.contains("10000 values")), "{full:?}");
    assert_eq!(
        run(&node, "n", "k8", add(1, None), AT + 999).await.as_deref(),
        Ok("2"),
        "what is there goes on"
    );
    assert_eq!(run(&node, "n", "more", add(1, None), AT + 1_000).await.as_deref(), Ok("1"));
    assert_eq!(run(&node, "n", "k7", add(1, None), AT + 1_000).await.as_deref(), Ok("2"));
    node.shutdown().await;
    verified(dir.path()).await;
}

#[tokio::test]
async fn a_deleted_namespace_takes_its_values_along() {
    let dir = tempfile::tempdir().unwrap();
    let node = alone(dir.path()).await;
    let before = node.store().view().unwrap().meta().unwrap().state_hash;
    apply(&node, vec![put(namespace("m")), put(namespace("mm"))]).await;
    for of in ["m", "mm"] {
        assert_eq!(run(&node, of, "k", add(5, None), AT).await.as_deref(), Ok("5"));
    }
    apply(&node, vec![Op::Delete { key: namespace("m") }]).await;
    assert_eq!(node.store().view().unwrap().cached("m", "k", AT).unwrap(), None);
    assert_eq!(run(&node, "mm", "k", add(1, None), AT).await.as_deref(), Ok("6"), "and no other's");
    apply(&node, vec![Op::Delete { key: namespace("mm") }]).await;
    assert_eq!(node.store().view().unwrap().meta().unwrap().state_hash, before);
    apply(&node, vec![put(namespace("m"))]).await;
    assert_eq!(run(&node, "m", "k", add(1, None), AT).await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn what_is_in_the_log_reads_back_as_it_was() {
    for update in [
        add(-1, None),
        add(i64::MAX, Some(u64::MAX)),
        swap(None, Some(CacheValue::Bytes(vec![0, 200]))),
        swap(json("{\"a\":1e2}"), None),
    ] {
        let op = Op::Cache { namespace: "n".into(), key: "k".into(), update };
        let text = serde_json::to_string(&op).unwrap();
        assert_eq!(serde_json::from_str::<Op>(&text).unwrap(), op, "{text}");
    }
}
