//! The order of a comparison: for each workload everyone is started on the same CPU, checked, warmed, and measured in
//! interleaved rounds (ABC, CBA, ABC, …), so that what changes with time falls on all alike.

use crate::Failure;
use crate::arguments::Compare;
use crate::child::raise_file_limit;
use crate::contestant::{Contestant, Entrant, Task, entrants};
use crate::progress::Progress;
use crate::report::{LeftOut, Measured, Report, Sample, Series};
use crate::upstream::Upstream;
use crate::workload::{Exchange, Workload};
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

    let asked = options.workloads();
    let mut progress = Progress::new(measurements(&asked, &entrants) * options.rounds, options.seconds);
    missing.iter().for_each(|peer| progress.note(&format!("{peer} is not installed and left out")));
    let mut workloads = Vec::new();
    for workload in asked {
        let dir = dir.path().join(workload.name());
        workloads.push(measure(options, workload, &entrants, upstream.port, &dir, &mut progress)?);
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

/// Runs of the load in one round of all workloads.
fn measurements(workloads: &[Workload], entrants: &[Entrant]) -> u32 {
    let of = |workload: &Workload| match workload.script() {
        None => entrants.len() as u32,
        Some(script) => 2 * entrants.iter().filter(|entrant| entrant.can(script).is_ok()).count() as u32,
    };
    workloads.iter().map(of).sum()
}

fn baseline(options: &Compare, entrants: &[Entrant]) -> Result<String, Failure> {
    let names: Vec<&str> = entrants.iter().map(Entrant::name).collect();
    let first = names.first().ok_or("nobody to measure: no peer is installed and Tidegate is left out")?;
    match &options.baseline {
        Some(asked) if names.contains(&asked.as_str()) => Ok(asked.clone()),
        Some(asked) => Err(format!("the baseline {asked} does not take part; {} do", names.join(", "))),
        None => {
            Ok(["nginx", "nginx-njs"].into_iter().find(|name| names.contains(name)).unwrap_or(first).into())
        }
    }
}

/// A gateway in a workload: as it is measured, and without the workload's script if it has one.
struct Pair {
    contestant: Contestant,
    plain: Option<Contestant>,
    samples: Vec<Sample>,
    plain_samples: Vec<Sample>,
}

impl Pair {
    fn start(
        entrant: &Entrant,
        workload: Workload,
        upstream: u16,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let start = |script| Contestant::start(entrant, Task { workload, script }, upstream, cpu, dir);
        let script = workload.script();
        let plain = script.map(|_| start(None)).transpose()?;
        Ok(Self { contestant: start(script)?, plain, samples: Vec::new(), plain_samples: Vec::new() })
    }
}

/// Starts everyone that can do the workload's work; who cannot is named with the reason. A peer that fails at a script
/// spoils no other figures; without a script, and for Tidegate, a failure is one of the whole run.
fn start(
    workload: Workload,
    entrants: &[Entrant],
    upstream: u16,
    cpu: usize,
    dir: &Path,
    progress: &Progress,
) -> Result<(Vec<Pair>, Vec<LeftOut>), Failure> {
    let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
    for entrant in entrants {
        let name = entrant.name().to_owned();
        let able = workload.script().map_or(Ok(()), |script| entrant.can(script));
        let started = match able {
            Ok(()) => Pair::start(entrant, workload, upstream, cpu, dir),
            Err(why) => Err(why.to_owned()),
        };
        match started {
            Ok(pair) => pairs.push(pair),
            Err(why) if workload.script().is_some() && matches!(entrant, Entrant::Peer(..)) => {
                interrupt::check()?;
                progress.note(&format!("{}: {name} is left out: {why}", workload.name()));
                left_out.push(LeftOut { name, why });
            }
            Err(why) => return Err(why),
        }
    }
    if pairs.is_empty() {
        return Err(format!("{}: nobody can be measured", workload.name()));
    }
    Ok((pairs, left_out))
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
    let wrk = |name, exchange: Exchange| Wrk::new(name, &exchange, connections, options.load_cpu, dir);
    let load = wrk("load", workload.exchange())?;
    let plain_load = wrk("load-plain", workload.without_script())?;
    let (mut pairs, left_out) = start(workload, entrants, upstream, options.cpu, dir, progress)?;
    for Pair { contestant, plain, .. } in &pairs {
        plain.iter().try_for_each(|plain| plain_load.run(plain.port, WARM_UP).map(|_| ()))?;
        load.run(contestant.port, WARM_UP)?;
    }
    let name = workload.name();
    for round in 1..=options.rounds {
        let forwards = round % 2 == 1;
        for turn in 0..pairs.len() {
            let at = if forwards { turn } else { pairs.len() - 1 - turn };
            let Pair { contestant, plain, samples, plain_samples } = &mut pairs[at];
            // The two of a pair follow each other, the one without its script first in every other round.
            for without in [forwards, !forwards] {
                interrupt::check()?;
                if !without {
                    progress.step(&name, round, options.rounds, contestant.name);
                    samples.push(sample(options, &load, contestant)?);
                } else if let Some(plain) = plain {
                    progress.step(&name, round, options.rounds, &format!("{} without", plain.name));
                    plain_samples.push(sample(options, &plain_load, plain)?);
                }
            }
        }
    }
    let series = pairs
        .into_iter()
        .map(|pair| Series {
            name: pair.contestant.name.to_owned(),
            peak_memory: pair.contestant.peak_memory(),
            samples: pair.samples,
            plain: pair.plain_samples,
        })
        .collect();
    Ok(Measured { workload, connections, series, left_out })
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
