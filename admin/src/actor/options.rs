//! What the admin plane has to be told to start, and why it may not.

use super::inbox::Inbox;
use crate::api::auth::AdminAuth;
use crate::config::InitResources;
use crate::invalid::Invalid;
use crate::metrics::OtherMetrics;
use crate::module_log::Bounds as ModuleLogBounds;
use crate::raft::ClusterError;
use crate::store::StoreError;
use ipnet::IpNet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;
use tidegate_snapshot::{EventLevel, ModuleLimits, ProxySettings};

/// Everything that [`super::start`] needs.
#[derive(Debug)]
pub struct Options {
    /// Where the state is kept; made if it is not there. Not used with `memory_storage`.
    pub data_dir: PathBuf,
    /// Keep the state in a fresh folder that is removed at the end.
    pub memory_storage: bool,
    /// The admin API's listener, bound already.
    pub listener: TcpListener,
    /// What callers have to show.
    pub auth: AdminAuth,
    /// Networks that may call; empty lets everybody.
    pub allow_list: Vec<IpNet>,
    /// How many proxies in front of the admin API are trusted.
    pub x_forwarded_for_depth: u32,
    /// Refuse writes over the API.
    pub watch_only: bool,
    /// Serve `/metrics`.
    pub metrics: bool,
    /// What it shows besides: figures of parts of the process that this one does not know.
    pub other_metrics: OtherMetrics,
    /// Host names of the admin API besides addresses and `localhost`.
    pub host_names: Vec<String>,
    /// Rules of the whole proxy.
    pub proxy: ProxySettings,
    /// Bounds of every module call.
    pub module_limits: ModuleLimits,
    /// Largest request body of a route that does not say.
    pub max_body_bytes: u64,
    /// The configuration file's resources.
    pub init: InitResources,
    /// There is a namespace `default` that resources fall into.
    pub default_namespace: bool,
    /// Name of this node, for people.
    pub node_id: String,
    /// Tags of this node, `name` or `name:data`: what resources choose nodes by.
    pub tags: Vec<String>,
    /// Least loud console line of modules that is written.
    pub console_level: EventLevel,
    /// How much of modules' logs is kept.
    pub module_logs: ModuleLogBounds,
    /// A scheduled run of a module is cancelled after this.
    pub scheduled_timeout: Duration,
    /// Between two look-ups of an endpoint's name.
    pub resolve_interval: Duration,
    /// Where the shards' messages arrive.
    pub inbox: Inbox,
    /// Version of the process.
    pub version: &'static str,
    /// The process's own description, a JSON object as text.
    pub runtime_info: String,
}

impl Options {
    /// What a configuration file without a word means, for the parts that have no default.
    pub fn new(data_dir: PathBuf, listener: TcpListener, inbox: Inbox) -> Self {
        Self {
            data_dir,
            memory_storage: false,
            listener,
            auth: AdminAuth::None,
            allow_list: Vec::new(),
            x_forwarded_for_depth: 0,
            watch_only: false,
            metrics: true,
            other_metrics: OtherMetrics::default(),
            host_names: Vec::new(),
            proxy: ProxySettings { https_port: 443, ..ProxySettings::default() },
            module_limits: ModuleLimits::default(),
            max_body_bytes: 32 << 20,
            init: InitResources::default(),
            default_namespace: true,
            node_id: String::new(),
            tags: Vec::new(),
            console_level: EventLevel::Info,
            module_logs: ModuleLogBounds::default(),
            scheduled_timeout: Duration::from_secs(60),
            resolve_interval: Duration::from_secs(30),
            inbox,
            version: env!("CARGO_PKG_VERSION"),
            runtime_info: "{}".into(),
        }
    }
}

/// Why the admin plane did not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration file's resources break rules: every fault, with its path in the file.
    Invalid(Vec<Invalid>),
    /// The data folder cannot be used.
    Store(StoreError),
    /// Raft cannot run.
    Cluster(ClusterError),
    /// The operating system refused something.
    Io(std::io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(faults) => {
                f.write_str("the configured resources cannot be used:")?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
            Self::Store(e) => e.fmt(f),
            Self::Cluster(e) => e.fmt(f),
            Self::Io(e) => write!(f, "the admin plane cannot start: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StoreError> for StartError {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl From<ClusterError> for StartError {
    fn from(e: ClusterError) -> Self {
        Self::Cluster(e)
    }
}

impl From<std::io::Error> for StartError {
    fn from(e: std::io::Error) -> Self {
        Self::Io(e)
    }
}
