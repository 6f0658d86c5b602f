//! One node: what changes do, what a restart finds, how the log stays short.

use super::house::*;
use crate::change::{Key, Kind, Op, Outcome};
use crate::raft::{ClusterConfig, ClusterError};
use crate::store::{OpName, Store, StoreError};
use serde_json::json;
use std::collections::BTreeSet;
use tidegate_snapshot::{DocumentQuery, DocumentReader};

#[tokio::test]
async fn changes_are_applied_or_rejected_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    let mut applied = node.applied();
    applied.mark_unchanged();
    let index = apply(&node, vec![put(namespace("n")), put(service("n", "s"))]).await;
    assert_eq!(*applied.borrow_and_update(), index);

    let before = node.store().view().unwrap().meta().unwrap();
    assert_eq!((before.revision, before.changes), (index, 1));
    // The first operation would have passed, the two others tell all that is wrong.
    let faults = reject(
        &node,
        vec![
            put(service("n", "t")),
            put(service("gone", "s")),
            Op::Delete { key: service("n", "u") },
            Op::Delete { key: service("n", "t") },
        ],
    )
    .await;
    assert_eq!(
        faults,
        ["namespace: there is no namespace \"gone\"", "the service \"u\" of namespace \"n\" does not exist"]
    );
    let view = node.store().view().unwrap();
    assert_eq!(view.get(&service("n", "t")).unwrap(), None);
    let after = view.meta().unwrap();
    assert_eq!(after.revision, index + 1, "a rejected entry advances the log");
    assert_eq!(
        (after.changes, after.state_hash, after.changelog_hash),
        (1, before.state_hash, before.changelog_hash)
    );
    assert_eq!(
        view.get_text(&service("n", "s")).unwrap().unwrap(),
        r#"{"a":{"b":[null,true],"y":0.1},"name":"s","z":1}"#,
        "values are canonical"
    );
    drop(view);
    assert_eq!(reject(&node, vec![Op::Delete { key: namespace("n") }]).await, ["the namespace is not empty"]);
    apply(&node, vec![Op::Delete { key: service("n", "s") }, Op::Delete { key: namespace("n") }]).await;
    assert_eq!(node.store().view().unwrap().meta().unwrap().state_hash, [0; 32], "nothing is left");
}

#[tokio::test]
async fn unusable_operations_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    let cases = [
        (put(service("n", &"x".repeat(600))), "at most 508 fit"),
        (put(service("n", "a\0b")), "NUL"),
        (put(Key { collection: None, ..document("d") }), "a document needs a collection"),
        (Op::Put { key: document("d"), value: json!([1]) }, "a document needs data"),
        (Op::Delete { key: document("d") }, "does not exist"),
    ];
    for (op, why) in cases {
        let faults = reject(&node, vec![op]).await;
        assert!(faults[0].contains(why), "{faults:?}");
    }
}

#[tokio::test]
async fn documents_are_kept_with_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(
        &node,
        vec![put(namespace("n")), put_document("b", json!(1)), put_document("a", json!({ "x": [] }))],
    )
    .await;
    let mut later = change(vec![put_document("b", json!("two"))]);
    later.at_ms += 1_000;
    assert!(matches!(node.propose(later).await, Ok(Outcome::Applied { .. })));
    let a = r#"{"collection":"c","createdAt":"2024-02-29T12:00:00.123Z","data":{"x":[]},"id":"a","namespace":"n","updatedAt":"2024-02-29T12:00:00.123Z"}"#;
    let b = r#"{"collection":"c","createdAt":"2024-02-29T12:00:00.123Z","data":"two","id":"b","namespace":"n","updatedAt":"2024-02-29T12:00:01.123Z"}"#;
    let page = |limit, offset| DocumentQuery::Documents { collection: "c".into(), limit, offset };
    let one = |id: &str| DocumentQuery::Document { collection: "c".into(), id: id.into() };
    let read = |query| node.store().read("n", &query).unwrap();
    assert_eq!(read(page(10, 0)), format!("[{a},{b}]"));
    assert_eq!(read(page(1, 1)), format!("[{b}]"));
    assert_eq!(read(page(1, 2)), "[]");
    assert_eq!(read(one("a")), a);
    assert_eq!(read(one("z")), "null");
    assert_eq!(read(DocumentQuery::Collection { name: "c".into() }), "null");
    assert_eq!(node.store().view().unwrap().count_documents("n", "c").unwrap(), 2);
    let clear = Op::DeleteDocuments { namespace: "n".into(), collection: "c".into() };
    apply(&node, vec![put_document("c", json!(null)), clear]).await;
    let view = node.store().view().unwrap();
    assert_eq!(view.count_documents("n", "c").unwrap(), 0);
    assert!(view.documents("n", "c", 10, 0).unwrap().is_empty());
    assert!(view.list(Kind::Document, None).unwrap().is_empty());
}

