//! One shard: a thread on a core with its own runtime, listener, tables and pools, from its birth to its drained end.

use crate::accept;
use crate::cache::{Cache, CachePeers};
use crate::counters::Counters;
use crate::fetch::Fetcher;
use crate::install::{self, Mailbox};
use crate::limits::Limits;
use crate::local::Local;
use crate::outbox::Outbox;
use crate::profile::{Profile, Profiling};
use crate::record::{RecordRules, Records};
use crate::script::{Lender, Names, Scripts};
use crate::secure;
use crate::surroundings::Surroundings;
use crate::tables::Current;
use crate::upstream::Upstreams;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_mailbox::{QueueReader, QueueWriter, SlotReader};
use tidegate_reactor::{
    Driver, Listener, Memory, RingOptions, WakeSource, pin_to, race, run, sleep, spawn, take_memory_from,
};
use tidegate_snapshot::{DocumentReader, RecordSink, Snapshot, ToAdmin, ToShard};

/// Reports between two sweeps of the upstream pool.
const REPORTS_PER_SWEEP: u32 = 4;
/// How often a draining shard looks whether its last connection has ended.
const DRAIN_INTERVAL: Duration = Duration::from_millis(5);

/// Everything a shard is born with.
pub struct ShardOptions {
    /// Its index.
    pub index: u16,
    /// The CPU it is bound to.
    pub cpu: Option<usize>,
    /// Where its memory comes from.
    pub memory: Memory,
    /// What drives its I/O.
    pub driver: Driver,
    /// Its ring.
    pub ring: RingOptions,
    /// Bounds.
    pub limits: Limits,
    /// Its own listening socket.
    pub listener: std::net::TcpListener,
    /// What it runs first.
    pub snapshot: Arc<Snapshot>,
    /// Later snapshots.
    pub snapshots: SlotReader<Arc<Snapshot>>,
    /// Messages.
    pub messages: QueueReader<ToShard>,
    /// The other shards' caches; woken by the same hook.
    pub cache: CachePeers,
    /// Wakes it for all of these.
    pub wakeups: WakeSource,
    /// Its way to the admin.
    pub admin: QueueWriter<ToAdmin>,
    /// Documents.
    pub reader: Arc<dyn DocumentReader>,
    /// What the process found around it.
    pub surroundings: Arc<Surroundings>,
    /// Takes its access records, where somebody wants them.
    pub records: Option<Box<dyn RecordSink>>,
    /// What is wanted of its latency profile.
    pub profile: Profiling,
    /// Which of them, and how they look.
    pub record_rules: RecordRules,
    /// Called once it accepts connections, or with the reason why it does not.
    pub started: Box<dyn FnOnce(Result<(), String>) + Send>,
}

/// Starts a shard's thread, which ends after a drain.
pub fn spawn_shard(options: ShardOptions) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(format!("shard-{}", options.index)).spawn(move || thread(options))
}

fn thread(options: ShardOptions) {
    if let Some(cpu) = options.cpu
        && let Err(error) = pin_to(cpu)
    {
        let report = options.started;
        return report(Err(format!("shard {} cannot be bound to CPU {cpu}: {error}", options.index)));
    }
    if let Err(error) = take_memory_from(options.memory) {
        let report = options.started;
        return report(Err(format!("--numa-memory: shard {} cannot choose: {error}", options.index)));
    }
    let (driver, ring, index) = (options.driver, options.ring, options.index);
    // Called from inside once the shard accepts; here only if there was no runtime to be inside of.
    let started = Rc::new(Cell::new(Some(options.started)));
    let report = {
        let started = started.clone();
        move |result: Result<(), String>| {
            if let Some(started) = started.take() {
                started(result);
            }
        }
    };
    let options = ShardOptions { started: Box::new(|_| ()), ..options };
    if let Err(error) = run(driver, ring, live(options, report)) {
        let why = format!("shard {index} cannot run on {}: {error}", driver.name());
        if let Some(started) = started.take() {
            started(Err(why));
        }
    }
}

