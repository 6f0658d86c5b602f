//! The order of a comparison: for each workload everyone is started on the same CPU, checked, warmed, and measured in
//! interleaved rounds (ABC, CBA, ABC, …), so that what changes with time falls on all alike.

use crate::Failure;
use crate::arguments::Compare;
use crate::child::raise_file_limit;
use crate::contestant::{Contestant, Entrant, entrants};
use crate::progress::Progress;
use crate::report::{Measured, Report, Sample, Series};
use crate::upstream::Upstream;
use crate::workload::Workload;
use crate::wrk::Wrk;
use crate::{interrupt, processor};
use std::path::Path;
use std::time::Instant;

/// Seconds of load before anything counts: connections are opened, pools filled, code paged in.
const WARM_UP: u32 = 1;

/// Runs everything that was asked for.
pub(crate) fn run(options: &Compare) -> Result<Report, Failure> {
    for cpu in [options.cpu, options.load_cpu] {
        if !processor::exists(cpu) {
            return Err(format!("this machine has no CPU {cpu}"));
        }
    }
    if options.cpu == options.load_cpu {
        return Err("the load needs another CPU than the gateways".into());
    }
    raise_file_limit();
    let (entrants, missing) = entrants(options)?;
    let baseline = baseline(options, &entrants)?;
    let dir = tempfile::Builder::new()
        .prefix("tidegate-perf-")
        .tempdir()
        .map_err(|why| format!("no temporary folder: {why}"))?;
    let upstream = Upstream::start(options.load_cpu, dir.path())?;

    let measurements = (options.workloads.len() * entrants.len()) as u32 * options.rounds;
    let mut progress = Progress::new(measurements, options.seconds);
    missing.iter().for_each(|peer| progress.note(&format!("{peer} is not installed and left out")));
    let mut workloads = Vec::new();
    for workload in &options.workloads {
        let dir = dir.path().join(workload.name());
        workloads.push(measure(options, *workload, &entrants, upstream.port, &dir, &mut progress)?);
    }
    Ok(Report {
        rounds: options.rounds,
        seconds: options.seconds,
        cpu: options.cpu,
        load_cpu: options.load_cpu,
        baseline,
        programs: entrants.iter().map(Entrant::program).collect(),
        missing,
        workloads,
    })
}

fn baseline(options: &Compare, entrants: &[Entrant]) -> Result<String, Failure> {
    let names: Vec<&str> = entrants.iter().map(Entrant::name).collect();
    let first = names.first().ok_or("nobody to measure: no peer is installed and Tidegate is left out")?;
    match &options.baseline {
        Some(asked) if names.contains(&asked.as_str()) => Ok(asked.clone()),
        Some(asked) => Err(format!("the baseline {asked} does not take part; {} do", names.join(", "))),
        None if names.contains(&"nginx") => Ok("nginx".into()),
        None => Ok((*first).to_owned()),
    }
}

fn measure(
    options: &Compare,
    workload: Workload,
    entrants: &[Entrant],
    upstream: u16,
    dir: &Path,
    progress: &mut Progress,
) -> Result<Measured, Failure> {
    std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    let connections = workload.connections(options.connections);
    let wrk = Wrk::new(workload, connections, options.load_cpu, dir)?;
    let mut contestants = entrants
        .iter()
        .map(|entrant| Contestant::start(entrant, workload, upstream, options.cpu, dir))
        .collect::<Result<Vec<_>, _>>()?;
    for contestant in &contestants {
        wrk.run(contestant.port, WARM_UP)?;
    }
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); contestants.len()];
    for round in 1..=options.rounds {
        for turn in 0..contestants.len() {
            let at = if round % 2 == 1 { turn } else { contestants.len() - 1 - turn };
            interrupt::check()?;
            progress.step(&workload.name(), round, options.rounds, contestants[at].name);
            samples[at].push(sample(options, &wrk, &mut contestants[at])?);
        }
    }
    let series = contestants
        .iter()
        .zip(samples)
        .map(|(contestant, samples)| Series {
            name: contestant.name.to_owned(),
            peak_memory: contestant.peak_memory(),
            samples,
        })
        .collect();
    Ok(Measured { workload, connections, series })
}

/// One run of the load against one contestant.
fn sample(options: &Compare, wrk: &Wrk, contestant: &mut Contestant) -> Result<Sample, Failure> {
    let begun = Instant::now();
    let ticks = (processor::ticks(options.cpu), processor::ticks(options.load_cpu));
    let before = contestant.cpu_time()?;
    let load = wrk.run(contestant.port, options.seconds)?;
    let after = contestant.cpu_time()?;
    let busy = |cpu, before: Option<processor::Ticks>| processor::ticks(cpu)?.busy_since(before?);
    let (cpu_busy, load_busy) = (busy(options.cpu, ticks.0), busy(options.load_cpu, ticks.1));
    if load.requests == 0 {
        return Err(format!("{} answered nothing in {} s", contestant.name, options.seconds));
    }
    Ok(Sample {
        load,
        cpu_ns: after.all - before.all,
        shard_ns: (after.shard > 0).then(|| after.shard - before.shard),
        wall_seconds: begun.elapsed().as_secs_f64(),
        cpu_busy,
        load_busy,
    })
}
