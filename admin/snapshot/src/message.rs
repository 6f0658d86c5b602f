//! The messages of the mailboxes. Snapshots do not travel here: each shard has a newest-wins slot for them.

use crate::{
    CacheUpdate, CacheValue, DocumentWrite, IntervalProfile, JobOrder, JobReport, ProfileOrder, ShardReport,
};
use std::sync::Arc;

/// From a shard to the admin.
#[derive(Debug)]
pub enum ToAdmin {
    /// The shard runs the snapshot of this generation.
    Installed {
        /// Index of the shard.
        shard: u16,
        /// `Snapshot::generation`.
        generation: u64,
    },
    /// A module writes state; answered by [`ToShard::Written`] with the same ticket.
    Write {
        /// Index of the shard.
        shard: u16,
        /// Chosen by the shard.
        ticket: u64,
        /// The module's namespace.
        namespace: Arc<str>,
        /// What to write.
        write: DocumentWrite,
    },
    /// A module reads or changes a value of the cluster's cache; answered by [`ToShard::Cached`] with the same ticket.
    Cache {
        /// Index of the shard.
        shard: u16,
        /// Chosen by the shard.
        ticket: u64,
        /// The module's namespace.
        namespace: Arc<str>,
        /// Which value.
        key: String,
        /// What to do.
        update: CacheUpdate,
    },
    /// A module's `fetchUpstream` or `fetch` named a host that no service has; answered by [`ToShard::Resolved`].
    Resolve {
        /// Index of the shard.
        shard: u16,
        /// Chosen by the shard.
        ticket: u64,
        /// Host name, lower case.
        host: String,
        /// Port, copied into the addresses.
        port: u16,
    },
    /// How a run ended that [`ToShard::Run`] had ordered.
    Ran(Box<JobReport>),
    /// What was counted since the last report.
    Report(Box<ShardReport>),
    /// The latency profile of an interval.
    Profile(Arc<IntervalProfile>),
    /// Something worth a log line.
    Event(Box<Event>),
    /// The shard has closed its listener and finished its requests.
    Drained {
        /// Index of the shard.
        shard: u16,
    },
}

/// From the admin (or the process) to a shard.
#[derive(Debug)]
pub enum ToShard {
    /// The outcome of a [`ToAdmin::Write`]: JSON text of what was written, or a sentence.
    Written {
        /// The shard's ticket.
        ticket: u64,
        /// JSON text, or why not.
        outcome: Result<String, String>,
    },
    /// The outcome of a [`ToAdmin::Cache`]: its answer, or a sentence.
    Cached {
        /// The shard's ticket.
        ticket: u64,
        /// The answer, or why not.
        outcome: Result<Option<CacheValue>, String>,
    },
    /// The outcome of a [`ToAdmin::Resolve`]: at least one address, or a sentence.
    Resolved {
        /// The shard's ticket.
        ticket: u64,
        /// Addresses in the resolver's order.
        outcome: Result<Vec<std::net::SocketAddr>, String>,
    },
    /// Run a job of a module; answered by [`ToAdmin::Ran`].
    Run(Box<JobOrder>),
    /// What is wanted of the latency profile. The newest such message counts.
    Profile(ProfileOrder),
    /// Close the listener, finish what is in flight, then say [`ToAdmin::Drained`] and end.
    Drain,
}

/// How loud an [`Event`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventLevel {
    /// For debugging.
    Debug,
    /// Worth knowing.
    Info,
    /// Something was refused or cut.
    Warn,
    /// Something is broken.
    Error,
}

/// Whether an [`Event`] belongs into its module's log, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It does not: it is for whoever runs the gateway.
    Gateway,
    /// The module wrote it.
    Console,
    /// The module failed: uncaught, or a rejection that nobody handled.
    Error,
    /// A limit was hit.
    Limit,
    /// A scheduled run came to its end.
    Scheduled,
}

/// A log line that a shard hands to the admin, who writes it; a shard never writes a file. Bounded and droppable.
#[derive(Debug, Clone)]
pub struct Event {
    /// Index of the shard.
    pub shard: u16,
    /// Whether it belongs into its module's log.
    pub kind: EventKind,
    /// How loud.
    pub level: EventLevel,
    /// Stable snake_case name of what happened: `header_timeout`, `module_error`, `console`.
    pub what: &'static str,
    /// `namespace/route`, where one is known.
    pub route: Option<Arc<str>>,
    /// `namespace/module` of the script that ran, for console lines and module errors: whose log it belongs into.
    pub module: Option<Arc<str>>,
    /// Name of the module of that script that wrote it, where it is another than the entry.
    pub source: Option<Box<str>>,
    /// The function that ran: `requestModifier`, `scheduled`.
    pub function: Option<&'static str>,
    /// Id of the exchange, as the module's `ctx.id` shows it.
    pub request_id: Option<Box<str>>,
    /// The client's address without port, where one is known.
    pub client: Option<std::net::IpAddr>,
    /// Text for a person; already free of control characters and secrets.
    pub text: String,
    /// Frames of a stack in the positions of the source, one a line, innermost first; empty for none.
    pub stack: String,
}

impl Event {
    /// An event that is about nothing but its shard.
    pub fn new(shard: u16, level: EventLevel, what: &'static str, text: String) -> Self {
        Self {
            shard,
            kind: EventKind::Gateway,
            level,
            what,
            route: None,
            module: None,
            source: None,
            function: None,
            request_id: None,
            client: None,
            text,
            stack: String::new(),
        }
    }
}
