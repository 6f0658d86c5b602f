//! Birth and death of the admin thread: store, Raft, the file's resources, the first snapshot, the API; and back. It
//! returns to the process only when there is something to serve, or with the reason why there is not.

use super::counting::Counting;
use super::events::EventLog;
use super::handle::AdminHandle;
use super::node::{Facts, Node, Progress};
use super::options::{Options, StartError};
use super::pass::{Tools, Workshop};
use super::publisher::Publisher;
use super::run::{Actor, Order};
use super::scratch::Scratch;
use super::seed::{self, SeedError};
use super::writes::Writes;
use crate::api::{self, ApiSettings, ApiState};
use crate::change::Outcome;
use crate::compile::Defaults;
use crate::invalid::Invalid;
use crate::module_log::ModuleLogs;
use crate::profile::Profiles;
use crate::raft::{Cluster, ClusterConfig, NodeState};
use crate::resolver::{self, Pace, Resolver};
use crate::resource::{NodeTags, ResourceRules};
use crate::schedule::{News, Recorder, Schedule, Scheduler, Teller, wall_clock};
use crate::store::Store;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc as std_mpsc};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// How long requests to the API may take to end when it stops.
const API_ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long blocking work may take to end then.
const WORK_ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How much less important the admin's threads are than the shards' (setpriority(2)).
const NICENESS: libc::c_int = 5;
/// Raft's id of a node that is alone. What people call the node is `Options::node_id`.
const NODE: u64 = 1;

type Started = Result<(Arc<Node>, Store), StartError>;

/// Starts the admin thread and returns when the first snapshot is there.
pub fn start(options: Options) -> Result<AdminHandle, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (orders, received) = mpsc::unbounded_channel();
    let (tell, told) = std_mpsc::sync_channel::<Started>(1);
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        give_way();
        let scratch = match options.memory_storage.then(Scratch::new).transpose() {
            Ok(scratch) => scratch,
            Err(e) => return drop(tell.send(Err(e.into()))),
        };
        runtime.block_on(live(options, scratch.as_ref(), received, tell));
        // The store closes with the last task that holds it; only then may its folder go.
        runtime.shutdown_timeout(WORK_ENDS_WITHIN);
        drop(scratch);
    })?;
    match told.recv() {
        Ok(Ok((node, store))) => Ok(AdminHandle::new(node, store, orders, thread)),
        Ok(Err(error)) => {
            let _ = thread.join();
            Err(error)
        }
        Err(_) => {
            let _ = thread.join();
            Err(StartError::Io(std::io::Error::other("the admin thread panicked while it started")))
        }
    }
}

/// Lets shards that share a core with the admin's threads go first: those that come later inherit it. A node that is
/// busy still gives the admin a fair part of a core.
fn give_way() {
    // SAFETY: a call that takes and gives numbers; of a thread (0 is the caller's), as Linux does it.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) } != 0 {
        tracing::debug!(error = %std::io::Error::last_os_error(), "the admin thread is as important as the shards");
    }
}

async fn live(
    options: Options,
    scratch: Option<&Scratch>,
    orders: mpsc::UnboundedReceiver<Order>,
    tell: std_mpsc::SyncSender<Started>,
) {
    match Plane::open(options, scratch, orders).await {
        Err(error) => drop(tell.send(Err(error))),
        Ok(plane) => {
            let _ = tell.send(Ok((plane.node.clone(), plane.store.clone())));
            drop(tell);
            plane.run().await;
        }
    }
}

/// Everything that runs on the admin thread.
struct Plane {
    node: Arc<Node>,
    store: Store,
    cluster: Cluster,
    actor: Actor,
    workshop: Workshop,
    api: axum::Router,
    listener: TcpListener,
    module_logs: Arc<ModuleLogs>,
}

