//! What modules ask of the cluster's cache: operations go through the log and are answered with what applying them gave;
//! reads ask the leader how far the log has come and wait for that, which writes nothing. Nothing here waits for a shard.

use super::reply::reply;
use crate::change::{CacheOp, CacheValue, Change, Op, Outcome};
use crate::raft::Cluster;
use crate::store::check_size;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{CacheUpdate, CacheValue as Said, ToShard};
use tokio::sync::Semaphore;

/// Operations of modules under way at once; one more is refused.
const AT_ONCE: usize = 1_024;

/// Carries out what modules ask of the cluster's cache.
#[derive(Clone)]
pub(super) struct Counting {
    cluster: Cluster,
    room: Arc<Semaphore>,
}

impl Counting {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self { cluster, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Begins an operation; its answer goes to `shard`.
    pub(super) fn begin(
        &self,
        shard: QueueWriter<ToShard>,
        ticket: u64,
        namespace: Arc<str>,
        key: String,
        update: CacheUpdate,
    ) {
        let this = self.clone();
        tokio::spawn(async move {
            let outcome = match this.room.try_acquire() {
                Ok(_room) => this.run(&namespace, key, update).await,
                Err(_) => Err("too many operations on the cluster's cache are under way: try again".into()),
            };
            reply(&shard, ToShard::Cached { ticket, outcome: outcome.map(|value| value.map(said)) }).await;
        });
    }

    async fn run(
        &self,
        namespace: &str,
        key: String,
        update: CacheUpdate,
    ) -> Result<Option<CacheValue>, String> {
        let update = match update {
            CacheUpdate::Read => return self.read(namespace, key).await,
            CacheUpdate::Increment { by, ttl_ms } => CacheOp::Increment { by, ttl_ms },
            CacheUpdate::CompareAndSet { expected, value, ttl_ms } => {
                let (expected, value) = (expected.map(heard), value.map(heard));
                // The log must not carry what applying it would refuse.
                for value in [&expected, &value] {
                    check_size(value.as_ref()).map_err(|fault| fault.why)?;
                }
                CacheOp::CompareAndSet { expected, value, ttl_ms }
            }
        };
        let op = Op::Cache { namespace: namespace.to_owned(), key, update };
        let change = Change { ops: vec![op], at_ms: now_ms() };
        match self.cluster.propose(change).await.map_err(|e| e.to_string())? {
            Outcome::Applied { answer, .. } => Ok(answer),
            Outcome::Rejected { faults } => {
                Err(faults.into_iter().map(|fault| fault.why).collect::<Vec<_>>().join("; "))
            }
        }
    }

    async fn read(&self, namespace: &str, key: String) -> Result<Option<CacheValue>, String> {
        self.cluster.linearizable().await.map_err(|e| e.to_string())?;
        let (store, namespace) = (self.cluster.store().clone(), namespace.to_owned());
        let read = tokio::task::spawn_blocking(move || store.view()?.cached(&namespace, &key, now_ms()));
        read.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }
}

/// Wall clock, milliseconds since the epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

fn heard(value: Said) -> CacheValue {
    match value {
        Said::Json(text) => CacheValue::Json(text),
        Said::Bytes(bytes) => CacheValue::Bytes(bytes),
    }
}

fn said(value: CacheValue) -> Said {
    match value {
        CacheValue::Json(text) => Said::Json(text),
        CacheValue::Bytes(bytes) => Said::Bytes(bytes),
    }
}
