//! What goes on beside the writes: a new Raft snapshot when the log has grown enough, and Raft started again after its
//! storage failed. Raft stops for good on a storage error; the node does not: it serves what it has, says that it is not
//! ready, and tries whether the disk takes writes again.

use super::cluster::Inner;
use super::log_store::write_meta;
use openraft::RaftMetrics;
use std::sync::Weak;
use std::time::Duration;

/// Pauses between two tries, milliseconds: the first, and the longest.
const FIRST_PAUSE_MS: u64 = 200;
const LONGEST_PAUSE_MS: u64 = 30_000;

/// Watches Raft until the cluster is gone.
pub(super) async fn run(cluster: Weak<Inner>) {
    let mut refused_at = 0;
    loop {
        let Some(mut metrics) = cluster.upgrade().map(|c| c.raft().metrics()) else { return };
        loop {
            let seen = metrics.borrow_and_update().clone();
            let Some(cluster) = cluster.upgrade() else { return };
            if seen.running_state.is_err() {
                if cluster.is_stopping() {
                    return;
                }
                tracing::error!(node = cluster.config.node_id, "raft stopped: its storage failed");
                break;
            }
            shorten_log(&cluster, &seen, &mut refused_at).await;
            drop(cluster);
            if metrics.changed().await.is_err() {
                break;
            }
        }
        if !start_again(&cluster).await {
            return;
        }
    }
}

/// Has a Raft snapshot made when enough entries came since the last one; Raft then purges the log before it.
async fn shorten_log(cluster: &Inner, seen: &RaftMetrics<u64, openraft::BasicNode>, refused_at: &mut u64) {
    let applied = seen.last_applied.map_or(0, |id| id.index);
    let last = seen.snapshot.map_or(0, |id| id.index).max(*refused_at);
    if applied < last.saturating_add(cluster.config.raft_snapshot_every) {
        return;
    }
    // The snapshot is about as large as the state, which is at most the data file.
    let size = cluster.store.size().unwrap_or(0);
    if let Err(e) = cluster.store.check_room(size / 4, cluster.config.disk_reserve) {
        tracing::warn!(node = cluster.config.node_id, "the log is not shortened: {e}");
        *refused_at = applied;
        return;
    }
    // Fails when Raft has stopped, which the next turn sees.
    let _ = cluster.raft().trigger().snapshot().await;
}

/// Starts Raft again as soon as the disk takes writes. Answers whether to go on.
async fn start_again(cluster: &Weak<Inner>) -> bool {
    let mut pause = FIRST_PAUSE_MS;
    loop {
        let Some(cluster) = cluster.upgrade() else { return false };
        if cluster.is_stopping() {
            return false;
        }
        let store = cluster.store.clone();
        let probe = move || {
            store.write_with(|tables, txn| write_meta(tables, txn, "probe", &"written to try the disk"))
        };
        let tried = match super::log_store::blocking(probe).await {
            Ok(()) => cluster.restart_raft().await.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match tried {
            Ok(()) => {
                tracing::info!(node = cluster.config.node_id, "raft runs again");
                return true;
            }
            Err(why) => tracing::warn!(node = cluster.config.node_id, "raft cannot run again yet: {why}"),
        }
        drop(cluster);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE_MS);
    }
}
