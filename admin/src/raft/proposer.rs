//! The one way of changes into the log. Changes that come while the disk is busy wait and share the next entry, so that
//! many writers cost one write to the disk. It looks for room first: Raft must not meet a full disk.

use super::cluster::Inner;
use super::error::ClusterError;
use super::proposal::Proposal;
use crate::change::Outcome;
use serde_json::value::RawValue;
use std::sync::Weak;
use tokio::sync::{mpsc, oneshot};

/// Changes that wait; more wait at the caller.
pub(super) const QUEUED: usize = 1024;
/// Changes in an entry.
const BATCH: usize = 256;
/// Bytes of an entry, unless one change alone has more.
const BATCH_BYTES: usize = 4 << 20;

/// A change on its way.
pub(super) struct Job {
    /// Its text.
    pub(super) text: Box<RawValue>,
    /// Where the outcome goes.
    pub(super) answer: oneshot::Sender<Result<Outcome, ClusterError>>,
}

/// Proposes what is in the queue until the cluster is gone.
pub(super) async fn run(cluster: Weak<Inner>, mut queue: mpsc::Receiver<Job>) {
    let mut left_over = None;
    loop {
        let first = match left_over.take() {
            Some(job) => job,
            None => match queue.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let mut bytes = first.text.get().len();
        let mut jobs = vec![first];
        while jobs.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            bytes += job.text.get().len();
            if bytes > BATCH_BYTES {
                bytes -= job.text.get().len();
                left_over = Some(job);
                break;
            }
            jobs.push(job);
        }
        let Some(cluster) = cluster.upgrade() else { return };
        let (changes, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.text, job.answer)).unzip();
        let result = propose(&cluster, changes, bytes).await;
        drop(cluster);
        match result {
            Ok(outcomes) => {
                // A proposer that no longer waits has its answer in the state.
                answers
                    .into_iter()
                    .zip(outcomes)
                    .for_each(|(answer, outcome)| drop(answer.send(Ok(outcome))));
            }
            Err(e) => answers.into_iter().for_each(|answer| drop(answer.send(Err(e.clone())))),
        }
    }
}

async fn propose(
    cluster: &Inner,
    changes: Vec<Box<RawValue>>,
    bytes: usize,
) -> Result<Vec<Outcome>, ClusterError> {
    cluster.store.check_room(bytes as u64, cluster.config.disk_reserve)?;
    let count = changes.len();
    let written = cluster.raft().client_write(Proposal { changes }).await?;
    assert_eq!(written.data.0.len(), count, "every change of an entry has an outcome");
    Ok(written.data.0)
}
