//! What scrapes of `/metrics` do to a shard that serves 10,000 routes: load at a fixed rate with and without scrapes in
//! turn, and the shard's own histograms of each. The shard has a CPU that nobody else of this run uses. Two runs without
//! scrapes stand around each with them, so that it is seen what they differ by themselves.

mod asker;
mod confine;
mod show;

use crate::Failure;
use crate::arguments::{Format, Gateway, Scrape};
use crate::contestant::{Contestant, entrant};
use crate::gap::{Inside, admin_port, profile};
use crate::machine::Machine;
use crate::pace::{Outcome, Plan, Request, bind_to_cpu, run_plan};
use crate::setup::{Certificate, Task};
use crate::upstream::Upstream;
use crate::workload::{DOMAINS, Exchange, HOST, ROUTES_PER_DOMAIN, Workload, domain};
use crate::wrk::Wrk;
use crate::{child, interrupt};
use asker::Scraped;
use confine::{Elsewhere, confine};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Seconds of a closed loop, to learn what half of the gateway's rate is.
const CLOSED_LOOP: u32 = 3;
/// Load before anything counts, at least; all routes are asked in it.
const WARM_UP: Duration = Duration::from_secs(2);
/// Scrapes while there is no load.
const ALONE: usize = 5;
/// Routes that are asked.
const ROUTES: usize = DOMAINS * ROUTES_PER_DOMAIN;

/// What was measured.
#[derive(Debug)]
struct Measured {
    machine: Machine,
    rate: f64,
    connections: u32,
    length: Duration,
    every: Duration,
    cpu: usize,
    elsewhere: Elsewhere,
    /// Samples of a scrape, and rows of routes in it.
    samples: (usize, usize),
    /// Scrapes without load.
    alone: Vec<Scraped>,
    rounds: Vec<Round>,
}

/// Three runs.
#[derive(Debug)]
struct Round {
    before: Run,
    scraped: Run,
    after: Run,
}

/// One run of the load.
#[derive(Debug)]
struct Run {
    load: Outcome,
    inside: Inside,
    scrapes: Vec<Scraped>,
    /// CPU time of the shard's thread, in nanoseconds.
    shard_ns: u64,
    /// The same of all other threads of the gateway.
    others_ns: u64,
    /// How long the shard was ready and did not run, in nanoseconds.
    waited_ns: u64,
}

/// What `tidegate-perf scrape` prints.
pub(crate) fn run(options: &Scrape) -> Result<String, Failure> {
    if options.cpu == options.load_cpu {
        return Err(
            "--cpu and --load-cpu are the same: the shard needs a CPU that the load does not use".into()
        );
    }
    child::raise_file_limit();
    // This thread and all that it begins: nothing of this process is on the shard's CPU.
    bind_to_cpu(options.load_cpu)?;
    let dir = tempfile::Builder::new().prefix("tidegate-perf-").tempdir();
    let dir = dir.map_err(|why| format!("no temporary folder: {why}"))?;
    let measured = measure(options, dir.path())?;
    Ok(match options.output {
        Format::Table => show::table(&measured),
        Format::Json => format!("{:#}\n", show::json(&measured)),
        Format::Markdown => show::markdown(&measured),
    })
}

fn measure(options: &Scrape, dir: &Path) -> Result<Measured, Failure> {
    let entrant = entrant(Gateway::Tidegate, options.tidegate.as_deref())?;
    let upstream = Upstream::start(options.load_cpu, dir)?;
    let task = Task { workload: Workload::Routes10k, plain: false };
    let certificate = Certificate::make(HOST, dir)?;
    let mut gateway = Contestant::start(&entrant, task, upstream.port, &certificate, options.cpu, dir)?;
    let (pid, admin) = (gateway.pid().ok_or("there is no gateway")?, admin_port(dir)?);
    let elsewhere = match options.admin_cpu {
        Some(cpu) => Elsewhere { cpu, is_behind: false },
        None => Elsewhere { cpu: options.load_cpu, is_behind: true },
    };
    confine(pid, elsewhere)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, gateway.port));
    let plan = options.beat.plan(address, Request::in_turn(exchanges()));
    let plan = Plan { cpu: Some(options.load_cpu), ..plan };
    let rate = match options.beat.rate {
        Some(rate) => rate,
        None => {
            let exchange = task.exchange();
            let wrk = Wrk::new("closed-loop", false, &exchange, plan.connections, options.load_cpu, dir)?;
            let load = wrk.run(gateway.port, CLOSED_LOOP)?;
            (load.requests as f64 / load.seconds / 2.0).max(1.0)
        }
    };
    let plan = Plan { rate, ..plan };
    let all_routes = Duration::from_secs_f64((ROUTES as f64 + 1.0) / rate);
    run_plan(&Plan { length: WARM_UP.max(all_routes), ..plan.clone() })?;
    let (samples, alone) = without_load(admin)?;
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round}/{}", options.rounds);
        let mut run = |every| one_run(&plan, &mut gateway, (pid, admin), elsewhere, every);
        let (before, scraped) = (run(None)?, run(Some(options.every))?);
        rounds.push(Round { before, scraped, after: run(None)? });
    }
    Ok(Measured {
        machine: Machine::here(),
        rate,
        connections: plan.connections,
        length: plan.length,
        every: options.every,
        cpu: options.cpu,
        elsewhere,
        samples,
        alone,
        rounds,
    })
}

