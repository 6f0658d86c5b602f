//! The way to the scheduler: what it is told and what it can be asked. Sending never waits.

use super::job::Planned;
use super::scheduler::{Clock, Scheduler};
use super::timetable::JobKey;
use crate::store::LastRun;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_js::Per;
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{JobOutcome, JobReport, ToShard};
use tokio::sync::{mpsc, oneshot};

/// Something that the scheduler learns.
pub(crate) enum News {
    /// The jobs as they are now.
    Planned(Vec<Planned>),
    /// The shards' mailboxes, by index.
    Attached(Vec<QueueWriter<ToShard>>),
    /// A shard has ended.
    Drained(u16),
    /// A shard tells how a run ended.
    Ran(Box<JobReport>),
    /// Somebody asks.
    Asked(Asked),
    /// The process ends: nothing more is begun.
    Stop,
}

/// What the scheduler can be asked.
pub(crate) enum Asked {
    /// To run a job now.
    Run {
        /// Which.
        key: JobKey,
        /// Told when the run has ended.
        answer: oneshot::Sender<Result<Ended, RunRefusal>>,
    },
    /// Where the jobs of a module stand.
    States {
        /// `namespace/name`.
        module: String,
        /// Told at once.
        answer: oneshot::Sender<Vec<JobState>>,
    },
}

/// Why a job is not run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunRefusal {
    /// This node has no such job.
    Absent,
    /// It runs already.
    Busy,
    /// The node has no shards: it starts or ends.
    Stopped,
}

/// A run that has ended. Times in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) due_ms: u64,
    pub(crate) began_ms: u64,
    /// Somebody asked for it.
    pub(crate) is_manual: bool,
    pub(crate) outcome: JobOutcome,
    pub(crate) cpu_ns: u64,
    pub(crate) wall_ns: u64,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobState {
    pub(crate) index: u16,
    pub(crate) cron: String,
    pub(crate) timezone: Option<String>,
    pub(crate) per: Per,
    pub(crate) next_ms: Option<u64>,
    pub(crate) is_running: bool,
    pub(crate) skipped: u64,
    /// The last run on this node.
    pub(crate) last: Option<Ended>,
    /// The last run on record, for a job of the cluster.
    pub(crate) in_cluster: Option<LastRun>,
}

/// A running scheduler; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    news: mpsc::UnboundedSender<News>,
}

/// The clock on the wall.
pub(crate) fn wall_clock() -> Clock {
    std::sync::Arc::new(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
    })
}

impl Schedule {
    /// Starts the scheduler as a task of this thread's runtime. It ends with the last clone.
    pub(crate) fn start(scheduler: Scheduler) -> Self {
        let (news, received) = mpsc::unbounded_channel();
        tokio::spawn(scheduler.run(received));
        Self { news }
    }

    /// Tells it something.
    pub(crate) fn tell(&self, news: News) {
        // It lives as long as this does, unless it panicked, which its own log line has told.
        let _ = self.news.send(news);
    }

    /// Runs a job of `module` (`namespace/name`) now and waits for its end.
    pub(crate) async fn run_now(&self, module: &str, index: u16) -> Result<Ended, RunRefusal> {
        let (answer, told) = oneshot::channel();
        let key = JobKey { module: module.into(), index };
        self.tell(News::Asked(Asked::Run { key, answer }));
        told.await.unwrap_or(Err(RunRefusal::Stopped))
    }

    /// Where the jobs of `module` (`namespace/name`) stand.
    pub(crate) async fn states(&self, module: &str) -> Vec<JobState> {
        let (answer, told) = oneshot::channel();
        self.tell(News::Asked(Asked::States { module: module.into(), answer }));
        told.await.unwrap_or_default()
    }
}
