//! `tidegate-perf`: measures Tidegate beside its peers on this machine. It starts every process it measures and ends
//! those alone; it must never print a figure that was not measured in this run.

mod arguments;
mod calls;
mod child;
mod compare;
mod contestant;
mod dgate;
mod gap;
mod haproxy;
mod interrupt;
mod nginx;
mod pace;
mod plot;
mod probe;
mod processor;
mod progress;
mod report;
mod scripts;
mod statistics;
mod tidegate;
mod upstream;
mod workload;
mod wrk;

use arguments::{Arguments, Command, Compare, Output};
use clap::Parser;
use std::process::ExitCode;

/// What stops a run, in words for the person who started it.
type Failure = String;

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    interrupt::catch();
    let outcome = match command {
        Command::Compare(options) => compare(&options),
        Command::Calls(options) => calls::run(&options).map(|text| print!("{text}")),
        Command::Gap(options) => gap::run(&options).map(|text| print!("{text}")),
        Command::Pace(options) => pace::run(&options).map(|text| print!("{text}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tidegate-perf: {why}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Compare) -> Result<(), Failure> {
    let report = compare::run(options)?;
    match options.output {
        Output::Table => print!("{}", report.table()),
        Output::Json => println!("{:#}", report.json()),
    }
    match &options.svg {
        Some(path) => std::fs::write(path, plot::svg(&report))
            .map_err(|why| format!("cannot write {}: {why}", path.display())),
        None => Ok(()),
    }
}
