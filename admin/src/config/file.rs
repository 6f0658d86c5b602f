//! What a configuration file means: every value resolved and typed, defaults filled in. It never shows a secret when it
//! is printed.

use super::init::InitResources;
use crate::api::auth::AdminAuth;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use tidegate_snapshot::{EventLevel, ProxySettings};

/// A whole configuration file. `Default` is what an empty file means.
#[derive(Debug, Clone, Default)]
pub struct FileConfig {
    /// How the process logs.
    pub log: LogConfig,
    /// DGate's debug switch.
    pub debug: bool,
    /// Name of this node, empty if the file gives none.
    pub node_id: String,
    /// Tags of this node.
    pub tags: Vec<String>,
    /// Serve no metrics.
    pub disable_metrics: bool,
    /// There is no namespace `default` that resources fall into.
    pub disable_default_namespace: bool,
    /// Where the state is kept.
    pub storage: StorageConfig,
    /// The proxy.
    pub proxy: ProxyConfig,
    /// The admin API.
    pub admin: AdminConfig,
    /// The echo server, where one is wanted.
    pub test_server: Option<TestServerConfig>,
    /// What the section `tidegate:` and the transport keys that we act on say: names of flags (snake_case) to values.
    pub tuning: BTreeMap<String, String>,
}

/// How the process logs.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The least loud level that is written.
    pub level: LogLevel,
    /// JSON lines instead of text.
    pub json: bool,
    /// Colours, if the file says; else the terminal decides.
    pub color: Option<bool>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info, json: false, color: None }
    }
}

/// Levels of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// For debugging.
    Debug,
    /// The default.
    Info,
    /// Only what went wrong or was cut.
    Warn,
    /// Only what is broken.
    Error,
}

impl LogLevel {
    /// By the names that DGate's loggers know.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "trace" => Some(Self::Trace),
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" | "dpanic" | "panic" | "fatal" => Some(Self::Error),
            _ => None,
        }
    }

    /// The same for the lines that shards hand over, which have no `trace`.
    pub(super) fn of_events(self) -> EventLevel {
        match self {
            Self::Trace | Self::Debug => EventLevel::Debug,
            Self::Info => EventLevel::Info,
            Self::Warn => EventLevel::Warn,
            Self::Error => EventLevel::Error,
        }
    }

    /// Its name as `tracing` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where the state is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageConfig {
    /// Nothing outlives the process.
    pub memory: bool,
    /// The data folder, as written; relative to the working directory.
    pub dir: Option<PathBuf>,
}

/// An address to listen on.
#[derive(Clone, PartialEq, Eq)]
pub struct Listen {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The proxy.
#[derive(Debug, Clone)]
pub struct ProxyConfig {
    /// Where clients connect.
    pub listen: Listen,
    /// The least loud console line of modules that is written.
    pub console_level: EventLevel,
    /// The rules that travel with every snapshot.
    pub settings: ProxySettings,
    /// Largest request body of a route that does not say its own, bytes.
    pub max_body_bytes: Option<u64>,
    /// What is created at start.
    pub init: InitResources,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            listen: Listen { host: "127.0.0.1".into(), port: 8080 },
            console_level: EventLevel::Info,
            settings: ProxySettings { https_port: 443, ..ProxySettings::default() },
            max_body_bytes: None,
            init: InitResources::default(),
        }
    }
}

/// The admin API.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where it is served.
    pub listen: Listen,
    /// Who may call it; empty for everybody who can reach it.
    pub allow_list: Vec<IpNet>,
    /// How many proxies in front of it are trusted.
    pub x_forwarded_for_depth: u32,
    /// Refuse writes.
    pub watch_only: bool,
    /// What a caller has to show.
    pub auth: AdminAuth,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: Listen { host: "127.0.0.1".into(), port: 9080 },
            allow_list: Vec::new(),
            x_forwarded_for_depth: 0,
            watch_only: false,
            auth: AdminAuth::default(),
        }
    }
}

/// The echo server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestServerConfig {
    /// Where it listens.
    pub listen: Listen,
    /// Fields of every answer: name, value.
    pub global_headers: Vec<(String, String)>,
}
