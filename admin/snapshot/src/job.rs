//! A run of a module's `scheduled`: what the admin orders, and what the shard says came of it. The admin alone decides
//! when; a shard only runs.

use crate::Script;
use std::sync::Arc;
use std::time::Duration;

/// An order to run one job once.
#[derive(Debug)]
pub struct JobOrder {
    /// Chosen by the admin; comes back in the [`JobReport`].
    pub ticket: u64,
    /// Whose job it is.
    pub script: Arc<Script>,
    /// Which of its jobs.
    pub index: u16,
    /// Id of the run, for the module and the logs.
    pub id: Box<str>,
    /// When it was due, milliseconds since the epoch.
    pub due_ms: u64,
    /// After this it is cancelled.
    pub timeout: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub struct JobReport {
    /// Of the order.
    pub ticket: u64,
    /// What came of it.
    pub outcome: JobOutcome,
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// From its begin to its end, in nanoseconds.
    pub wall_ns: u64,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// It returned, or its promise was fulfilled.
    Done,
    /// It had not ended when its time was up.
    TimedOut,
    /// The shard drains: it was not begun.
    Draining,
    /// It failed.
    Failed {
        /// Stable word of the cause: `thrown`, `cpu_time`.
        cause: &'static str,
        /// The module's words, or a sentence about the limit.
        message: String,
        /// Frames in the positions of the source, one a line.
        stack: String,
    },
}

impl JobOutcome {
    /// A word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::TimedOut => "timed_out",
            Self::Draining => "draining",
            Self::Failed { cause, .. } => cause,
        }
    }
}
