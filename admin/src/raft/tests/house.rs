//! What the cluster's tests are furnished with: data folders, changes, rules, and nodes that are easy to start again.

use crate::change::{Change, Key, Kind, Op, Outcome};
use crate::invalid::Invalid;
use crate::raft::{Cluster, ClusterConfig};
use crate::store::{Rules, StateView, Store};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Rules that are enough to see rules work: a service needs its namespace, and a namespace goes only when it is empty.
pub(super) struct NeedsNamespace;

impl Rules for NeedsNamespace {
    fn check(&self, view: &dyn StateView, op: &Op) -> Vec<Invalid> {
        match op {
            Op::Put { key, .. } if key.kind != Kind::Namespace => {
                match view.get(&namespace(&key.namespace)) {
                    Some(_) => Vec::new(),
                    None => {
                        vec![Invalid::new("namespace", format!("there is no namespace {:?}", key.namespace))]
                    }
                }
            }
            Op::Delete { key } if key.kind == Kind::Namespace && view.any_in_namespace(&key.namespace) => {
                vec![Invalid::new("", "the namespace is not empty")]
            }
            _ => Vec::new(),
        }
    }
}

pub(super) fn namespace(name: &str) -> Key {
    Key { kind: Kind::Namespace, namespace: name.into(), collection: None, name: name.into() }
}

pub(super) fn service(namespace: &str, name: &str) -> Key {
    Key { kind: Kind::Service, namespace: namespace.into(), collection: None, name: name.into() }
}

pub(super) fn document(id: &str) -> Key {
    Key { kind: Kind::Document, namespace: "n".into(), collection: Some("c".into()), name: id.into() }
}

pub(super) fn put(key: Key) -> Op {
    let value = json!({ "name": key.name, "z": 1, "a": { "y": 0.1, "b": [null, true] } });
    Op::Put { key, value }
}

pub(super) fn put_document(id: &str, data: serde_json::Value) -> Op {
    Op::Put {
        key: document(id),
        value: json!({ "id": id, "namespace": "n", "collection": "c", "data": data }),
    }
}

pub(super) fn change(ops: Vec<Op>) -> Change {
    Change { ops, at_ms: 1_709_208_000_123 }
}

/// A store; waits for a node that is just leaving the folder.
pub(super) async fn open(dir: &Path) -> Store {
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        match Store::open(dir) {
            Ok(store) => return store,
            Err(e) if tokio::time::Instant::now() > limit => panic!("{e}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

pub(super) fn config() -> ClusterConfig {
    ClusterConfig { disk_reserve: 0, heartbeat_ms: 50, ..ClusterConfig::new(1, "test", "127.0.0.1:1") }
}

/// A node that is alone.
pub(super) async fn start(dir: &Path, config: ClusterConfig) -> Cluster {
    Cluster::start(open(dir).await, Arc::new(NeedsNamespace), config).await.unwrap()
}

/// Proposes and expects it to be applied; answers the index.
pub(super) async fn apply(cluster: &Cluster, ops: Vec<Op>) -> u64 {
    match cluster.propose(change(ops)).await.unwrap() {
        Outcome::Applied { index, .. } => index,
        Outcome::Rejected { faults } => panic!("rejected: {faults:?}"),
    }
}

/// Proposes and expects it to be rejected; answers the faults as text.
pub(super) async fn reject(cluster: &Cluster, ops: Vec<Op>) -> Vec<String> {
    match cluster.propose(change(ops)).await.unwrap() {
        Outcome::Applied { index, .. } => panic!("applied at {index}"),
        Outcome::Rejected { faults } => faults.iter().map(ToString::to_string).collect(),
    }
}

/// Whether the folder's state agrees with its hash and its log. The node must be stopped.
pub(super) async fn verified(dir: &Path) -> crate::store::Report {
    drop(open(dir).await);
    let report = crate::store::verify(dir, &NeedsNamespace).unwrap();
    assert!(report.ok, "{report:?}");
    report
}
