//! `tidegate-perf`: measures Tidegate beside its peers on this machine. It starts every process it measures and ends
//! those alone; it must never print a figure that was not measured in this run.

mod arguments;
mod child;
mod compare;
mod contestant;
mod haproxy;
mod interrupt;
mod nginx;
mod plot;
mod probe;
mod processor;
mod progress;
mod report;
mod statistics;
mod tidegate;
mod upstream;
mod workload;
mod wrk;

use arguments::{Arguments, Command, Output};
use clap::Parser;
use std::process::ExitCode;

/// What stops a run, in words for the person who started it.
type Failure = String;

fn main() -> ExitCode {
    let Command::Compare(options) = Arguments::parse().command;
    interrupt::catch();
    let outcome = compare::run(&options).and_then(|report| {
        match options.output {
            Output::Table => print!("{}", report.table()),
            Output::Json => println!("{:#}", report.json()),
        }
        match &options.svg {
            Some(path) => std::fs::write(path, plot::svg(&report))
                .map_err(|why| format!("cannot write {}: {why}", path.display())),
            None => Ok(()),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tidegate-perf: {why}");
            ExitCode::FAILURE
        }
    }
}
