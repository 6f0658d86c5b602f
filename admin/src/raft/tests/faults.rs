//! A disk that fails or is full.

use super::house::*;
use crate::raft::{ClusterConfig, ClusterError, NodeState};
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_full_disk_refuses_writes_and_serves_reads() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    node.shutdown().await;
    let node = start(dir.path(), ClusterConfig { disk_reserve: u64::MAX, ..config() }).await;
    let refused = node.propose(change(vec![put(service("n", "s"))])).await.unwrap_err();
    assert!(matches!(&refused, ClusterError::NoRoom { why } if why.contains("MiB left")), "{refused}");
    assert!(node.status().ready(), "a refused write is no failure of the node");
    assert!(node.store().view().unwrap().get(&namespace("n")).unwrap().is_some());
}

#[tokio::test]
async fn a_full_database_refuses_writes_and_goes_on_after_deletes_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open_sized(dir.path(), &[4 << 20]).unwrap();
    let node =
        crate::raft::Cluster::start(store, std::sync::Arc::new(NeedsNamespace), config()).await.unwrap();
    apply(&node, vec![put(namespace("n"))]).await;
    let mut written = 0;
    let refused = loop {
        let op = put_document(&written.to_string(), json!("x".repeat(30_000)));
        match node.propose(change(vec![op])).await {
            Ok(_) => written += 1,
            Err(e) => break e,
        }
    };
    assert!(matches!(refused, ClusterError::NoRoom { .. }), "{refused}");
    assert!(written > 5);
    assert!(node.status().ready());
    assert_eq!(node.store().view().unwrap().count_documents("n", "c").unwrap(), written);
    node.shutdown().await;
    verified(dir.path()).await;
}

#[tokio::test]
async fn a_change_beyond_the_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    let huge = change(vec![put_document("d", json!("x".repeat(33 << 20)))]);
    assert!(matches!(node.propose(huge).await, Err(ClusterError::TooLarge { .. })));
}

#[tokio::test]
async fn after_a_failed_write_raft_starts_again_and_nothing_answered_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    let broken = &node.store().inner.broken;
    for round in 0..3 {
        apply(&node, vec![put(service("n", &format!("before {round}")))]).await;
        broken.store(true, Ordering::SeqCst);
        let failed = node.propose(change(vec![put(service("n", "lost"))])).await.unwrap_err();
        assert!(matches!(&failed, ClusterError::Storage { why } if why.contains("os error 5")), "{failed}");
        let status = node.status();
        assert!(!status.ready() && status.state == NodeState::Down, "{status:?}");
        assert!(status.failure.is_some());
        assert!(node.store().view().unwrap().get(&namespace("n")).unwrap().is_some(), "reads go on");
        broken.store(false, Ordering::SeqCst);
        // Until Raft runs again, writes are refused as the first one was.
        while let Err(e) = node.propose(change(vec![put(service("n", &format!("after {round}")))])).await {
            assert!(matches!(
                e,
                ClusterError::Storage { .. } | ClusterError::NotLeader { .. } | ClusterError::Stopped
            ));
            tokio::task::yield_now().await;
        }
        assert!(node.status().ready());
        for name in [format!("before {round}"), format!("after {round}")] {
            assert!(node.store().view().unwrap().get(&service("n", &name)).unwrap().is_some(), "{name}");
        }
        assert!(node.store().view().unwrap().get(&service("n", "lost")).unwrap().is_none());
    }
    node.shutdown().await;
    verified(dir.path()).await;
}
