//! The order of a comparison: for each workload everyone is started on the same CPU, checked, warmed, and measured in
//! interleaved rounds (ABC, CBA, ABC, …), so that what changes with time falls on all alike. Who fails is left out with
//! the reason; the run goes on.

use crate::arguments::Compare;
use crate::child::raise_file_limit;
use crate::contestant::{Contestant, Entrant, entrants};
use crate::load::{Generator, Shape};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::{LeftOut, Measured, Program, Report, Sample, Series};
use crate::setup::{Certificate, Task};
use crate::upstream::Upstream;
use crate::workload::{HOST, Workload};
use crate::wrk::Wrk;
use crate::{Failure, ability, interrupt, processor};
use std::path::Path;
use std::time::Instant;

/// Seconds of load before anything counts: connections are opened, pools filled, code paged in.
const WARM_UP: u32 = 1;
/// Seconds that starting and checking a gateway takes, about.
const START: u32 = 1;

/// Everything that stays the same over a run.
struct Run<'a> {
    options: &'a Compare,
    entrants: Vec<Entrant>,
    upstream: Upstream,
    certificate: Certificate,
}

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
    let machine = Machine::here();
    let (entrants, missing) = entrants(options)?;
    check_baseline(options, &entrants)?;
    let dir = tempfile::Builder::new()
        .prefix("tidegate-perf-")
        .tempdir()
        .map_err(|why| format!("no temporary folder: {why}"))?;
    let certificate = Certificate::make(HOST, dir.path())?;
    let upstream = Upstream::start(options.load_cpu, dir.path())?;
    let run = Run { options, entrants, upstream, certificate };

    let (steps, starts) = run.steps();
    let mut progress = Progress::new(steps * options.rounds, options.seconds);
    missing.iter().for_each(|peer| {
        progress
            .note(&format!("{} is not installed and left out; `tidegate-perf peers` says more", peer.name()))
    });
    progress.announce(starts * (WARM_UP + START));
    let mut workloads = Vec::new();
    for workload in options.workloads() {
        let dir = dir.path().join(workload.name());
        workloads.push(run.measure(workload, &dir, &mut progress)?);
    }
    let took_part = |entrant: &&Entrant| {
        workloads.iter().any(|measured: &Measured| measured.find(entrant.name()).is_some())
    };
    let program = |entrant: &Entrant| {
        let (name, version) = (entrant.name(), entrant.version());
        entrant.program().map(|path| Program { name, path: path.to_owned(), version })
    };
    Ok(Report {
        rounds: options.rounds,
        seconds: options.seconds,
        cpu: options.cpu,
        load_cpu: options.load_cpu,
        machine,
        given: options.tidegate.is_some() && !options.without_tidegate,
        programs: run.entrants.iter().filter(took_part).filter_map(program).collect(),
        missing: missing.into_iter().map(|peer| peer.name().to_owned()).collect(),
        workloads,
    })
}

