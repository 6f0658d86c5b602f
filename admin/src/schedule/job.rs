//! A job of a module, with its times: made of what the engine found and checked in the same way when a module is
//! written and when it is compiled for the shards.

use super::expression::{Expression, ExpressionFault};
use std::sync::Arc;
use tidegate_js::{Diagnostic, Examined, Per};
use tidegate_snapshot::Script;

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Its place among the jobs of its module.
    pub(crate) index: u16,
    /// As written.
    pub(crate) cron: String,
    /// As written.
    pub(crate) timezone: Option<String>,
    /// Who runs it.
    pub(crate) per: Per,
    /// Its times.
    pub(crate) expression: Expression,
}

impl Job {
    /// Changes exactly when its times do.
    pub(crate) fn times(&self) -> String {
        match &self.timezone {
            Some(timezone) => format!("{} {timezone}", self.cron),
            None => self.cron.clone(),
        }
    }
}

/// A script with what it wants to be run by itself.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// What is run.
    pub(crate) script: Arc<Script>,
    /// At least one.
    pub(crate) jobs: Arc<[Job]>,
}

/// The same means the very same script with the very same jobs.
impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.script, &other.script) && Arc::ptr_eq(&self.jobs, &other.jobs)
    }
}

/// The jobs of a module graph. Errors: what is wrong with their times, each with its place.
pub(crate) fn jobs_of(examined: &Examined) -> Result<Vec<Job>, Vec<Diagnostic>> {
    let (mut jobs, mut wrong) = (Vec::new(), Vec::new());
    for (index, job) in (0u16..).zip(&examined.jobs) {
        match Expression::parse(&job.cron, job.timezone.as_deref()) {
            Ok(expression) => jobs.push(Job {
                index,
                cron: job.cron.clone(),
                timezone: job.timezone.clone(),
                per: job.per,
                expression,
            }),
            Err(fault) => {
                let message = match fault {
                    // The function form has its expression in an export of its own.
                    ExpressionFault::Cron(why) if job.path == "schedule" => format!("schedule: {why}"),
                    ExpressionFault::Cron(why) => format!("{}.cron: {why}", job.path),
                    ExpressionFault::Timezone(why) => format!("{}.timezone: {why}", job.path),
                };
                wrong.push(Diagnostic { message, ..examined.scheduled_at.clone() });
            }
        }
    }
    if wrong.is_empty() { Ok(jobs) } else { Err(wrong) }
}
