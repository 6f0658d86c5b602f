//! One pass from the store to a snapshot: feed the compiler, resolve new names, build. The heavy parts run off the
//! async thread; a pass that fails leaves the compiler as it was and says why.

use super::feed::{Position, feed};
use crate::compile::{Compiler, Defaults, Problem};
use crate::metrics::Registry;
use crate::module_log::ModuleLogs;
use crate::profile::Profiles;
use crate::resolver::Resolver;
use crate::schedule::Planned;
use crate::store::Store;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tidegate_snapshot::{Revision, Snapshot};

/// How long a snapshot waits for names that nobody asked for before.
const NAMES_WITHIN: Duration = Duration::from_secs(2);

/// What every pass needs and none changes.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) store: Store,
    pub(super) resolver: Resolver,
    pub(super) defaults: Defaults,
    pub(super) metrics: Arc<Mutex<Registry>>,
    pub(super) module_logs: Arc<ModuleLogs>,
    pub(super) profiles: Arc<Profiles>,
}

/// What passes work with. Moved through each pass, since there is one at a time.
pub(super) struct Workshop {
    tools: Tools,
    compiler: Compiler,
    /// What wants to be run by itself, as it was told last.
    planned: Option<Vec<Planned>>,
    position: Position,
    generation: u64,
}

/// What came out of a pass.
pub(super) struct Outcome {
    /// A new snapshot; `None` if nothing that shards run changed.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// What wants to be run by itself; `None` if that is what it was.
    pub(super) planned: Option<Vec<Planned>>,
    /// The newest revision that the snapshot, or the one before it, says.
    pub(super) revision: u64,
    /// What is stored and cannot be used.
    pub(super) problems: Vec<Problem>,
    /// Time spent on it, waiting for names aside.
    pub(super) took: Duration,
}

impl Workshop {
    /// A workshop that knows no resource; its first snapshot comes after `generation`.
    pub(super) fn new(tools: Tools, generation: u64) -> Self {
        let compiler = Compiler::new(tools.defaults.clone());
        Self { tools, compiler, planned: None, position: Position::default(), generation }
    }

    /// Runs one pass. Errors: a sentence; the workshop comes back either way, unless a pass panicked.
    pub(super) async fn pass(self) -> (Option<Self>, Result<Outcome, String>) {
        let panicked = |_| (None, Err("a pass of the compiler panicked".to_owned()));
        let mut this = self;
        let fed = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let fed = feed(&this.tools.store, &mut this.compiler, this.position);
            this.tools.resolver.want(&this.compiler.hosts());
            (this, fed, start.elapsed())
        });
        let (mut this, fed, feeding) = match fed.await {
            Ok(fed) => fed,
            Err(e) => return panicked(e),
        };
        match fed {
            Ok(position) => this.position = position,
            Err(e) => return (Some(this), Err(e.to_string())),
        }
        // Too late is no error: the endpoint is without addresses until the answer comes.
        let _ = tokio::time::timeout(NAMES_WITHIN, this.tools.resolver.settled()).await;
        let built = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            let answers = this.tools.resolver.answers();
            let revision = this.position.revision;
            let snapshot = this.compiler.build(Revision(revision), this.generation + 1, &*answers);
            this.generation += u64::from(snapshot.is_some());
            if snapshot.is_some() {
                let (routes, scripts) = this.compiler.keys();
                let mut metrics = this.tools.metrics.lock().unwrap_or_else(PoisonError::into_inner);
                metrics.retain(&routes, &scripts);
                metrics.run(this.compiler.scripts());
                this.tools.profiles.book().serve(this.compiler.services_of_routes());
            }
            this.tools.module_logs.retain(|module| this.compiler.has_module(module));
            let problems = this.compiler.problems();
            let planned = Some(this.compiler.planned()).filter(|new| this.planned.as_ref() != Some(new));
            if planned.is_some() {
                this.planned.clone_from(&planned);
            }
            let outcome = Outcome { snapshot, planned, revision, problems, took: feeding + start.elapsed() };
            (this, outcome)
        });
        match built.await {
            Ok((this, outcome)) => (Some(this), Ok(outcome)),
            Err(e) => panicked(e),
        }
    }
}