#[tokio::test]
async fn the_changelog_names_what_changed_and_no_values() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    let first = apply(&node, vec![put(namespace("n"))]).await;
    reject(&node, vec![put(service("gone", "s"))]).await;
    let second = apply(&node, vec![put_document("d", json!("hidden"))]).await;
    let latest = node.store().view().unwrap().latest_changes(10).unwrap();
    assert_eq!(latest.iter().map(|c| c.index).collect::<Vec<_>>(), [second, first]);
    assert_eq!((latest[0].ops[0].op, latest[0].ops[0].name.as_deref()), (OpName::Put, Some("d")));
    assert!(!serde_json::to_string(&latest).unwrap().contains("hidden"));
    for n in 0..200 {
        apply(&node, vec![put(service("n", &n.to_string()))]).await;
    }
    assert_eq!(node.store().view().unwrap().latest_changes(1_000).unwrap().len(), 128);
}

#[tokio::test]
async fn a_view_stays_as_it_is_and_a_second_joins_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    let view = node.store().view().unwrap();
    apply(&node, vec![put(namespace("m"))]).await;
    let second = node.store().view().unwrap();
    for view in [&view, &second] {
        assert_eq!(view.get(&namespace("m")).unwrap(), None);
    }
    drop((view, second));
    assert!(node.store().view().unwrap().get(&namespace("m")).unwrap().is_some());
}

#[tokio::test]
async fn a_restart_finds_what_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    for n in 0..50 {
        apply(&node, vec![put(service("n", &n.to_string()))]).await;
    }
    let before = node.store().view().unwrap().meta().unwrap();
    node.shutdown().await;
    assert_eq!(verified(dir.path()).await.state_hash.0, before.state_hash);

    let node = start(dir.path(), config()).await;
    let after = node.store().view().unwrap().meta().unwrap();
    assert_eq!(
        (after.state_hash, after.changelog_hash, after.changes),
        (before.state_hash, before.changelog_hash, 51)
    );
    assert!(after.revision >= before.revision);
    apply(&node, vec![put(service("n", "again"))]).await;
    node.shutdown().await;
    verified(dir.path()).await;
}

#[tokio::test]
async fn many_writers_share_entries_and_each_has_its_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    let before = node.status().last_log.unwrap();
    let writers: Vec<_> = (0..400)
        .map(|n| {
            let node = node.clone();
            let namespace = if n % 4 == 0 { "gone" } else { "n" };
            tokio::spawn(
                async move { node.propose(change(vec![put(service(namespace, &n.to_string()))])).await },
            )
        })
        .collect();
    for (n, writer) in writers.into_iter().enumerate() {
        let outcome = writer.await.unwrap().unwrap();
        assert_eq!(matches!(outcome, Outcome::Rejected { .. }), n % 4 == 0, "{n}: {outcome:?}");
    }
    let entries = node.status().last_log.unwrap() - before;
    assert!(entries < 100, "{entries} entries for 400 changes");
    let meta = node.store().view().unwrap().meta().unwrap();
    assert_eq!(meta.changes, 301);
    node.shutdown().await;
    assert_eq!(verified(dir.path()).await.changes, 301);
}