async fn live(options: ShardOptions, started: impl Fn(Result<(), String>)) {
    let listener = match Listener::new(options.listener, options.limits.client_socket) {
        Ok(listener) => listener,
        Err(error) => return started(Err(format!("shard {}: {error}", options.index))),
    };
    let wakeups = match options.wakeups.listen() {
        Ok(wakeups) => wakeups,
        Err(error) => return started(Err(format!("shard {}: {error}", options.index))),
    };
    let generation = options.snapshot.generation;
    let tls = match secure::client_config(&options.surroundings.roots) {
        Ok(tls) => tls,
        Err(error) => return started(Err(format!("shard {}: {error}", options.index))),
    };
    let counters = Rc::<Counters>::default();
    let upstreams = Upstreams::default();
    let names = Rc::new(Names::new(options.admin.clone(), options.index));
    let fetcher = Rc::new(Fetcher {
        limits: options.limits.clone(),
        counters: counters.clone(),
        pool: upstreams.pool.clone(),
        names: names.clone(),
        tls,
        around: options.surroundings,
    });
    let (cache, cache_inbox) = Cache::new(options.index, options.cache, &options.limits);
    cache.install(generation, |_| true);
    let lender = Rc::new(Lender {
        reader: options.reader,
        outbox: Outbox::new(options.admin, options.index, &options.limits),
        counters,
        profile: Profile::new(options.index, options.profile, options.limits.profile_rows),
        writes: Default::default(),
        names: names.clone(),
        fetcher,
        running: Default::default(),
        cache,
        counting: Default::default(),
    });
    let local = Rc::new(Local {
        scripts: Scripts::new(lender.clone(), options.limits.script_contexts),
        limits: options.limits,
        current: Current::new(options.snapshot),
        lender,
        upstreams,
        names,
        records: Records::new(options.records, options.record_rules),
        is_draining: Cell::new(false),
        runs: Cell::new(0),
        serial: Cell::new(1),
    });
    let shard = options.index;
    install::tell(&local, || ToAdmin::Installed { shard, generation }).await;
    let mailbox =
        Mailbox { snapshots: options.snapshots, messages: options.messages, cache: cache_inbox, wakeups };
    spawn(install::run(local.clone(), mailbox));
    spawn(report(local.clone()));
    spawn(profile(local.clone()));
    spawn(local.lender.cache.clone().sweep());
    started(Ok(()));
    // Dropping the accepting future closes the listener.
    race(accept::run(local.clone(), listener), drain_begins(&local)).await;
    while local.lender.counters.connections.get() > 0 || local.runs.get() > 0 {
        sleep(DRAIN_INTERVAL).await;
    }
    local.upstreams.pool.close_idle(&local.lender.counters);
    local.lender.cache.finish();
    while !local.lender.cache.is_over() {
        sleep(DRAIN_INTERVAL).await;
    }
    send_profile(&local, true);
    send_report(&local, usize::MAX);
    local.records.flush();
    install::tell(&local, || ToAdmin::Drained { shard }).await;
}

async fn drain_begins(local: &Local) {
    while !local.is_draining.get() {
        sleep(DRAIN_INTERVAL * 4).await;
    }
}

async fn report(local: Rc<Local>) {
    let mut turn = 0u32;
    loop {
        sleep(local.limits.report_interval).await;
        send_report(&local, local.limits.report_rows);
        local.records.flush();
        turn = turn.wrapping_add(1);
        if turn.is_multiple_of(REPORTS_PER_SWEEP) {
            local.upstreams.pool.sweep(&local.limits, &local.lender.counters);
        }
    }
}

async fn profile(local: Rc<Local>) {
    loop {
        sleep(local.limits.hdr_interval).await;
        send_profile(&local, false);
        local.lender.profile.clean().await;
    }
}

fn send_profile(local: &Local, is_last: bool) {
    let lender = &local.lender;
    if !lender.profile.hand_over(&lender.outbox.admin, is_last) {
        lender.counters.events_dropped.add(1);
    }
}

fn send_report(local: &Local, most_routes: usize) {
    let lender = &local.lender;
    lender.outbox.roll(&lender.counters);
    let mut report = lender.counters.take(lender.outbox.shard, local.current.held(), most_routes);
    let cache = lender.cache.take_counts();
    let totals = &mut report.totals;
    (totals.cache_hits, totals.cache_misses, totals.cache_sets) = (cache.hits, cache.misses, cache.sets);
    (totals.cache_evictions, totals.cache_dropped) = (cache.evictions, cache.dropped);
    totals.cache_bytes = cache.bytes;
    report.scripts = local.scripts.report();
    // A full mailbox loses one interval's numbers, and says so.
    if lender.outbox.admin.send(ToAdmin::Report(Box::new(report))).is_err() {
        lender.counters.events_dropped.add(1);
    }
}
