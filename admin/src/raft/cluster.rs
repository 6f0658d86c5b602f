//! This node's part in the cluster: starting it, proposing changes, reading its status, and changing its members. A
//! handle; all clones are the same node.

use super::config::ClusterConfig;
use super::error::ClusterError;
use super::log_store::{Fused, LogStore, read_meta, write_meta};
use super::network::Network;
use super::proposal::text_of;
use super::proposer::{self, Job, QUEUED};
use super::rpc::{self, RaftRpc};
use super::state_machine::StateMachine;
use super::status::{ClusterStatus, Member};
use super::{Types, supervisor};
use crate::change::{Change, Outcome};
use crate::store::{Rules, Store};
use openraft::{BasicNode, ChangeMembers, Raft, RaftMetrics};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Bytes of a change's text.
const CHANGE_LIMIT: usize = 32 << 20;
/// How long a node that is alone may take to lead and apply its log.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running node. Clones are the same node.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    queue: mpsc::Sender<Job>,
}

/// What the node's tasks share.
pub(super) struct Inner {
    pub(super) config: ClusterConfig,
    pub(super) store: Store,
    rules: Arc<dyn Rules>,
    applied: Arc<watch::Sender<u64>>,
    /// Replaced when Raft is started again.
    raft: RwLock<Raft<Types>>,
    stopping: AtomicBool,
}

/// Whose data folder it is.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Identity {
    node_id: u64,
    cluster: String,
}

const IDENTITY_KEY: &str = "identity";

impl Cluster {
    /// Starts the node on `store`. With an empty folder and `bootstrap` it becomes a cluster of one. A node that is
    /// alone leads and has applied its whole log when this returns. Must run inside tokio, and lives as long as the
    /// runtime. Errors: the folder is another node's, the storage fails, the settings contradict each other.
    pub async fn start(
        store: Store,
        rules: Arc<dyn Rules>,
        config: ClusterConfig,
    ) -> Result<Self, ClusterError> {
        check_identity(&store, &config)?;
        let revision = store.view()?.meta()?.revision;
        let applied = Arc::new(watch::Sender::new(revision));
        let raft = new_raft(&store, &rules, &config, &applied).await?;
        let inner = Arc::new(Inner {
            config,
            store,
            rules,
            applied,
            raft: RwLock::new(raft.clone()),
            stopping: AtomicBool::new(false),
        });
        if inner.config.bootstrap && !raft.is_initialized().await? {
            let me = BTreeMap::from([(inner.config.node_id, BasicNode::new(&inner.config.address))]);
            raft.initialize(me).await.map_err(|e| ClusterError::Membership { why: e.to_string() })?;
        }
        inner.wait_if_alone(&raft).await?;
        let (queue, jobs) = mpsc::channel(QUEUED);
        tokio::spawn(proposer::run(Arc::downgrade(&inner), jobs));
        tokio::spawn(supervisor::run(Arc::downgrade(&inner)));
        Ok(Self { inner, queue })
    }

    /// Proposes a change and waits until it is on the disk of a majority and applied here. An error other than
    /// [`ClusterError::Storage`] and [`ClusterError::Stopped`] means that it took no effect.
    pub async fn propose(&self, change: Change) -> Result<Outcome, ClusterError> {
        let text = text_of(&change);
        drop(change);
        let bytes = text.get().len();
        if bytes > CHANGE_LIMIT {
            return Err(ClusterError::TooLarge { bytes, limit: CHANGE_LIMIT });
        }
        let (answer, outcome) = oneshot::channel();
        self.queue.send(Job { text, answer }).await.map_err(|_| ClusterError::Stopped)?;
        outcome.await.map_err(|_| ClusterError::Stopped)?
    }

