//! The record of runs that happen once in the cluster: written through the log before a run begins, so that of all nodes
//! that believe to lead only one is told to go on, and again when it has ended. A run that was recorded and did not end
//! is never begun again: it may have happened.

use super::job::Job;
use super::timetable::JobKey;
use crate::change::{Change, Key, Kind, Op, Outcome, RunMark};
use crate::raft::{Cluster, NodeState};
use crate::store::LastRun;
use std::time::Duration;

/// Writes and reads the record.
#[derive(Clone)]
pub(crate) struct Recorder {
    cluster: Cluster,
    clock: super::scheduler::Clock,
}

/// A run that is to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    module: Key,
    index: u16,
    times: String,
    due_ms: u64,
}

/// The key of a job's module.
fn module_of(key: &JobKey) -> Key {
    let (namespace, name) = key.module.split_once('/').unwrap_or(("", &key.module));
    Key { kind: Kind::Module, namespace: namespace.into(), collection: None, name: name.into() }
}

impl Claim {
    /// The run of a job that was due then.
    pub(crate) fn new(key: &JobKey, job: &Job, due_ms: u64) -> Self {
        Self { module: module_of(key), index: key.index, times: job.times(), due_ms }
    }
}

impl Recorder {
    /// How long a run waits to be recorded: a leader that lost its majority would wait without end.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

    pub(crate) fn new(cluster: Cluster, clock: super::scheduler::Clock) -> Self {
        Self { cluster, clock }
    }

    /// Whether this node leads, as far as it knows.
    pub(crate) fn leads(&self) -> bool {
        self.cluster.status().state == NodeState::Leader
    }

    /// The last run of a job that this node knows of.
    pub(crate) fn last_run(&self, key: &JobKey) -> Option<LastRun> {
        let read = self.cluster.store().last_run(&module_of(key), key.index);
        read.inspect_err(
            |error| tracing::error!(module = &*key.module, %error, "the record of runs cannot be read"),
        )
        .ok()
        .flatten()
    }

    /// Records that a run begins. `false`: it has begun already, here or elsewhere, or its module is gone. Errors: it
    /// must not begin, and a sentence why; whether it is on record then is not known.
    pub(crate) async fn begin(&self, claim: &Claim) -> Result<bool, String> {
        self.write(claim, None).await
    }

    /// Records how a run ended. What cannot be recorded stays a run of which the end is not known.
    pub(crate) async fn end(&self, claim: &Claim, outcome: &str) {
        if let Err(why) = self.write(claim, Some(outcome)).await {
            let module = &claim.module.name;
            tracing::warn!(module, why, "how a scheduled run ended could not be recorded");
        }
    }

    async fn write(&self, claim: &Claim, outcome: Option<&str>) -> Result<bool, String> {
        let Claim { module, index, times, due_ms } = claim.clone();
        let node = self.cluster.status().node_id;
        let mark = RunMark { module, index, times, due_ms, node, outcome: outcome.map(str::to_owned) };
        let change = Change { ops: vec![Op::MarkRun(mark)], at_ms: (self.clock)() };
        match tokio::time::timeout(Self::PATIENCE, self.cluster.propose(change)).await {
            Ok(Ok(Outcome::Applied { .. })) => Ok(true),
            Ok(Ok(Outcome::Rejected { .. })) => Ok(false),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the cluster did not answer within {} s", Self::PATIENCE.as_secs())),
        }
    }
}
