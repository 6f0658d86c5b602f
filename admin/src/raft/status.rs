//! What the node says about itself and its cluster, for `/cluster/status`, `/readyz` and the client's `status`. It is a
//! copy of a moment and decides nothing.

use super::Types;
use openraft::{Raft, ServerState};
use serde::Serialize;

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its id.
    pub id: u64,
    /// Its admin API, `host:port`.
    pub address: String,
    /// Whether it votes; a learner only follows.
    pub voter: bool,
}

/// The part that a node plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Follows without a vote.
    Learner,
    /// Follows the leader.
    Follower,
    /// Wants to lead.
    Candidate,
    /// Leads.
    Leader,
    /// Stopped or failed.
    Down,
}

impl NodeState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Learner => "learner",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
            Self::Down => "down",
        }
    }
}

/// A node's view of its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// This node.
    pub node_id: u64,
    /// Name of the cluster.
    pub cluster: String,
    /// What this node does.
    pub state: NodeState,
    /// Who leads, if anybody.
    pub leader: Option<u64>,
    /// Raft's term.
    pub term: u64,
    /// Index of the last entry in the log.
    pub last_log: Option<u64>,
    /// Index of the last applied entry.
    pub applied: Option<u64>,
    /// Index of the last entry in the `RaftSnapshot`.
    pub raft_snapshot: Option<u64>,
    /// Index of the last entry that is no longer in the log.
    pub purged: Option<u64>,
    /// All members, by id.
    pub members: Vec<Member>,
    /// Why Raft does not run, if it does not.
    pub failure: Option<String>,
}

impl ClusterStatus {
    /// Whether the node runs and knows a leader.
    pub fn ready(&self) -> bool {
        self.failure.is_none() && self.leader.is_some()
    }

    pub(super) fn of(raft: &Raft<Types>, cluster: &str) -> Self {
        let metrics = raft.metrics().borrow().clone();
        let membership = metrics.membership_config.membership();
        let voters: Vec<_> = membership.voter_ids().collect();
        let members = membership
            .nodes()
            .map(|(id, node)| Member { id: *id, address: node.addr.clone(), voter: voters.contains(id) })
            .collect();
        let failure = metrics.running_state.as_ref().err().map(ToString::to_string);
        let state = match metrics.state {
            _ if failure.is_some() => NodeState::Down,
            ServerState::Learner => NodeState::Learner,
            ServerState::Follower => NodeState::Follower,
            ServerState::Candidate => NodeState::Candidate,
            ServerState::Leader => NodeState::Leader,
            ServerState::Shutdown => NodeState::Down,
        };
        Self {
            node_id: metrics.id,
            cluster: cluster.to_owned(),
            state,
            leader: metrics.current_leader.filter(|_| failure.is_none()),
            term: metrics.current_term,
            last_log: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            raft_snapshot: metrics.snapshot.map(|id| id.index),
            purged: metrics.purged.map(|id| id.index),
            members,
            failure,
        }
    }
}
