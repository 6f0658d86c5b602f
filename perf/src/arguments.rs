//! The command line. Bounds are checked here, so that nothing is started for a run that cannot work.

use crate::workload::Workload;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Tidegate beside its peers.
#[derive(Parser)]
#[command(name = "tidegate-perf", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compare the CPU time per request of Tidegate and of installed peers, in interleaved rounds of wrk
    Compare(Compare),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// Rounds per workload; every round measures every contestant once
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Seconds per measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Connections of the load, where the workload does not say otherwise
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8000))]
    pub(crate) connections: u32,
    /// Peers to measure beside Tidegate; one that is not installed is left out
    #[arg(long, value_delimiter = ',', default_value = "nginx,haproxy")]
    pub(crate) peers: Vec<Peer>,
    /// Workloads, in this order
    #[arg(long, value_delimiter = ',', default_value = "small-get")]
    pub(crate) workloads: Vec<Workload>,
    /// Whom the others are divided by; without it nginx, or else the first that runs
    #[arg(long)]
    pub(crate) baseline: Option<String>,
    /// The tidegate binary; without it the one beside this command, built if missing
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
    /// Measure the peers alone
    #[arg(long)]
    pub(crate) without_tidegate: bool,
    /// CPU that every contestant is pinned to
    #[arg(long, default_value_t = 0)]
    pub(crate) cpu: usize,
    /// CPU for the upstream and the load
    #[arg(long, default_value_t = 1)]
    pub(crate) load_cpu: usize,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Also draw it
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    Haproxy,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Json,
}
