//! Why the cluster did not do what it was asked. The text is for an operator and never carries a value of a change.

use super::status::Member;
use crate::store::StoreError;

/// A refused or failed request to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterError {
    /// This node does not lead: ask the leader, if one is known.
    NotLeader {
        /// The leader, with its admin address.
        leader: Option<Member>,
    },
    /// There is no room for the write. Nothing was written; reads go on, and writes do when there is room again.
    NoRoom {
        /// What is short, with numbers.
        why: String,
    },
    /// The change is larger than an entry may be.
    TooLarge {
        /// Bytes of the change.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The storage failed. Whether the write took effect is not known until the node answers reads with it; the node
    /// goes on serving what it has and starts Raft again by itself.
    Storage {
        /// The cause.
        why: String,
    },
    /// The membership cannot be changed like this.
    Membership {
        /// Why.
        why: String,
    },
    /// A peer's message cannot be read.
    Message {
        /// What is wrong with it.
        why: String,
    },
    /// The data folder belongs to another node.
    Identity {
        /// Whose it is.
        why: String,
    },
    /// The settings of the cluster contradict each other.
    Config {
        /// How.
        why: String,
    },
    /// No leader was found in time at the start.
    NoLeader,
    /// The node is shutting down.
    Stopped,
}

impl std::fmt::Display for ClusterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLeader { leader: Some(leader) } => {
                write!(
                    f,
                    "this node does not lead the cluster; node {} at {} does",
                    leader.id, leader.address
                )
            }
            Self::NotLeader { leader: None } => {
                write!(f, "the cluster has no leader at the moment; try again")
            }
            Self::NoRoom { why } => write!(f, "no room for the write: {why}"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the change has {bytes} bytes, at most {limit} fit; split it")
            }
            Self::Storage { why } => {
                write!(f, "the storage failed, whether the write took effect is not known: {why}")
            }
            Self::Membership { why } => write!(f, "the membership cannot be changed: {why}"),
            Self::Message { why } => write!(f, "the peer's message cannot be read: {why}"),
            Self::Identity { why } => write!(f, "the data folder belongs to another node: {why}"),
            Self::Config { why } => write!(f, "the cluster's settings cannot be used: {why}"),
            Self::NoLeader => write!(f, "no leader was found in time"),
            Self::Stopped => write!(f, "the node is shutting down"),
        }
    }
}

impl std::error::Error for ClusterError {}

impl From<StoreError> for ClusterError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Full { why } => Self::NoRoom { why },
            e => Self::Storage { why: e.to_string() },
        }
    }
}

impl From<openraft::error::Fatal<u64>> for ClusterError {
    fn from(e: openraft::error::Fatal<u64>) -> Self {
        match e {
            openraft::error::Fatal::Stopped => Self::Stopped,
            openraft::error::Fatal::StorageError(e) => Self::Storage { why: e.to_string() },
            openraft::error::Fatal::Panicked => Self::Storage { why: "the Raft task panicked".into() },
        }
    }
}

type WriteError =
    openraft::error::RaftError<u64, openraft::error::ClientWriteError<u64, openraft::BasicNode>>;

impl From<WriteError> for ClusterError {
    fn from(e: WriteError) -> Self {
        use openraft::error::{ClientWriteError, RaftError};
        match e {
            RaftError::Fatal(e) => e.into(),
            RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => Self::NotLeader {
                leader: to.leader_id.zip(to.leader_node).map(|(id, node)| Member {
                    id,
                    address: node.addr,
                    voter: true,
                }),
            },
            RaftError::APIError(ClientWriteError::ChangeMembershipError(e)) => {
                Self::Membership { why: e.to_string() }
            }
        }
    }
}