/// What is asked, route by route.
fn exchanges() -> impl Iterator<Item = Exchange> {
    let any = Workload::Routes10k.exchange();
    (0..DOMAINS).flat_map(|of| (0..ROUTES_PER_DOMAIN).map(move |n| (of, n))).map(move |(of, n)| Exchange {
        host: domain(of),
        path: format!("/small/{n}"),
        ..any.clone()
    })
}

/// Scrapes while nothing else is asked, and the samples of the last: every route must have its rows by now.
fn without_load(admin: u16) -> Result<((usize, usize), Vec<Scraped>), Failure> {
    let (mut text, mut alone) = (Vec::new(), Vec::new());
    let all_told = interrupt::wait_for(Duration::from_secs(10), || {
        asker::scrape(admin, &mut text)?;
        Ok((asker::samples(&text).1 >= ROUTES).then_some(()))
    })?;
    let rows = asker::samples(&text).1;
    all_told.ok_or_else(|| format!("only {rows} of {ROUTES} routes have rows in /metrics"))?;
    for _ in 0..ALONE {
        alone.push(asker::scrape(admin, &mut text)?);
    }
    // Not of the scrape above: rows came while its families were written one after the other.
    Ok((asker::samples(&text), alone))
}

/// Runs the load once, with scrapes if there are to be any, and asks the gateway for its profile of that time.
fn one_run(
    plan: &Plan,
    gateway: &mut Contestant,
    (pid, admin): (u32, u16),
    elsewhere: Elsewhere,
    every: Option<Duration>,
) -> Result<Run, Failure> {
    interrupt::check()?;
    // Threads that have begun since the last time are where their parents were; this makes sure of it.
    confine(pid, elsewhere)?;
    let used = |gateway: &mut Contestant| {
        Ok::<_, Failure>((gateway.cpu_time()?.unwrap_or_default(), confine::waited_ns(pid)?))
    };
    let before = used(gateway)?;
    let ended = AtomicBool::new(false);
    let (load, inside, scrapes) = std::thread::scope(|scope| {
        let profiling = scope.spawn(|| profile(admin, plan.length));
        let asking = every.map(|every| {
            let ended = &ended;
            scope.spawn(move || {
                confine::put(0, elsewhere)
                    .map_err(|why| format!("the scraping thread cannot be moved: {why}"))?;
                asker::ask(admin, every, ended)
            })
        });
        let load = run_plan(plan);
        ended.store(true, Ordering::Release);
        let panicked = "a thread of the measurement panicked";
        let scrapes = asking.map_or(Ok(Vec::new()), |asking| asking.join().map_err(|_| panicked)?)?;
        let inside = profiling.join().map_err(|_| panicked)??;
        Ok::<_, Failure>((load?, inside, scrapes))
    })?;
    let after = used(gateway)?;
    let shard_ns = after.0.shard - before.0.shard;
    // Two clocks that are not read in the same moment.
    let others_ns = (after.0.all - before.0.all).saturating_sub(shard_ns);
    Ok(Run { load, inside, scrapes, shard_ns, others_ns, waited_ns: after.1 - before.1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_route_is_asked() {
        let asked: HashSet<(String, String)> =
            exchanges().map(|exchange| (exchange.host, exchange.path)).collect();
        assert_eq!(asked.len(), ROUTES);
        assert!(asked.contains(&("shop-099.example".into(), "/small/99".into())));
    }
}
