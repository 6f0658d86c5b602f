//! What is told of scheduled runs: a line in the module's log and a count for the metrics. Never a module's own text in a
//! place that is not escaped.

use super::handle::Ended;
use super::timetable::JobKey;
use crate::metrics::Registry;
use crate::store::rfc3339;
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_snapshot::{Event, EventKind, EventLevel, JobOutcome};
use tokio::sync::mpsc;

/// Tells of runs.
pub(crate) struct Teller {
    /// Lines for the logs.
    pub(crate) events: mpsc::UnboundedSender<Event>,
    /// The node's counters.
    pub(crate) metrics: Arc<Mutex<Registry>>,
}

impl Teller {
    fn line(
        &self,
        key: &JobKey,
        id: Option<&str>,
        level: EventLevel,
        what: &'static str,
        text: String,
        stack: &str,
    ) {
        let event = Event {
            kind: EventKind::Scheduled,
            module: Some(key.module.clone()),
            function: Some("scheduled"),
            request_id: id.map(Into::into),
            stack: stack.to_owned(),
            // No shard of its own: the admin writes it.
            ..Event::new(0, level, what, text)
        };
        // The log ends before the scheduler only when the process does.
        let _ = self.events.send(event);
    }

    fn count(&self, key: &JobKey, outcome: &'static str, ended_ms: Option<u64>) {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.scheduled_run(&key.module, outcome, ended_ms);
    }

    /// A run has ended.
    pub(super) fn ended(&self, key: &JobKey, ended: &Ended, now_ms: u64) {
        let outcome = ended.outcome.name();
        self.count(key, outcome, Some(now_ms));
        let due =
            if ended.is_manual { "run by hand".to_owned() } else { format!("due {}", rfc3339(ended.due_ms)) };
        let took = format!(
            "took {:.1} ms, {:.1} ms of CPU time",
            ended.wall_ns as f64 / 1e6,
            ended.cpu_ns as f64 / 1e6
        );
        let run = format!("scheduled[{}], {due}", key.index);
        let (level, text, stack) = match &ended.outcome {
            JobOutcome::Done => (EventLevel::Debug, format!("{run}: {took}"), ""),
            JobOutcome::TimedOut => (
                EventLevel::Error,
                format!("{run}: cancelled, because it had not ended in time (--scheduled-timeout); {took}"),
                "",
            ),
            JobOutcome::Draining => {
                (EventLevel::Warn, format!("{run}: not begun, because the node ends"), "")
            }
            JobOutcome::Failed { cause, message, stack } => {
                (EventLevel::Error, format!("{run}: failed ({cause}): {message}"), stack.as_str())
            }
        };
        self.line(key, Some(&ended.id), level, "scheduled_run", text, stack);
    }

    /// It was due while it still ran.
    pub(super) fn skipped(&self, key: &JobKey, due_ms: u64) {
        self.count(key, "skipped", None);
        let text = format!(
            "scheduled[{}], due {}: skipped, because the run before it has not ended",
            key.index,
            rfc3339(due_ms)
        );
        self.line(key, None, EventLevel::Warn, "scheduled_skipped", text, "");
    }

    /// It was due before this node could run it, and is run now.
    pub(super) fn late(&self, key: &JobKey, due_ms: u64) {
        let text =
            format!("scheduled[{}], due {}: nobody ran it then, so it runs now", key.index, rfc3339(due_ms));
        self.line(key, None, EventLevel::Warn, "scheduled_late", text, "");
    }

    /// Another node has run it.
    pub(super) fn elsewhere(&self, key: &JobKey, due_ms: u64) {
        let text = format!("scheduled[{}], due {}: has been run already", key.index, rfc3339(due_ms));
        self.line(key, None, EventLevel::Debug, "scheduled_elsewhere", text, "");
    }
}
