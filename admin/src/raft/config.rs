//! What the cluster has to be told at the start, with defaults that suit a node that is alone.

use super::error::ClusterError;
use super::network::PeerTransport;
use std::sync::Arc;

/// Settings of this node's part in the cluster.
#[derive(Clone)]
pub struct ClusterConfig {
    /// This node. Fixed once the data folder has been used.
    pub node_id: u64,
    /// Name of the cluster. Fixed like the node.
    pub cluster: String,
    /// Where peers reach this node's admin API, `host:port`.
    pub address: String,
    /// Whether a node with an empty data folder becomes a cluster of one. A node that is to be added to a cluster says
    /// no and waits.
    pub bootstrap: bool,
    /// Entries after which a new `RaftSnapshot` is made.
    pub raft_snapshot_every: u64,
    /// Entries kept in the log although they are in the `RaftSnapshot`, so that a follower that was away for a moment
    /// needs no snapshot.
    pub keep_logs: u64,
    /// Bytes of the disk that writes never touch.
    pub disk_reserve: u64,
    /// Milliseconds between a leader's heartbeats. An election starts after three to six of them are missed.
    pub heartbeat_ms: u64,
    /// How messages reach peers. Without it the node stays alone.
    pub transport: Option<Arc<dyn PeerTransport>>,
}

impl ClusterConfig {
    /// The defaults for a node.
    pub fn new(node_id: u64, cluster: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            node_id,
            cluster: cluster.into(),
            address: address.into(),
            bootstrap: true,
            raft_snapshot_every: 2_000,
            keep_logs: 500,
            disk_reserve: 64 << 20,
            heartbeat_ms: 500,
            transport: None,
        }
    }

    /// Raft's own settings.
    pub(super) fn raft(&self) -> Result<openraft::Config, ClusterError> {
        let settings = openraft::Config {
            cluster_name: self.cluster.clone(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.heartbeat_ms.saturating_mul(3),
            election_timeout_max: self.heartbeat_ms.saturating_mul(6),
            // A peer writes a whole snapshot to its disk before it answers the last part.
            install_snapshot_timeout: 30_000,
            // Made by `supervisor`, which first looks whether there is room for one.
            snapshot_policy: openraft::SnapshotPolicy::Never,
            replication_lag_threshold: self.raft_snapshot_every.saturating_mul(2).max(5_000),
            snapshot_max_chunk_size: 1 << 20,
            max_in_snapshot_log_to_keep: self.keep_logs,
            purge_batch_size: 1,
            ..openraft::Config::default()
        };
        settings.validate().map_err(|e| ClusterError::Config { why: e.to_string() })
    }
}

impl std::fmt::Debug for ClusterConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterConfig")
            .field("node_id", &self.node_id)
            .field("cluster", &self.cluster)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
