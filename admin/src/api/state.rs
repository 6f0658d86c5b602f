//! What the endpoints work with: the store, the cluster, the running shards, the counters, and the settings from the
//! configuration file.

use super::auth::AdminAuth;
use super::live::Live;
use crate::metrics::{OtherMetrics, Registry};
use crate::module_log::ModuleLogs;
use crate::profile::Profiles;
use crate::raft::Cluster;
use crate::resource::ModuleChecker;
use crate::schedule::Schedule;
use crate::store::Store;
use ipnet::IpNet;
use std::sync::{Arc, Mutex};
use tidegate_snapshot::ModuleLimits;
use tokio::sync::RwLock;

/// Settings of the admin API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// What callers have to show.
    pub auth: AdminAuth,
    /// Networks that may call; empty lets everybody.
    pub allow_list: Vec<IpNet>,
    /// How many proxies in front of the admin API are trusted with `X-Forwarded-For`.
    pub x_forwarded_for_depth: u32,
    /// Refuse every write.
    pub watch_only: bool,
    /// Host names under which the API is reached, besides addresses, `localhost` and names without a dot.
    pub host_names: Vec<String>,
    /// Whether what names no namespace falls into `default`.
    pub default_namespace: bool,
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// What it shows besides.
    pub other_metrics: OtherMetrics,
    /// Scheme of the other nodes' admin API, for redirects to the leader.
    pub scheme: String,
    /// Version of the process.
    pub version: String,
    /// Bounds of the calls of a module that does not say.
    pub module_limits: ModuleLimits,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            auth: AdminAuth::None,
            allow_list: Vec::new(),
            x_forwarded_for_depth: 0,
            watch_only: false,
            host_names: Vec::new(),
            default_namespace: true,
            metrics: true,
            other_metrics: OtherMetrics::default(),
            scheme: "http".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            module_limits: ModuleLimits::default(),
        }
    }
}

/// The API's state; clones are the same.
#[derive(Clone)]
pub struct ApiState {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) cluster: Cluster,
    pub(crate) live: Arc<dyn Live>,
    pub(crate) metrics: Arc<Mutex<Registry>>,
    pub(crate) module_logs: Arc<ModuleLogs>,
    pub(crate) profiles: Arc<Profiles>,
    pub(crate) modules: ModuleChecker,
    pub(crate) settings: ApiSettings,
    /// The node's scheduler, where there is one.
    pub(crate) schedule: Option<Schedule>,
    /// Held shared by writes of documents, which only the rules check, and alone by every other write, because their
    /// checks against the state must still hold when they are proposed.
    pub(crate) writing: RwLock<()>,
}

impl ApiState {
    /// Puts the parts together.
    pub(crate) fn new(
        store: Store,
        cluster: Cluster,
        live: Arc<dyn Live>,
        metrics: Arc<Mutex<Registry>>,
        module_logs: Arc<ModuleLogs>,
        settings: ApiSettings,
    ) -> Self {
        let inner = Inner {
            store,
            cluster,
            live,
            metrics,
            module_logs,
            profiles: Arc::default(),
            modules: ModuleChecker::default(),
            settings,
            schedule: None,
            writing: RwLock::new(()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same with the node's scheduler. To be called before the state is shared.
    pub(crate) fn with_schedule(mut self, schedule: Schedule) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.schedule = Some(schedule);
        }
        self
    }

    /// The same with what shards tell of their latencies. To be called before the state is shared.
    pub(crate) fn with_profiles(mut self, profiles: Arc<Profiles>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.profiles = profiles;
        }
        self
    }
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
