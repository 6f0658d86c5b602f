//! The time that requests spend in a gateway, measured from outside: packets of its two sides on the loopback device,
//! with the kernel's time stamps, at a fixed rate. Trusts nothing that the gateway says; sets it beside it.

mod capture;
mod exchanges;
mod inside;
mod packet;
mod relay;
mod show;

use crate::Failure;
use crate::arguments::{Gap, Output};
use crate::contestant::{Contestant, Entrant, How, entrant};
use crate::machine::Machine;
use crate::pace::{Outcome, Plan, Request, bind_to_cpu, run_plan};
use crate::setup::{Certificate, Task};
use crate::upstream::Upstream;
use crate::workload::{HOST, Workload};
use crate::wrk::Wrk;
use crate::{child, interrupt};
use capture::{Capture, Captured};
use exchanges::Seen;
pub(crate) use inside::{Figures, Inside, admin_port, profile};
use packet::Ports;
use relay::Relay;
pub(crate) use relay::serve as relay;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Load before anything counts.
const WARM_UP: Duration = Duration::from_secs(1);

/// A gateway, measured from both sides.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) gateway: &'static str,
    /// When the measurement began, where, and of what sources.
    pub(crate) machine: Machine,
    /// Tidegate's own latencies begin with the kernel's stamps as well (`serve --arrival-stamps`).
    pub(crate) stamped: bool,
    pub(crate) rate: f64,
    pub(crate) connections: u32,
    pub(crate) rounds: Vec<Round>,
}

/// One run of the load through the gateway, and one through the relay.
#[derive(Debug)]
pub(crate) struct Round {
    /// What the client saw.
    pub(crate) load: Outcome,
    /// What the packets say.
    pub(crate) outside: Seen,
    /// Packets that the capture had no room for.
    pub(crate) lost: u32,
    /// The same of a relay of bytes in the gateway's place, at the same rate: what any gateway costs at least.
    pub(crate) relay: Seen,
    /// What the gateway says of itself; none of peers, an error where it would not.
    pub(crate) inside: Option<Result<Inside, Failure>>,
}

/// What `tidegate-perf gap` prints.
pub(crate) fn run(options: &Gap) -> Result<String, Failure> {
    child::raise_file_limit();
    let dir = tempfile::Builder::new().prefix("tidegate-perf-").tempdir();
    let dir = dir.map_err(|why| format!("no temporary folder: {why}"))?;
    let entrant = entrant(options.gateway, options.tidegate.as_deref())?;
    // Refused at once, not after everything is started.
    drop(Capture::open(Ports { gateway: 1, upstream: 1 })?);
    let upstream = Upstream::start(options.load_cpu, dir.path())?;
    let measured = measure(options, &entrant, upstream.port, dir.path())?;
    Ok(match options.output {
        Output::Table => show::table(&measured),
        Output::Json => format!("{:#}\n", show::json(&measured)),
    })
}

fn measure(options: &Gap, entrant: &Entrant, upstream: u16, dir: &Path) -> Result<Measured, Failure> {
    let (workload, machine) = (Workload::SmallGet, Machine::here());
    let task = Task { workload, plain: false };
    let certificate = Certificate::make(HOST, dir)?;
    let stamped = matches!(entrant, Entrant::Tidegate(_)) && !options.no_stamps;
    let how = How { cpus: &[options.cpu], flags: if stamped { &["--arrival-stamps"] } else { &[] } };
    let mut gateway = Contestant::start_as(entrant, task, upstream, &certificate, how, dir)?;
    let exchange = workload.exchange();
    let plan = |marked| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, gateway.port));
        let plan = options.beat.plan(address, Request::new(&exchange, marked));
        Plan { cpu: Some(options.load_cpu), ..plan }
    };
    let (unmarked, marked) = (plan(false), plan(true));
    let rate = match options.beat.rate {
        Some(rate) => rate,
        None => {
            let wrk = Wrk::new("closed-loop", false, &exchange, unmarked.connections, options.load_cpu, dir)?;
            (wrk.most(gateway.port)? / 2.0).round().max(1.0)
        }
    };
    run_plan(&Plan { rate, length: WARM_UP, ..unmarked })?;
    interrupt::check()?;
    let admin = matches!(entrant, Entrant::Tidegate(_)).then(|| inside::admin_port(dir)).transpose()?;
    let plan = Plan { rate, ..marked };
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round}/{}", options.rounds);
        rounds.push(one_round(&plan, upstream, admin, options.cpu, dir)?);
        gateway.cpu_time()?;
        interrupt::check()?;
    }
    Ok(Measured { gateway: gateway.name, machine, stamped, rate, connections: plan.connections, rounds })
}

/// The gateway that listens where the plan says, and then a relay while the gateway has nothing to do.
fn one_round(
    plan: &Plan,
    upstream: u16,
    admin: Option<u16>,
    cpu: usize,
    dir: &Path,
) -> Result<Round, Failure> {
    let ports = Ports { gateway: plan.address.port(), upstream };
    let length = plan.length;
    let (load, captured, inside) = std::thread::scope(|scope| {
        // What is asked from now on counts, so it is asked for when the load begins.
        let asking = admin.map(|admin| scope.spawn(move || inside::profile(admin, length)));
        let (load, captured) = capture(plan, ports)?;
        let panicked = |_| Err("the asking thread panicked".into());
        let inside = asking.map(|asking| asking.join().unwrap_or_else(panicked));
        Ok::<_, Failure>((load, captured, inside))
    })?;
    let Captured { segments, lost } = captured;
    let relay = relayed(plan, upstream, cpu, dir)?;
    Ok(Round { load, outside: exchanges::exchanges(&segments), lost, relay, inside })
}

/// Measures a relay as the gateway was, with the same load.
fn relayed(plan: &Plan, upstream: u16, cpu: usize, dir: &Path) -> Result<Seen, Failure> {
    let relay = Relay::start(upstream, cpu, dir)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, relay.port));
    let plan = Plan { address, ..plan.clone() };
    run_plan(&Plan { length: WARM_UP, ..plan.clone() })?;
    let ports = Ports { gateway: relay.port, upstream };
    let (_, Captured { segments, .. }) = capture(&plan, ports)?;
    Ok(exchanges::exchanges(&segments))
}

/// Runs a load and captures what passes meanwhile.
fn capture(plan: &Plan, ports: Ports) -> Result<(Outcome, Captured), Failure> {
    let capture = Capture::open(ports)?;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let capturing = scope.spawn(|| {
            // Not on the gateway's CPU, whatever it costs there.
            plan.cpu.map_or(Ok(()), bind_to_cpu)?;
            Ok::<_, Failure>(capture.until(&ended))
        });
        let load = run_plan(plan);
        ended.store(true, Ordering::Release);
        let captured = capturing.join().map_err(|_| "the capture's thread panicked")?;
        Ok((load?, captured?))
    })
}