/// The log must not grow for ever.
#[tokio::test]
async fn ten_thousand_changes_leave_a_short_log() {
    let dir = tempfile::tempdir().unwrap();
    let settings = ClusterConfig { raft_snapshot_every: 50, keep_logs: 20, ..config() };
    let node = start(dir.path(), settings.clone()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    for round in 0..200 {
        let writers: Vec<_> = (0..50)
            .map(|n| {
                let node = node.clone();
                let op = put_document(&format!("{}", n * 7 % 1_000), json!([round, n]));
                tokio::spawn(async move { node.propose(change(vec![op])).await })
            })
            .collect();
        for writer in writers {
            assert!(matches!(writer.await.unwrap().unwrap(), Outcome::Applied { .. }));
        }
    }
    // The last Raft snapshot may still be in the making.
    let mut applied = node.applied();
    for n in 0..1_000 {
        let status = node.status();
        if status.last_log.unwrap() - status.purged.unwrap_or(0) <= 120 {
            break;
        }
        assert!(n < 999, "the log is not shortened: {status:?}");
        apply(&node, vec![put(service("n", &n.to_string()))]).await;
        applied.mark_unchanged();
    }
    let status = node.status();
    assert!(status.raft_snapshot.is_some() && status.purged.is_some());
    let before = node.store().view().unwrap().meta().unwrap();
    assert!(before.changes > 10_000);
    node.shutdown().await;

    let report = verified(dir.path()).await;
    assert!(report.replayed_from.is_some(), "{report:?}");
    assert_eq!((report.state_hash.0, report.replayed_hash.0), (before.state_hash, before.state_hash));
    let node = start(dir.path(), settings).await;
    let after = node.store().view().unwrap().meta().unwrap();
    assert_eq!((after.state_hash, after.changelog_hash), (before.state_hash, before.changelog_hash));
    assert!(node.store().size().unwrap() < 32 << 20, "{} bytes", node.store().size().unwrap());
}

#[tokio::test]
async fn a_node_that_is_alone_commits_once_for_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    apply(&node, vec![put(namespace("n"))]).await;
    let commits = || node.store().inner.env.info().last_txn_id;
    let before = commits();
    for n in 0..10 {
        apply(&node, vec![put(service("n", &n.to_string()))]).await;
    }
    assert_eq!(commits() - before, 10);
}

#[tokio::test]
async fn a_node_without_transport_stays_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    for refused in [
        node.add_learner(2, "127.0.0.1:2").await,
        node.add_voter(2, "127.0.0.1:2").await,
        node.change_membership(BTreeSet::from([1, 2])).await,
        node.remove_member(1).await,
        node.remove_member(7).await,
    ] {
        assert!(matches!(refused, Err(ClusterError::Membership { .. })), "{refused:?}");
    }
    apply(&node, vec![put(namespace("n"))]).await;
    let status = node.status();
    assert!(status.ready());
    assert_eq!((status.leader, status.members.len()), (Some(1), 1));
}

#[tokio::test]
async fn a_folder_belongs_to_one_process_and_one_node() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path(), config()).await;
    let second = Store::open(dir.path()).unwrap_err();
    assert!(
        matches!(second, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{second}"
    );
    node.shutdown().await;
    for other in
        [ClusterConfig { node_id: 2, ..config() }, ClusterConfig { cluster: "other".into(), ..config() }]
    {
        let started =
            crate::raft::Cluster::start(open(dir.path()).await, std::sync::Arc::new(NeedsNamespace), other)
                .await;
        assert!(matches!(started, Err(ClusterError::Identity { .. })));
    }
}
