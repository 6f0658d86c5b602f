//! Three nodes in one process, over a transport that hands bytes from one to the other.

use super::house::*;
use crate::change::{CacheOp, CacheValue, Change, Op, Outcome};
use crate::raft::{Cluster, ClusterConfig, ClusterError, PeerFuture, PeerTransport, RaftRpc};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The wires: a node that is unplugged is reached by nobody and reaches nobody.
#[derive(Default)]
struct Wires {
    nodes: Mutex<BTreeMap<String, Cluster>>,
}

struct Plug {
    wires: Arc<Wires>,
    own: String,
}

impl PeerTransport for Plug {
    fn send<'a>(&'a self, address: &'a str, rpc: RaftRpc, body: Vec<u8>) -> PeerFuture<'a> {
        Box::pin(async move {
            let target = {
                let nodes = self.wires.nodes.lock().unwrap();
                nodes.get(address).filter(|_| nodes.contains_key(&self.own)).cloned()
            };
            let target = target.ok_or(io::ErrorKind::ConnectionRefused)?;
            target.handle_raft(rpc, &body).await.map_err(io::Error::other)
        })
    }
}

fn address(id: u64) -> String {
    format!("node-{id}:1")
}

async fn node(wires: &Arc<Wires>, id: u64, dir: &Path) -> Cluster {
    let settings = ClusterConfig {
        node_id: id,
        address: address(id),
        bootstrap: id == 1,
        raft_snapshot_every: 20,
        keep_logs: 5,
        transport: Some(Arc::new(Plug { wires: wires.clone(), own: address(id) })),
        ..config()
    };
    let node = start(dir, settings).await;
    wires.nodes.lock().unwrap().insert(address(id), node.clone());
    node
}

/// Waits until `node` has applied what `index` names.
async fn caught_up(node: &Cluster, index: u64) {
    let mut applied = node.applied();
    let caught = applied.wait_for(|now| *now >= index);
    tokio::time::timeout(std::time::Duration::from_secs(30), caught).await.unwrap().unwrap();
}

