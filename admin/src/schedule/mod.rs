//! Jobs of modules: what they are, when they are due, and that one runs once where once was asked for. It decides and
//! orders; shards run.

mod expression;
mod handle;
mod job;
mod record;
mod scheduler;
mod tell;
mod timetable;

#[cfg(test)]
mod tests;

pub(crate) use handle::{Ended, JobState, News, RunRefusal, Schedule, wall_clock};
pub(crate) use job::{Job, Planned, jobs_of};
pub(crate) use record::Recorder;
pub(crate) use scheduler::Scheduler;
pub(crate) use tell::Teller;
