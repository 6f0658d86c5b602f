//! One shard against several: the same load on all CPUs of the machine, gateways with different numbers of shards in
//! interleaved rounds, and what the kernel says of their threads. Load and upstream share the CPUs with the shards, the same
//! way each time; what that hides is said with the figures.

mod show;
mod threads;

use crate::Failure;
use crate::arguments::{Format, Gateway, Shards};
use crate::contestant::{Contestant, How, entrant};
use crate::load::Load;
use crate::machine::Machine;
use crate::setup::{Certificate, Task};
use crate::upstream::Upstream;
use crate::workload::{HOST, Workload};
use crate::wrk::Wrk;
use crate::{child, interrupt, processor};
use std::path::Path;
use threads::Threads;

/// Seconds of load before anything counts.
const WARM_UP: u32 = 1;

/// What was measured.
#[derive(Debug)]
struct Measured {
    machine: Machine,
    version: Option<String>,
    cpus: usize,
    connections: u32,
    rounds: u32,
    seconds: u32,
    series: Vec<Series>,
}

/// A gateway with so many shards, round by round.
#[derive(Debug)]
struct Series {
    shards: usize,
    samples: Vec<Sample>,
}

/// One run of the load.
#[derive(Clone, Debug)]
struct Sample {
    load: Load,
    /// CPU time of the whole process, in nanoseconds.
    process_ns: u64,
    threads: Threads,
    /// Share of all CPUs' time that was busy, whoever ran there, and how much CPU time that was, in seconds.
    busy: Option<f64>,
    busy_seconds: Option<f64>,
}

/// What `tidegate-perf shards` prints.
pub(crate) fn run(options: &Shards) -> Result<String, Failure> {
    child::raise_file_limit();
    let dir = tempfile::Builder::new().prefix("tidegate-perf-").tempdir();
    let dir = dir.map_err(|why| format!("no temporary folder: {why}"))?;
    let measured = measure(options, dir.path())?;
    Ok(match options.output {
        Format::Table => show::table(&measured),
        Format::Json => format!("{:#}\n", show::json(&measured)),
        Format::Markdown => show::markdown(&measured),
    })
}

fn measure(options: &Shards, dir: &Path) -> Result<Measured, Failure> {
    let machine = Machine::here();
    let cpus: Vec<usize> = (0..machine.processors).collect();
    if let Some(many) = options.shards.iter().find(|shards| **shards > cpus.len()) {
        return Err(format!("{many} shards need as many CPUs, and this machine has {}", cpus.len()));
    }
    let entrant = entrant(Gateway::Tidegate, options.tidegate.as_deref())?;
    let upstream = Upstream::start_on(&cpus, dir)?;
    let certificate = Certificate::make(HOST, dir)?;
    let (workload, connections) = (Workload::SmallGet, options.connections);
    let task = Task { workload, plain: false };
    let wrk = Wrk::new("load", false, &workload.exchange(), connections, 0, dir)?.on(&cpus);
    let mut gateways = Vec::new();
    for shards in options.shards.iter().copied() {
        let how = How { cpus: &cpus[..shards], flags: &[] };
        let dir = dir.join(format!("{shards}-shards"));
        let gateway = Contestant::start_as(&entrant, task, upstream.port, &certificate, how, &dir)?;
        wrk.run(gateway.port, WARM_UP)?;
        gateways.push((gateway, Series { shards, samples: Vec::new() }));
    }
    for round in 1..=options.rounds {
        eprintln!("round {round}/{}", options.rounds);
        let mut order: Vec<usize> = (0..gateways.len()).collect();
        if round.is_multiple_of(2) {
            order.reverse();
        }
        for at in order {
            let (gateway, series) = &mut gateways[at];
            series.samples.push(sample(&wrk, gateway, options.seconds, cpus.len())?);
        }
    }
    Ok(Measured {
        machine,
        version: entrant.version(),
        cpus: cpus.len(),
        connections,
        rounds: options.rounds,
        seconds: options.seconds,
        series: gateways.into_iter().map(|(_, series)| series).collect(),
    })
}

fn sample(wrk: &Wrk, gateway: &mut Contestant, seconds: u32, cpus: usize) -> Result<Sample, Failure> {
    interrupt::check()?;
    let pid = gateway.pid().ok_or("there is no gateway")?;
    let ticks = || (0..cpus).map(processor::ticks).collect::<Option<Vec<_>>>();
    let begun = std::time::Instant::now();
    let (busy, threads) = (ticks(), threads::read(pid)?);
    let before = gateway.cpu_time()?.unwrap_or_default().all;
    let load = wrk.run(gateway.port, seconds)?;
    let after = gateway.cpu_time()?.unwrap_or_default().all;
    let (threads, busy_after) = (threads::read(pid)?.since(&threads), ticks());
    if load.requests == 0 {
        return Err(format!("tidegate answered nothing in {seconds} s"));
    }
    let busy = busy.zip(busy_after).and_then(|(before, after)| {
        let shares = after.iter().zip(before).map(|(after, before)| after.busy_since(before));
        Some(shares.collect::<Option<Vec<f64>>>()?.iter().sum::<f64>() / cpus as f64)
    });
    let wall_seconds = begun.elapsed().as_secs_f64();
    let busy_seconds = busy.map(|busy| busy * wall_seconds * cpus as f64);
    Ok(Sample { load, process_ns: after - before, threads, busy, busy_seconds })
}