impl Plane {
    async fn open(
        options: Options,
        scratch: Option<&Scratch>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Result<Self, StartError> {
        options.listener.set_nonblocking(true)?;
        let address = options.listener.local_addr()?;
        let listener = TcpListener::from_std(options.listener)?;
        let dir = scratch.map_or(options.data_dir, |scratch| scratch.path().to_owned());
        let store = tokio::task::spawn_blocking(move || Store::open(&dir))
            .await
            .map_err(|e| StartError::Io(std::io::Error::other(e)))??;
        let config = ClusterConfig::new(NODE, "tidegate", address.to_string());
        let cluster = Cluster::start(store.clone(), Arc::new(ResourceRules::default()), config).await?;
        write_seed(&store, &cluster, options.init, options.default_namespace).await?;

        let info = describe(&options.runtime_info, &options.node_id, &options.tags);
        let node = Arc::new(Node::new(info));
        let metrics = Arc::default();
        let profiles = Arc::<Profiles>::default();
        let module_logs = Arc::new(ModuleLogs::new(options.module_logs));
        let pace = Pace { interval: options.resolve_interval.max(Duration::from_secs(1)), ..Pace::default() };
        let resolver = Resolver::new(resolver::system(), pace);
        tokio::spawn(resolver.clone().run());
        let tools = Tools {
            store: store.clone(),
            resolver: resolver.clone(),
            defaults: Defaults {
                settings: Arc::new(options.proxy),
                module_limits: options.module_limits,
                max_body_bytes: options.max_body_bytes,
                default_namespace: options.default_namespace,
                tags: NodeTags::new(options.tags),
            },
            metrics: Arc::clone(&metrics),
            module_logs: module_logs.clone(),
            profiles: Arc::clone(&profiles),
        };
        let names = resolver.changes();
        let applied = cluster.applied();
        let (workshop, outcome) = Workshop::new(tools.clone(), 0).pass().await;
        let broken = |why: String| StartError::Io(std::io::Error::other(why));
        let outcome = outcome.map_err(broken)?;
        let first = outcome.snapshot.ok_or_else(|| broken("the first pass made no snapshot".into()))?;
        let workshop = workshop.unwrap_or_else(|| Workshop::new(tools.clone(), first.generation));
        node.set_snapshot(first.clone());
        node.set_progress(Progress { live: outcome.revision, ..Progress::default() });
        let settings = ApiSettings {
            auth: options.auth,
            allow_list: options.allow_list,
            x_forwarded_for_depth: options.x_forwarded_for_depth,
            watch_only: options.watch_only,
            host_names: options.host_names,
            default_namespace: options.default_namespace,
            metrics: options.metrics,
            other_metrics: options.other_metrics,
            version: options.version.into(),
            module_limits: options.module_limits,
            ..ApiSettings::default()
        };
        let (events, told) = mpsc::unbounded_channel();
        let clock = wall_clock();
        let teller = Teller { events, metrics: Arc::clone(&metrics) };
        let recorder = Recorder::new(cluster.clone(), clock.clone());
        let schedule = Schedule::start(Scheduler::new(recorder, teller, clock, options.scheduled_timeout));
        schedule.tell(News::Planned(outcome.planned.unwrap_or_default()));
        let state = ApiState::new(
            store.clone(),
            cluster.clone(),
            node.clone(),
            metrics,
            module_logs.clone(),
            settings,
        )
        .with_schedule(schedule.clone())
        .with_profiles(Arc::clone(&profiles));
        let facts = Facts {
            compiled: outcome.revision,
            problems: outcome.problems,
            compile: outcome.took,
            ..Facts::default()
        };
        let actor = Actor {
            node: node.clone(),
            publisher: Publisher::new(first, outcome.revision),
            inbox: options.inbox,
            orders,
            applied,
            names,
            events: EventLog::new(options.console_level),
            schedule,
            told,
            writes: Writes::new(cluster.clone(), node.clone()),
            counting: Counting::new(cluster.clone()),
            profiles,
            tools,
            facts,
            failure: None,
        };
        Ok(Self { node, store, cluster, actor, workshop, api: api::router(state), listener, module_logs })
    }

    /// Serves until the process says stop.
    async fn run(self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let service = self.api.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        let serving = tokio::spawn(serving.into_future());
        self.actor.run(self.workshop).await;
        let _ = stop.send(());
        self.module_logs.close();
        // A client that keeps its connection must not keep the process.
        if tokio::time::timeout(API_ENDS_WITHIN, serving).await.is_err() {
            tracing::debug!("requests to the admin API were cut off");
        }
        self.cluster.shutdown().await;
    }
}

/// Writes the configuration file's resources, if they differ from what is stored.
async fn write_seed(
    store: &Store,
    cluster: &Cluster,
    init: crate::config::InitResources,
    default_namespace: bool,
) -> Result<(), StartError> {
    if init.items.is_empty() {
        return Ok(());
    }
    if cluster.status().state != NodeState::Leader {
        tracing::info!("this node does not lead the cluster: init_resources are the leader's to write");
        return Ok(());
    }
    let state = store.clone();
    let change = tokio::task::spawn_blocking(move || seed::change(&state, &init, default_namespace))
        .await
        .map_err(|e| StartError::Io(std::io::Error::other(e)))?;
    let change = change.map_err(|e| match e {
        SeedError::Invalid(faults) => StartError::Invalid(faults),
        SeedError::Store(e) => StartError::Store(e),
    })?;
    let Some(change) = change else { return Ok(()) };
    let count = change.ops.len();
    match cluster.propose(change).await? {
        Outcome::Applied { index, .. } => {
            tracing::info!(revision = index, count, "init_resources were written");
            Ok(())
        }
        Outcome::Rejected { faults } => Err(StartError::Invalid(
            faults
                .into_iter()
                .map(|f| Invalid::new(format!("proxy.init_resources {}", f.at), f.why))
                .collect(),
        )),
    }
}

/// The process's description with what the node is called.
fn describe(info: &str, node_id: &str, tags: &[String]) -> serde_json::Value {
    let parsed = serde_json::from_str(info).ok().filter(serde_json::Value::is_object);
    let mut info = parsed.unwrap_or_else(|| serde_json::json!({}));
    info["node"] = serde_json::json!({ "name": node_id, "tags": tags });
    info
}
