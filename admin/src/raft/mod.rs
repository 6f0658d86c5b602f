//! Raft: every change goes through a replicated log, also on a node that is alone, and reaches the state in log order.
//! Raft's own snapshots are `RaftSnapshot` everywhere. It never answers a write before it is on the disk, and never
//! prints what a change contains.

mod cluster;
mod config;
mod error;
mod log_store;
mod network;
mod proposal;
mod proposer;
mod raft_snapshot;
mod rpc;
mod state_machine;
mod status;
mod supervisor;
pub(crate) mod verify;

pub use cluster::Cluster;
pub use config::ClusterConfig;
pub use error::ClusterError;
pub use network::{PeerFuture, PeerTransport};
pub use rpc::RaftRpc;
pub use status::{ClusterStatus, Member, NodeState};

use proposal::{Outcomes, Proposal};

openraft::declare_raft_types!(
    /// The types that Raft is told about.
    pub(crate) Types:
        D = Proposal,
        R = Outcomes,
        NodeId = u64,
        Node = openraft::BasicNode,
        SnapshotData = std::io::Cursor<Vec<u8>>,
);

type Entry = openraft::Entry<Types>;
type LogId = openraft::LogId<u64>;
type Vote = openraft::Vote<u64>;
type Membership = openraft::StoredMembership<u64, openraft::BasicNode>;
type RaftSnapshotMeta = openraft::SnapshotMeta<u64, openraft::BasicNode>;
type StorageError = openraft::StorageError<u64>;
type StorageIoError = openraft::StorageIOError<u64>;

#[cfg(test)]
mod tests;
