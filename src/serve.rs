//! The order of birth and death. Birth: limits, listeners, the admin plane with the first snapshot, the shards on it,
//! then readiness. Death: readiness, listeners, requests in flight, shards, the admin plane.

use crate::args::Serve;
use crate::machine::Machine;
use crate::ports::{Ports, PortsFile};
use crate::recording::{self, Watch};
use crate::{ground, listen, signals, surroundings};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tidegate_admin::config::{FileConfig, LoadOptions, load};
use tidegate_admin::metrics::OtherMetrics;
use tidegate_admin::{AdminHandle, ShardLink, TestServer};
use tidegate_mailbox::QueueWriter;
use tidegate_recorder::Started;
use tidegate_shards::{Driver, Profiling, RecordRules, ShardOptions, cache_mesh, spawn_shard, wakeups};
use tidegate_snapshot::{ModuleLimits, ProfileSink, RecordSink, ToAdmin, ToShard};
use tracing::{info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Messages from the shards to the admin that may wait.
const ADMIN_INBOX: usize = 16_384;
/// Messages to one shard that may wait.
const SHARD_INBOX: usize = 4_096;

/// What was decided from flags, file and host.
struct Plan {
    args: Serve,
    file: FileConfig,
    machine: Machine,
    shards: u16,
    driver: Driver,
    driver_reason: String,
    max_connections: usize,
    data_dir: PathBuf,
    proxy: Vec<TcpListener>,
    admin: TcpListener,
    test_server: Option<TcpListener>,
}

impl Plan {
    /// The file asks for no data folder, and no flag says otherwise.
    fn is_in_memory(&self) -> bool {
        self.file.storage.memory && self.args.data_dir.is_none()
    }
}

/// The shards' side of a running process.
struct Shards {
    threads: Vec<JoinHandle<()>>,
    inboxes: Vec<QueueWriter<ToShard>>,
    recorder: Option<Watch>,
}

/// Runs the gateway until a signal ends it.
pub fn run(words: &[String]) -> Result<(), String> {
    signals::block();
    let plan = plan(words)?;
    let started = Instant::now();
    let (to_admin, inbox) = tidegate_admin::inbox(ADMIN_INBOX);
    let address = |listener: &TcpListener| listener.local_addr().map_err(|error| error.to_string());
    let (proxy_address, admin_address) = (address(&plan.proxy[0])?, address(&plan.admin)?);
    let test_address = plan.test_server.as_ref().map(address).transpose()?;
    let mut plan = plan;
    let record_rules = plan.args.record_rules()?;
    let recorder = recording::start(&plan.args, plan.shards)?;
    let admin = start_admin(&mut plan, inbox, recording::metrics(recorder.as_ref()))?;
    let shards = start_shards(&mut plan, &admin, to_admin, recorder, &record_rules)?;
    let _test_server = match (plan.test_server.take(), &plan.file.test_server) {
        (Some(listener), Some(settings)) => Some(
            tidegate_admin::test_server(
                listener,
                TestServer { global_headers: settings.global_headers.clone() },
            )
            .map_err(|error| format!("the test server cannot start: {error}"))?,
        ),
        _ => None,
    };
    admin.set_ready(true);
    let ports = Ports {
        proxy: proxy_address.port(),
        admin: admin_address.port(),
        test_server: test_address.map(|address| address.port()),
    };
    let _ports_file = match &plan.args.ports_file {
        Some(path) => Some(
            PortsFile::write(path, &ports)
                .map_err(|error| format!("--ports-file {} cannot be written: {error}", path.display()))?,
        ),
        None => None,
    };
    let test = test_address.map(|address| format!(", test server on {address}")).unwrap_or_default();
    info!(
        shards = plan.shards,
        cpus = plan.machine.cpus,
        shard_cpu_node = plan.machine.mapping,
        driver = plan.driver.name(),
        driver_reason = plan.driver_reason,
        max_connections = plan.max_connections,
        data_dir =
            if plan.is_in_memory() { "none (memory)".into() } else { plan.data_dir.display().to_string() },
        revision = admin.snapshot().revision.0,
        took_ms = started.elapsed().as_millis() as u64,
        "proxy on {proxy_address}, admin on {admin_address}{test}"
    );
    live(&plan.args, &admin, shards)?;
    admin.stop();
    info!("ended");
    Ok(())
}

/// Waits for the signal, then drains. A second signal ends at once.
fn live(args: &Serve, admin: &AdminHandle, mut shards: Shards) -> Result<(), String> {
    let signal = loop {
        if let Some(signal) = signals::wait(Duration::from_secs(1)) {
            break signal;
        }
        if let Some(recorder) = &mut shards.recorder {
            recorder.look();
        }
        if let Some(shard) = shards.threads.iter().position(JoinHandle::is_finished) {
            return Err(format!("shard {shard} ended by itself; the log says why"));
        }
    };
    info!(signal, drain_timeout_ms = args.drain_timeout.as_millis() as u64, "ending: no new connections");
    admin.draining();
    let second = |time: Duration| signals::wait(time).is_some();
    if !args.shutdown_delay.is_zero() && second(args.shutdown_delay) {
        return Err("ended at once by a second signal".into());
    }
    for inbox in &shards.inboxes {
        // The inbox of a shard that lives has room again in a moment.
        while inbox.send(ToShard::Drain).is_err() && !second(Duration::from_millis(1)) {}
    }
    let deadline = Instant::now() + args.drain_timeout;
    while !shards.threads.iter().all(JoinHandle::is_finished) {
        if Instant::now() >= deadline {
            warn!("requests were still in flight at the end of --drain-timeout and are cut");
            break;
        }
        if second(Duration::from_millis(10)) {
            return Err("ended at once by a second signal".into());
        }
    }
    shards.recorder.map_or(Ok(()), Watch::stop)
}

fn plan(words: &[String]) -> Result<Plan, String> {
    let typed = Serve::over(words, &Default::default()).map_err(|error| error.to_string())?;
    let (file, warnings) = match &typed.config {
        Some(path) => {
            let options =
                LoadOptions { allow_commands: typed.allow_config_commands, ..LoadOptions::default() };
            let loaded = load(path, &options).map_err(|faults| {
                let list: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
                format!("{} cannot be used:{}", path.display(), list.concat())
            })?;
            (loaded.file, loaded.warnings)
        }
        None => (FileConfig::default(), Vec::new()),
    };
    let args = Serve::over(words, &file.tuning).map_err(|error| {
        format!("a value of the configuration file's 'tidegate' section is wrong: {error}")
    })?;
    start_logging(&args, &file);
    for warning in warnings {
        warn!(at = warning.at, "configuration: {}", warning.why);
    }
    let faults = args.faults();
    if !faults.is_empty() {
        return Err(faults.join("\ntidegate: "));
    }
    let machine = Machine::decide(&args.metal)?;
    let shards = machine.shards();
    let max_connections =
        ground::connections_per_shard(ground::raise_open_files(), u64::from(shards), args.max_connections)?;
    let (driver, driver_reason) = ground::driver(args.metal.runtime, machine.places[0].ring)?;
    let proxy = args.proxy_listen.clone().unwrap_or_else(|| file.proxy.listen.to_string());
    let admin = args.admin_listen.clone().unwrap_or_else(|| file.admin.listen.to_string());
    let admin = listen::address(&admin, "--admin-listen")?;
    let is_open = matches!(file.admin.auth, tidegate_admin::api::auth::AdminAuth::None);
    if !admin.ip().is_loopback() && is_open && !args.insecure_admin {
        return Err(format!(
            "--admin-listen {admin} can be reached by others and asks for no authentication: listen on 127.0.0.1, set \
             admin.auth_method in the configuration file, or say --insecure-admin"
        ));
    }
    let proxy = listen::address(&proxy, "--proxy-listen")?;
    let test_server = match &file.test_server {
        Some(settings) => {
            Some(listen::one(listen::address(&settings.listen.to_string(), "test_server")?, "test_server")?)
        }
        None => None,
    };
    let data_dir = args.data_dir.clone().or_else(|| file.storage.dir.clone());
    Ok(Plan {
        proxy: listen::shared(proxy, &machine.accepting, "--proxy-listen")?,
        admin: listen::one(admin, "--admin-listen")?,
        data_dir: data_dir.unwrap_or_else(|| "tidegate-data".into()),
        args,
        file,
        machine,
        shards,
        driver,
        driver_reason,
        max_connections,
        test_server,
    })
}

fn start_logging(args: &Serve, file: &FileConfig) {
    use std::io::IsTerminal;
    let level = args.log_level.or_else(|| file.log.level.name().parse().ok()).unwrap_or(tracing::Level::INFO);
    let color = file
        .log
        .color
        .unwrap_or_else(|| std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // The consensus library tells of every step it takes; a person wants what went wrong.
    let filter = Targets::new().with_default(level).with_target("openraft", level.min(tracing::Level::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry();
    // Only fails when a subscriber is there already, which then stays.
    let _ = if args.log_json || file.log.json {
        registry.with(lines.json().flatten_event(true).with_filter(filter)).try_init()
    } else {
        registry.with(lines.with_ansi(color).with_filter(filter)).try_init()
    };
}

fn start_admin(
    plan: &mut Plan,
    inbox: tidegate_admin::Inbox,
    other_metrics: OtherMetrics,
) -> Result<AdminHandle, String> {
    let is_in_memory = plan.is_in_memory();
    let (args, file) = (&plan.args, &mut plan.file);
    let listener = plan.admin.try_clone().map_err(|error| error.to_string())?;
    let info = serde_json::json!({
        "shards": plan.shards,
        "cpus": plan.machine.cpus,
        "shard_cpu_node": plan.machine.mapping,
        "driver": plan.driver.name(),
        "driver_reason": plan.driver_reason,
        "max_connections_per_shard": plan.max_connections,
        "proxy": plan.proxy[0].local_addr().map(|address| address.to_string()).unwrap_or_default(),
    });
    let bodies = if args.max_body_bytes > 0 { Some(args.max_body_bytes) } else { file.proxy.max_body_bytes };
    let options = tidegate_admin::Options {
        memory_storage: is_in_memory,
        auth: file.admin.auth.clone(),
        allow_list: std::mem::take(&mut file.admin.allow_list),
        x_forwarded_for_depth: file.admin.x_forwarded_for_depth,
        watch_only: file.admin.watch_only,
        host_names: args.admin_host_names.clone(),
        metrics: !file.disable_metrics,
        other_metrics,
        proxy: file.proxy.settings.clone(),
        module_limits: ModuleLimits {
            cpu_ms: args.module_cpu_ms,
            memory_bytes: args.module_memory_bytes,
            stack_bytes: args.module_stack_bytes,
            body_bytes: args.module_body_bytes,
            fetches: args.module_fetches,
            timers: args.module_timers,
            pending: args.module_pending,
        },
        max_body_bytes: bodies.filter(|bytes| *bytes > 0).unwrap_or(u64::MAX),
        init: std::mem::take(&mut file.proxy.init),
        default_namespace: !file.disable_default_namespace,
        node_id: file.node_id.clone(),
        tags: file.tags.iter().chain(&args.tags).cloned().collect(),
        console_level: file.proxy.console_level,
        module_logs: tidegate_admin::ModuleLogBounds {
            lines: args.module_log_lines as usize,
            bytes: args.module_log_bytes,
            total_bytes: args.module_log_total_bytes,
        },
        scheduled_timeout: args.scheduled_timeout,
        resolve_interval: args.resolve_interval,
        version: env!("CARGO_PKG_VERSION"),
        runtime_info: info.to_string(),
        ..tidegate_admin::Options::new(plan.data_dir.clone(), listener, inbox)
    };
    tidegate_admin::start(options).map_err(|error| error.to_string())
}

fn start_shards(
    plan: &mut Plan,
    admin: &AdminHandle,
    to_admin: QueueWriter<ToAdmin>,
    recorder: Option<Started>,
    record_rules: &RecordRules,
) -> Result<Shards, String> {
    let (mut threads, mut inboxes, mut links) = (Vec::new(), Vec::new(), Vec::new());
    let (feeds, profiles, recorder) = match recorder {
        Some(started) => (started.feeds, started.profiles, Some(Watch::new(started.handle))),
        None => (Vec::new(), Vec::new(), None),
    };
    let (mut feeds, mut profiles) = (feeds.into_iter(), profiles.into_iter());
    let (tell, told) = mpsc::channel();
    let snapshot = admin.snapshot();
    let surroundings = surroundings::gather(&plan.admin, plan.args.fetch_ca_file.as_deref())?;
    let (mut wakes, mut sources) = (Vec::new(), Vec::new());
    for index in 0..plan.proxy.len() {
        let (wake, source) =
            wakeups().map_err(|error| format!("no socket pair for shard {index}: {error}"))?;
        wakes.push(wake);
        sources.push(source);
    }
    let ends = cache_mesh(&wakes).into_iter().zip(wakes).zip(sources);
    for ((index, listener), ((cache, wake), source)) in
        std::mem::take(&mut plan.proxy).into_iter().enumerate().zip(ends)
    {
        let (snapshots, newest) = tidegate_mailbox::slot(wake.clone());
        let (inbox, messages) = tidegate_mailbox::queue(SHARD_INBOX, wake);
        links.push(ShardLink { snapshots, inbox: inbox.clone() });
        inboxes.push(inbox);
        let (tell, place) = (tell.clone(), plan.machine.places[index]);
        let options = ShardOptions {
            index: index as u16,
            cpu: place.cpu,
            memory: place.memory,
            driver: plan.driver,
            ring: place.ring,
            limits: plan.args.limits(plan.max_connections),
            listener,
            snapshot: snapshot.clone(),
            snapshots: newest,
            messages,
            cache,
            wakeups: source,
            admin: to_admin.clone(),
            reader: admin.reader(),
            surroundings: surroundings.clone(),
            records: feeds.next().map(|feed| Box::new(feed) as Box<dyn RecordSink>),
            profile: Profiling {
                scopes: plan.args.scopes(),
                server_timing: plan.args.server_timing(),
                sink: profiles.next().map(|feed| Box::new(feed) as Box<dyn ProfileSink>),
            },
            record_rules: record_rules.clone(),
            started: Box::new(move |result| drop(tell.send(result))),
        };
        threads.push(spawn_shard(options).map_err(|error| format!("no thread for shard {index}: {error}"))?);
    }
    drop(tell);
    for _ in &threads {
        told.recv().map_err(|_| "a shard ended before it could say why".to_string())??;
    }
    admin.attach(links);
    Ok(Shards { threads, inboxes, recorder })
}