/// A baseline that was asked for by name must be somebody.
fn check_baseline(options: &Compare, entrants: &[Entrant]) -> Result<(), Failure> {
    let names: Vec<&str> = entrants.iter().map(Entrant::name).collect();
    match &options.baseline {
        Some(asked) if !names.contains(&asked.as_str()) => {
            Err(format!("the baseline {asked} does not take part; {} do", names.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Whom the others are divided by: the one that was asked for if it takes part, else nginx in one form or another.
fn baseline(asked: Option<&str>, series: &[Series]) -> String {
    let there = |name: &&str| series.iter().any(|series| series.name == *name);
    let found = preferred(asked).find(there);
    let first = series.first().map(|series| series.name.clone()).unwrap_or_default();
    found.map_or(first, str::to_owned)
}

/// Whom the others are divided by, the first choice first.
fn preferred(asked: Option<&str>) -> impl Iterator<Item = &str> {
    asked.into_iter().chain(["nginx", "nginx-njs"])
}

/// A gateway in a workload: as it is measured, and without what the workload is about if that can be left out.
struct Pair {
    contestant: Contestant,
    plain: Option<Contestant>,
    samples: Vec<Sample>,
    plain_samples: Vec<Sample>,
}

/// The loads of a workload.
struct Loads {
    whole: Generator,
    plain: Generator,
    /// What the service itself is asked, without a gateway.
    direct: Option<Generator>,
}

impl Loads {
    fn of(&self, contestant: &Contestant, plain: bool) -> &Generator {
        match &self.direct {
            Some(direct) if contestant.name == Entrant::Direct.name() => direct,
            _ if plain => &self.plain,
            _ => &self.whole,
        }
    }
}

impl Run<'_> {
    /// Those who are to be measured in a workload, with why those of them who cannot are left out.
    fn candidates(&self, workload: Workload) -> Vec<(&Entrant, Option<String>)> {
        let peers = self.options.peers(workload);
        let asked = |entrant: &&Entrant| match entrant {
            Entrant::Tidegate(_) => true,
            Entrant::Peer(peer, _) => peers.contains(peer),
            Entrant::Direct => workload.without_gateway().is_some(),
        };
        let able = |entrant| (entrant, ability::can(entrant, workload).err().map(str::to_owned));
        self.entrants.iter().filter(asked).map(able).collect()
    }

    /// Runs of the load in one round of all workloads, and gateways to be started.
    fn steps(&self) -> (u32, u32) {
        let of = |workload: &Workload| {
            let able =
                self.candidates(*workload).iter().filter(|(_, unable)| unable.is_none()).count() as u32;
            able * if workload.beside().is_some() { 2 } else { 1 }
        };
        let all = self.options.workloads().iter().map(of).sum();
        (all, all)
    }

    fn start(&self, entrant: &Entrant, workload: Workload, dir: &Path) -> Result<Pair, Failure> {
        let start = |plain| {
            let task = Task { workload, plain };
            let (upstream, cpu) = (self.upstream.port, self.options.cpu);
            Contestant::start(entrant, task, upstream, &self.certificate, cpu, dir)
        };
        let plain = workload.beside().map(|_| start(true)).transpose()?;
        Ok(Pair { contestant: start(false)?, plain, samples: Vec::new(), plain_samples: Vec::new() })
    }

    /// Requests a second of a workload at a fixed rate, the same for all: what was asked for, or half of what the
    /// baseline takes in a closed loop on this machine now.
    fn rate(&self, workload: Workload, connections: u32, dir: &Path) -> Result<f64, Failure> {
        if let Some(rate) = self.options.rate {
            return Ok(rate);
        }
        let mut able: Vec<&Entrant> = self
            .candidates(workload)
            .into_iter()
            .filter(|(entrant, unable)| unable.is_none() && !matches!(entrant, Entrant::Direct))
            .map(|(entrant, _)| entrant)
            .collect();
        let asked = self.options.baseline.as_deref();
        able.sort_by_key(|entrant| {
            preferred(asked).position(|name| name == entrant.name()).unwrap_or(usize::MAX)
        });
        let entrant = able.first().ok_or("nobody can be measured")?;
        let wrk =
            Wrk::new("closed-loop", false, &workload.exchange(), connections, self.options.load_cpu, dir)?;
        let alone = self.start(entrant, workload, &dir.join("closed-loop"))?;
        wrk.run(alone.contestant.port, WARM_UP)?;
        Ok((wrk.most(alone.contestant.port)? / 2.0).round().max(1.0))
    }

    fn loads(&self, workload: Workload, connections: u32, rate: f64, dir: &Path) -> Result<Loads, Failure> {
        let load = |name, plain, exchange| {
            let task = Task { workload, plain };
            let shape = Shape { connections, rate, cpu: self.options.load_cpu };
            Generator::new(name, task, &exchange, shape, dir)
        };
        Ok(Loads {
            whole: load("load", false, workload.exchange())?,
            plain: load("load-plain", true, workload.without_script())?,
            direct: workload
                .without_gateway()
                .map(|exchange| load("load-direct", false, exchange))
                .transpose()?,
        })
    }

    fn measure(&self, workload: Workload, dir: &Path, progress: &mut Progress) -> Result<Measured, Failure> {
        std::fs::create_dir_all(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        let connections = workload.connections(self.options.connections);
        let rate = workload.paced().then(|| self.rate(workload, connections, dir));
        let (mut pairs, mut left_out) = (Vec::new(), Vec::new());
        let mut leave_out = |progress: &mut Progress, name: &str, why: String, rounds: u32| {
            progress.note(&format!("{}: {name} is left out: {why}", workload.name()));
            progress.skip(rounds * if workload.beside().is_some() { 2 } else { 1 });
            left_out.push(LeftOut { name: name.into(), why, failed: rounds > 0 });
        };
        let ready = rate
            .transpose()
            .and_then(|rate| Ok((rate, self.loads(workload, connections, rate.unwrap_or_default(), dir)?)));
        let (rate, loads) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                for (entrant, unable) in self.candidates(workload) {
                    let rounds = if unable.is_some() { 0 } else { self.options.rounds };
                    leave_out(progress, entrant.name(), unable.unwrap_or_else(|| why.clone()), rounds);
                }
                let (rate, baseline, series) = (None, String::new(), Vec::new());
                return Ok(Measured { workload, connections, rate, baseline, series, left_out });
            }
        };
        for (entrant, unable) in self.candidates(workload) {
            if let Some(why) = unable {
                leave_out(progress, entrant.name(), why, 0);
                continue;
            }
            progress.starts(&workload.name(), entrant.name());
            let started = self.start(entrant, workload, dir).and_then(|pair| {
                let Pair { contestant, plain, .. } = &pair;
                plain.iter().try_for_each(|it| loads.of(it, true).run(it.port, WARM_UP).map(drop))?;
                loads.of(contestant, false).run(contestant.port, WARM_UP)?;
                Ok(pair)
            });
            match started {
                Ok(pair) => pairs.push(pair),
                Err(why) => {
                    interrupt::check()?;
                    leave_out(progress, entrant.name(), why, self.options.rounds);
                }
            }
        }
        for round in 1..=self.options.rounds {
            let forwards = round % 2 == 1;
            let mut order: Vec<usize> = (0..pairs.len()).collect();
            if !forwards {
                order.reverse();
            }
            let mut failed = Vec::new();
            for at in order {
                if let Err(why) = self.one_round(&mut pairs[at], &loads, workload, round, progress) {
                    interrupt::check()?;
                    let left = self.options.rounds - round;
                    leave_out(progress, pairs[at].contestant.name, why, left.max(1));
                    failed.push(at);
                }
            }
            failed.sort_unstable();
            failed.into_iter().rev().for_each(|at| drop(pairs.remove(at)));
        }
        let series: Vec<Series> = pairs
            .into_iter()
            .map(|pair| Series {
                name: pair.contestant.name.to_owned(),
                peak_memory: pair.contestant.peak_memory(),
                samples: pair.samples,
                plain: pair.plain_samples,
            })
            .collect();
        let baseline = baseline(self.options.baseline.as_deref(), &series);
        Ok(Measured { workload, connections, rate, baseline, series, left_out })
    }

    /// The two of a pair follow each other, the plain one first in every other round.
    fn one_round(
        &self,
        pair: &mut Pair,
        loads: &Loads,
        workload: Workload,
        round: u32,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let (name, rounds) = (workload.name(), self.options.rounds);
        let Pair { contestant, plain, samples, plain_samples } = pair;
        for without in [!round.is_multiple_of(2), round.is_multiple_of(2)] {
            interrupt::check()?;
            match (without, plain.as_mut()) {
                (false, _) => {
                    progress.step(&name, round, rounds, contestant.name);
                    samples.push(self.sample(loads.of(contestant, false), contestant)?);
                }
                (true, Some(plain)) => {
                    let (beside, _) = workload.beside().unwrap_or_default();
                    progress.step(&name, round, rounds, &format!("{} {beside}", plain.name));
                    plain_samples.push(self.sample(loads.of(plain, true), plain)?);
                }
                (true, None) => {}
            }
        }
        Ok(())
    }

    /// One run of the load against one contestant; once more if nothing came back, which on a busy machine happens.
    fn sample(&self, load: &Generator, contestant: &mut Contestant) -> Result<Sample, Failure> {
        let first = self.sample_once(load, contestant);
        if first.is_ok() || interrupt::check().is_err() {
            return first;
        }
        self.sample_once(load, contestant)
    }

    fn sample_once(&self, load: &Generator, contestant: &mut Contestant) -> Result<Sample, Failure> {
        let (cpu, load_cpu, seconds) = (self.options.cpu, self.options.load_cpu, self.options.seconds);
        let begun = Instant::now();
        let ticks = (processor::ticks(cpu), processor::ticks(load_cpu));
        let before = contestant.cpu_time()?.unwrap_or_default();
        let load = load.run(contestant.port, seconds)?;
        let after = contestant.cpu_time()?;
        let busy = |cpu, before: Option<processor::Ticks>| processor::ticks(cpu)?.busy_since(before?);
        let (cpu_busy, load_busy) = (busy(cpu, ticks.0), busy(load_cpu, ticks.1));
        if load.requests == 0 {
            return Err(format!("{} answered nothing in {seconds} s", contestant.name));
        }
        if load.errors * 2 > load.requests {
            let (errors, requests) = (load.errors, load.requests);
            return Err(format!("{}: {errors} errors beside {requests} answers", contestant.name));
        }
        let shard = after.filter(|after| after.shard > 0);
        Ok(Sample {
            load,
            cpu_ns: after.map(|after| after.all - before.all),
            shard_ns: shard.map(|after| after.shard - before.shard),
            wall_seconds: begun.elapsed().as_secs_f64(),
            cpu_busy,
            load_busy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_is_one_that_takes_part() {
        let series = |names: &[&str]| -> Vec<Series> {
            let one = |name: &&str| Series {
                name: (*name).into(),
                peak_memory: None,
                samples: Vec::new(),
                plain: Vec::new(),
            };
            names.iter().map(one).collect()
        };
        for (asked, names, expected) in [
            (None, &["tidegate", "nginx", "haproxy"][..], "nginx"),
            (None, &["tidegate", "nginx-njs"], "nginx-njs"),
            (None, &["tidegate", "haproxy"], "tidegate"),
            (Some("haproxy"), &["tidegate", "nginx", "haproxy"], "haproxy"),
            (Some("caddy"), &["tidegate", "nginx"], "nginx"),
            (None, &[], ""),
        ] {
            assert_eq!(baseline(asked, &series(names)), expected, "{names:?}");
        }
    }
}
