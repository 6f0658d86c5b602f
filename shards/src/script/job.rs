//! Running a module's `scheduled` when the admin says so: a context of the script's pool, no request, and an end that is
//! always told. When it is time is not known here.

use super::runtimes::Scripts;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use tidegate_js::{Failure, JobRun, NoRequest};
use tidegate_reactor::{Either, clock, race, sleep};
use tidegate_snapshot::{JobOrder, JobOutcome, JobReport};

impl Scripts {
    /// Runs one job to its end or to its time-out.
    pub async fn run_job(&self, order: &JobOrder) -> JobReport {
        let began = clock::precise_ns();
        let (outcome, cpu_ns) = match self.run_in_time(order).await {
            Ok((outcome, cpu_ns)) => (outcome, cpu_ns),
            Err(failure) => (failed(failure), 0),
        };
        JobReport { ticket: order.ticket, outcome, cpu_ns, wall_ns: clock::precise_ns() - began }
    }

    async fn run_in_time(&self, order: &JobOrder) -> Result<(JobOutcome, u64), Failure> {
        let engine = self.engine(&order.script)?;
        let mut lease = engine.runtime.lease(Rc::new(NoRequest { id: order.id.as_ref().into() }))?;
        let run = JobRun { id: order.id.as_ref().into(), scheduled_at_ms: order.due_ms as f64 };
        let (running, id) = (&self.lender.running, Rc::from(order.id.as_ref()));
        let mut call = pin!(lease.call_job(usize::from(order.index), run));
        let polled = poll_fn(|context| running.during_job(&id, || call.as_mut().poll(context)));
        let ended = race(polled, sleep(order.timeout)).await;
        let outcome = match ended {
            Either::Left(Ok(_)) => JobOutcome::Done,
            Either::Left(Err(failure)) => failed(failure),
            Either::Right(()) => JobOutcome::TimedOut,
        };
        Ok((outcome, call.cpu_ns()))
    }
}

fn failed(Failure { cause, message, stack }: Failure) -> JobOutcome {
    JobOutcome::Failed { cause: cause.name(), message, stack }
}
