//! Load at a fixed rate (open loop): requests are due at times that no answer changes, and latency counts from when a
//! request was due, so that a server that stalls is charged for every request it kept waiting.
//!
//! An own small client, since the tools that are there do not measure this: wrk waits for answers before it asks again
//! (closed loop), h2load's `--rps` counts from the moment it came to send, and oha sends in steps of a millisecond.

mod answer;
mod connection;
mod driver;
mod outcome;
mod plan;
mod schedule;
mod show;
#[cfg(test)]
mod tests;

use crate::Failure;
use crate::arguments::{Output, Pace};
pub(crate) use driver::bind_to_cpu;
pub(crate) use outcome::{Outcome, histogram};
pub(crate) use plan::{Plan, Request, number_in, target};
pub(crate) use show::QUANTILES;

/// What `tidegate-perf pace` prints.
pub(crate) fn run(options: &Pace) -> Result<String, Failure> {
    let plan = options.plan()?;
    let outcome = run_plan(&plan)?;
    if let Some(path) = &options.hgrm {
        let text = show::hgrm(&outcome.corrected);
        std::fs::write(path, text).map_err(|why| format!("cannot write {}: {why}", path.display()))?;
    }
    Ok(match options.output {
        Output::Table => show::table(&plan, &outcome),
        Output::Json => format!("{:#}\n", show::json(&plan, &outcome)),
    })
}

/// Runs one load to its end, on a thread of its own that is bound to the plan's CPU.
pub(crate) fn run_plan(plan: &Plan) -> Result<Outcome, Failure> {
    let driving = std::thread::scope(|scope| scope.spawn(|| driver::drive(plan)).join());
    driving.unwrap_or_else(|_| Err("the load's thread panicked".into()))
}
