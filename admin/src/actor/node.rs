//! The running node as the API and the process see it: what is live, whether it serves, and its description. Written by
//! the actor alone.

use crate::api::{Live, LiveFuture, NotLive};
use crate::compile::Problem;
use serde_json::{Value, json};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tidegate_snapshot::Snapshot;
use tokio::sync::watch;

/// How long a write waits for the shards.
pub(super) const LIVE_WITHIN: Duration = Duration::from_secs(5);

/// What the shards run.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Newest revision that every shard runs.
    pub(super) live: u64,
    /// Shards behind the newest snapshot.
    pub(super) lagging: Vec<u16>,
    /// Why no newer snapshot could be made, if so.
    pub(super) failure: Option<String>,
}

/// What is shown to people.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) compiled: u64,
    pub(super) generation: u64,
    pub(super) generations: Vec<u64>,
    pub(super) held: usize,
    pub(super) oldest_held: Duration,
    pub(super) compile: Duration,
    pub(super) problems: Vec<Problem>,
}

#[derive(Debug, Default)]
struct State {
    ready: bool,
    draining: bool,
    drained: usize,
    snapshot: Option<Arc<Snapshot>>,
    facts: Facts,
}

/// The node.
pub(super) struct Node {
    progress: watch::Sender<Progress>,
    state: Mutex<State>,
    /// A shard has drained.
    drained: Condvar,
    /// The process's own description.
    info: Value,
}

impl Node {
    /// A node that runs nothing yet; `info` is a JSON object.
    pub(super) fn new(info: Value) -> Self {
        Self {
            progress: watch::Sender::new(Progress::default()),
            state: Mutex::default(),
            drained: Condvar::new(),
            info,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    pub(super) fn set_snapshot(&self, snapshot: Arc<Snapshot>) {
        self.state().snapshot = Some(snapshot);
    }

    pub(super) fn set_facts(&self, facts: Facts) {
        self.state().facts = facts;
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.state().ready = ready;
    }

    pub(super) fn set_draining(&self) {
        self.state().draining = true;
    }

    pub(super) fn note_drained(&self) {
        self.state().drained += 1;
        self.drained.notify_all();
    }

    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.state().snapshot.clone()
    }

    /// Waits until so many shards have drained; answers whether they did in time.
    pub(super) fn wait_drained(&self, shards: usize, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let mut state = self.state();
        while state.drained < shards {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.drained.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Live for Node {
    fn committed(&self, revision: u64) -> LiveFuture<'_> {
        Box::pin(async move {
            let mut progress = self.progress.subscribe();
            let wait = progress.wait_for(|progress| progress.live >= revision);
            if tokio::time::timeout(LIVE_WITHIN, wait).await.is_ok_and(|found| found.is_ok()) {
                return Ok(());
            }
            let Progress { lagging, failure, .. } = self.progress.borrow().clone();
            let why = failure.unwrap_or_else(|| match lagging.len() {
                0 => "the snapshot is still being made".into(),
                _ => format!("they did not acknowledge within {} s", LIVE_WITHIN.as_secs()),
            });
            Err(NotLive { shards: lagging, why })
        })
    }

    fn ready(&self) -> Result<(), String> {
        let state = self.state();
        match (state.draining, state.ready) {
            (true, _) => Err("draining".into()),
            (false, false) => Err("starting".into()),
            (false, true) => Ok(()),
        }
    }

    fn runtime_info(&self) -> Value {
        let progress = self.progress.borrow().clone();
        let mut info = self.info.clone();
        let state = self.state();
        let facts = &state.facts;
        let problems: Vec<Value> = facts
            .problems
            .iter()
            .map(|p| json!({ "kind": p.kind.name(), "name": p.key, "why": p.why }))
            .collect();
        info["snapshot"] = json!({
            "revision": facts.compiled,
            "liveRevision": progress.live,
            "generation": facts.generation,
            "shardGenerations": facts.generations,
            "laggingShards": progress.lagging,
            "replacedButHeld": facts.held,
            "oldestHeldSeconds": facts.oldest_held.as_secs(),
            "compileMicros": facts.compile.as_micros() as u64,
            "failure": progress.failure,
        });
        info["unusableResources"] = problems.into();
        info["draining"] = state.draining.into();
        info
    }
}