    /// Tells every new revision: the index of the last applied entry.
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.inner.applied.subscribe()
    }

    /// The node's view of its cluster.
    pub fn status(&self) -> ClusterStatus {
        ClusterStatus::of(&self.inner.raft(), &self.inner.config.cluster)
    }

    /// All members, by id.
    pub fn members(&self) -> Vec<Member> {
        self.status().members
    }

    /// The store that the node writes.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Waits until this node has applied everything that was answered before the call, whoever answered it. Errors:
    /// [`ClusterError::NotLeader`]; only the leader knows.
    pub async fn linearizable(&self) -> Result<(), ClusterError> {
        use openraft::error::{CheckIsLeaderError, RaftError};
        match self.inner.raft().ensure_linearizable().await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(e)) => Err(e.into()),
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => {
                Err(ClusterError::NotLeader {
                    leader: to.leader_id.zip(to.leader_node).map(|(id, node)| Member {
                        id,
                        address: node.addr,
                        voter: true,
                    }),
                })
            }
            Err(RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_))) => {
                Err(ClusterError::NotLeader { leader: None })
            }
        }
    }

    /// Adds a node, or changes its address, as one that follows without a vote; returns when it has caught up. Errors:
    /// this node has no transport, does not lead, or another change of the membership is under way.
    pub async fn add_learner(&self, id: u64, address: &str) -> Result<(), ClusterError> {
        self.refuse_if_alone()?;
        let raft = self.inner.raft();
        let node = BasicNode::new(address);
        let moved = self.members().iter().any(|m| m.id == id && m.address != address);
        if moved {
            let nodes = ChangeMembers::SetNodes(BTreeMap::from([(id, node.clone())]));
            raft.change_membership(nodes, true).await?;
        }
        raft.add_learner(id, node, true).await?;
        Ok(())
    }

    /// Makes exactly `voters` vote; the others leave the cluster. Each must be a member already. Errors: as
    /// [`Cluster::add_learner`], and when nobody would vote or one is not a member.
    pub async fn change_membership(&self, voters: BTreeSet<u64>) -> Result<(), ClusterError> {
        if voters.iter().any(|id| *id != self.inner.config.node_id) {
            self.refuse_if_alone()?;
        }
        self.inner.raft().change_membership(voters, false).await?;
        Ok(())
    }

    /// Adds a node as a voter, or makes a learner one. Errors: as [`Cluster::add_learner`].
    pub async fn add_voter(&self, id: u64, address: &str) -> Result<(), ClusterError> {
        self.add_learner(id, address).await?;
        let voters = ChangeMembers::AddVoterIds(BTreeSet::from([id]));
        self.inner.raft().change_membership(voters, true).await?;
        Ok(())
    }

    /// Takes a node out of the cluster, whatever it was. Errors: it is not a member, or the last voter.
    pub async fn remove_member(&self, id: u64) -> Result<(), ClusterError> {
        let members = self.members();
        let Some(member) = members.iter().find(|m| m.id == id) else {
            return Err(ClusterError::Membership { why: format!("node {id} is not a member") });
        };
        let ids = BTreeSet::from([id]);
        let change = match member.voter {
            true => ChangeMembers::RemoveVoters(ids),
            false => ChangeMembers::RemoveNodes(ids),
        };
        self.inner.raft().change_membership(change, false).await?;
        Ok(())
    }

    /// Gives a peer's message to Raft; answers the bytes that go back. The caller has made sure that it is a peer.
    pub async fn handle_raft(&self, rpc: RaftRpc, bytes: &[u8]) -> Result<Vec<u8>, ClusterError> {
        let raft = self.inner.raft();
        rpc::dispatch(&raft, rpc, bytes).await
    }

    /// Stops the node. Writes that were answered are on the disk; others fail with [`ClusterError::Stopped`].
    pub async fn shutdown(self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        // An error means that the task had ended badly, which the status has told.
        let _ = self.inner.raft().shutdown().await;
    }

    fn refuse_if_alone(&self) -> Result<(), ClusterError> {
        match self.inner.config.transport {
            Some(_) => Ok(()),
            None => Err(ClusterError::Membership {
                why: "this node has no way to reach peers; configure the cluster's peer listener first"
                    .into(),
            }),
        }
    }
}

impl Inner {
    /// Raft as it runs now.
    pub(super) fn raft(&self) -> Raft<Types> {
        self.raft.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the node is being shut down.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Replaces a Raft that has stopped by a new one on the same storage.
    pub(super) async fn restart_raft(&self) -> Result<(), ClusterError> {
        let _ = self.raft().shutdown().await;
        let raft = new_raft(&self.store, &self.rules, &self.config, &self.applied).await?;
        *self.raft.write().unwrap_or_else(PoisonError::into_inner) = raft;
        Ok(())
    }

    /// A node that is the only voter has nobody to wait for: it must lead, with its log applied.
    async fn wait_if_alone(&self, raft: &Raft<Types>) -> Result<(), ClusterError> {
        let id = self.config.node_id;
        let voters = raft.with_raft_state(|s| s.membership_state.effective().voter_ids().collect::<Vec<_>>());
        if voters.await? != [id] {
            return Ok(());
        }
        let wait = raft.wait(Some(START_LIMIT));
        let leads = |m: &RaftMetrics<u64, BasicNode>| {
            m.running_state.is_err()
                || m.current_leader == Some(id) && m.last_applied.map(|l| l.index) == m.last_log_index
        };
        match wait.metrics(leads, "leads").await {
            Ok(metrics) => Ok(metrics.running_state?),
            Err(_) => Err(ClusterError::NoLeader),
        }
    }
}

async fn new_raft(
    store: &Store,
    rules: &Arc<dyn Rules>,
    config: &ClusterConfig,
    applied: &Arc<watch::Sender<u64>>,
) -> Result<Raft<Types>, ClusterError> {
    let fused = Arc::new(Fused::default());
    let log = LogStore::new(store.clone(), rules.clone(), config.node_id, fused.clone());
    let state = StateMachine::new(store.clone(), rules.clone(), fused, applied.clone());
    let network = Network { transport: config.transport.clone() };
    let raft = Raft::new(config.node_id, Arc::new(config.raft()?), network, log, state).await?;
    // What was applied while it was appended, and not yet told when Raft stopped, is told now.
    let revision = store.view()?.meta()?.revision;
    applied.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    Ok(raft)
}

/// The folder must be this node's; a new one becomes it.
fn check_identity(store: &Store, config: &ClusterConfig) -> Result<(), ClusterError> {
    let me = Identity { node_id: config.node_id, cluster: config.cluster.clone() };
    let found = store.write_with(|tables, txn| {
        let found: Option<Identity> = read_meta(tables, txn, IDENTITY_KEY)?;
        if found.is_none() {
            write_meta(tables, txn, IDENTITY_KEY, &me)?;
        }
        Ok(found)
    })?;
    match found {
        Some(found) if found != me => Err(ClusterError::Identity {
            why: format!("it is of node {} of cluster {:?}", found.node_id, found.cluster),
        }),
        _ => Ok(()),
    }
}