/// Proposes at whichever node leads.
async fn apply_somewhere(nodes: &[Cluster], name: &str) -> u64 {
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        for node in nodes {
            match node.propose(change(vec![put(service("n", name))])).await {
                Ok(Outcome::Applied { index, .. }) => return index,
                Ok(rejected) => panic!("{rejected:?}"),
                Err(ClusterError::NotLeader { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
        assert!(tokio::time::Instant::now() < limit, "nobody leads");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn three_nodes_lose_their_leader_and_no_answered_write() {
    let wires = Arc::new(Wires::default());
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let one = node(&wires, 1, dirs[0].path()).await;
    apply(&one, vec![put(namespace("n"))]).await;
    // Enough that the others begin with a Raft snapshot.
    for n in 0..60 {
        apply(&one, vec![put(service("n", &format!("first {n}")))]).await;
    }
    let two = node(&wires, 2, dirs[1].path()).await;
    let three = node(&wires, 3, dirs[2].path()).await;
    one.add_voter(2, &address(2)).await.unwrap();
    one.add_learner(3, &address(3)).await.unwrap();
    one.change_membership(BTreeSet::from([1, 2, 3])).await.unwrap();
    assert_eq!(one.members().iter().filter(|m| m.voter).count(), 3);
    let mut last = 0;
    for n in 0..30 {
        last = apply(&one, vec![put(service("n", &format!("second {n}")))]).await;
    }
    let refused = two.propose(change(vec![put(service("n", "x"))])).await.unwrap_err();
    assert!(
        matches!(&refused, ClusterError::NotLeader { leader: Some(leader) } if leader.address == address(1)),
        "{refused}"
    );
    for node in [&two, &three] {
        caught_up(node, last).await;
    }

    wires.nodes.lock().unwrap().remove(&address(1));
    one.shutdown().await;
    let others = [two, three];
    for n in 0..30 {
        last = apply_somewhere(&others, &format!("third {n}")).await;
    }
    for node in &others {
        caught_up(node, last).await;
    }

    // The old leader comes back as a follower and learns what it missed.
    let one = node(&wires, 1, dirs[0].path()).await;
    last = apply_somewhere(&others, "fourth").await;
    caught_up(&one, last).await;
    let nodes = [vec![one], others.to_vec()].concat();
    let mut hashes = BTreeSet::new();
    for node in &nodes {
        caught_up(node, last).await;
        let view = node.store().view().unwrap();
        let meta = view.meta().unwrap();
        assert_eq!(meta.changes, 122);
        hashes.insert((meta.state_hash, meta.changelog_hash));
        for (name, count) in [("first", 60), ("second", 30), ("third", 30)] {
            for n in 0..count {
                assert!(view.get(&service("n", &format!("{name} {n}"))).unwrap().is_some(), "{name} {n}");
            }
        }
    }
    assert_eq!(hashes.len(), 1, "every node has the same state");
    wires.nodes.lock().unwrap().clear();
    for node in nodes {
        node.shutdown().await;
    }
    drop(others);
    for dir in &dirs {
        verified(dir.path()).await;
    }
}

#[tokio::test]
async fn a_cut_off_leader_answers_nothing_as_written() {
    let wires = Arc::new(Wires::default());
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let one = node(&wires, 1, dirs[0].path()).await;
    let others = [node(&wires, 2, dirs[1].path()).await, node(&wires, 3, dirs[2].path()).await];
    one.add_voter(2, &address(2)).await.unwrap();
    one.add_voter(3, &address(3)).await.unwrap();
    apply(&one, vec![put(namespace("n"))]).await;
    wires.nodes.lock().unwrap().remove(&address(1));
    let cut_off = one.clone();
    let unanswered =
        tokio::spawn(async move { cut_off.propose(change(vec![put(service("n", "only here"))])).await });
    apply_somewhere(&others, "there").await;
    wires.nodes.lock().unwrap().insert(address(1), one.clone());
    let last = apply_somewhere(&others, "after").await;
    caught_up(&one, last).await;
    let answer = unanswered.await.unwrap();
    assert!(matches!(answer, Err(ClusterError::NotLeader { .. })), "{answer:?}");
    let view = one.store().view().unwrap();
    assert!(view.get(&service("n", "only here")).unwrap().is_none());
    assert!(view.get(&service("n", "there")).unwrap().is_some());
}

#[tokio::test]
async fn messages_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    for rpc in RaftRpc::ALL {
        for bytes in [&b""[..], b"{}", b"\0\0\0\x02{}", b"\xff\xff\xff\xff"] {
            assert!(matches!(node.handle_raft(rpc, bytes).await, Err(ClusterError::Message { .. })));
        }
    }
    assert!(node.status().ready());
}

#[tokio::test]
async fn increments_are_exact_over_three_nodes_and_changes_of_leader() {
    let wires = Arc::new(Wires::default());
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let one = node(&wires, 1, dirs[0].path()).await;
    apply(&one, vec![put(namespace("n"))]).await;
    let two = node(&wires, 2, dirs[1].path()).await;
    one.add_voter(2, &address(2)).await.unwrap();
    let add = |key: &str| Op::Cache {
        namespace: "n".into(),
        key: key.into(),
        update: CacheOp::Increment { by: 1, ttl_ms: None },
    };
    let mut sums = Vec::new();
    for n in 0..90 {
        sums.push(count_somewhere(&[one.clone(), two.clone()], add("k"), 1_000 + n).await);
        count_somewhere(&[one.clone(), two.clone()], add(&format!("k{n}")), 1_000 + n).await;
    }
    // Begins with a Raft snapshot that has counters in it.
    let three = node(&wires, 3, dirs[2].path()).await;
    one.add_voter(3, &address(3)).await.unwrap();
    wires.nodes.lock().unwrap().remove(&address(1));
    one.shutdown().await;
    let others = [two, three];
    for n in 0..30 {
        sums.push(count_somewhere(&others, add("k"), n).await);
    }
    assert!(sums.iter().copied().eq(1..=120), "{sums:?}");
    let one = node(&wires, 1, dirs[0].path()).await;
    let last = apply_somewhere(&others, "last").await;
    let nodes = [vec![one], others.to_vec()].concat();
    let mut hashes = BTreeSet::new();
    for node in &nodes {
        caught_up(node, last).await;
        let view = node.store().view().unwrap();
        hashes.insert(view.meta().unwrap().state_hash);
        assert_eq!(view.cached("n", "k", 0).unwrap(), Some(CacheValue::Json("120".into())));
    }
    assert_eq!(hashes.len(), 1, "every node has the same state");
    wires.nodes.lock().unwrap().clear();
    for node in nodes {
        node.shutdown().await;
    }
    drop(others);
    for dir in &dirs {
        verified(dir.path()).await;
    }
}

/// Proposes an increment at whichever node leads; answers the sum.
async fn count_somewhere(nodes: &[Cluster], op: Op, at_ms: u64) -> i64 {
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        for node in nodes {
            match node.propose(Change { ops: vec![op.clone()], at_ms }).await {
                Ok(Outcome::Applied { answer: Some(CacheValue::Json(sum)), .. }) => {
                    return sum.parse().unwrap();
                }
                Ok(other) => panic!("{other:?}"),
                Err(ClusterError::NotLeader { .. }) => {}
                Err(e) => panic!("{e}"),
            }
        }
        assert!(tokio::time::Instant::now() < limit, "nobody leads");
        tokio::task::yield_now().await;
    }
}
