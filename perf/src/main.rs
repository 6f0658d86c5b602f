//! `tidegate-perf`: measures Tidegate beside its peers on this machine. It starts every process it measures and ends
//! those alone; it must never print a figure that was not measured in this run.

mod ability;
mod arguments;
mod caddy;
mod calls;
mod child;
mod compare;
mod contestant;
mod cost;
mod dgate;
mod envoy;
mod gap;
mod h2load;
mod handshakes;
mod haproxy;
mod interrupt;
mod load;
mod machine;
mod markdown;
mod micro;
mod nginx;
mod notes;
mod pace;
mod peer;
mod peers;
mod pingora;
mod plot;
mod probe;
mod processor;
mod progress;
mod report;
mod ring;
mod scrape;
mod scripts;
mod session;
mod setup;
mod shards;
mod statistics;
mod table;
mod targets;
mod tidegate;
mod tls_client;
mod traefik;
mod upstream;
mod workload;
mod wrk;

use arguments::{Arguments, Command, Compare, Format};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// What stops a run, in words for the person who started it.
type Failure = String;

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    interrupt::catch();
    let outcome = match command {
        Command::Compare(options) => compare(&options),
        Command::Calls(options) => calls::run(&options).map(|text| print!("{text}")),
        Command::Micro(options) => micro::run(&options),
        Command::Gap(options) => gap::run(&options).map(|text| print!("{text}")),
        Command::Relay(options) => gap::relay(&options),
        Command::Ring(options) => ring::run(&options).map(|text| print!("{text}")),
        Command::Peers(options) => peers::run(&options),
        Command::Shards(options) => shards::run(&options).map(|text| print!("{text}")),
        Command::Scrape(options) => scrape::run(&options).map(|text| print!("{text}")),
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
        Format::Table => print!("{}", table::text(&report)),
        Format::Json => println!("{:#}", report.json()),
        Format::Markdown => print!("{}", markdown::text(&report)),
    }
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
        Some(path) => {
            std::fs::write(path, text()).map_err(|why| format!("cannot write {}: {why}", path.display()))
        }
        None => Ok(()),
    };
    write(&options.json, &|| format!("{:#}\n", report.json()))?;
    write(&options.markdown, &|| markdown::text(&report))?;
    write(&options.svg, &|| plot::svg(&report))?;
    let failures = report.failures();
    if failures.is_empty() { Ok(()) } else { Err(format!("tidegate failed in {}", failures.join("\n"))) }
}
