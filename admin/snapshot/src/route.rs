//! What a configuration means once it is compiled: namespaces, routes, services and scripts, resolved and validated.
//! A snapshot is never changed after it was published; what did not change is shared with the one before it.

use crate::{DirectResponse, DomainTable, MethodSet, PathTree, ProxySettings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The number of a configuration: the Raft log index of the change that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// Everything a shard needs to serve requests. Handed over whole; newest wins.
#[derive(Debug)]
pub struct Snapshot {
    /// Log index of the newest change in it.
    pub revision: Revision,
    /// Counts publications of this process, also those without a change (a refreshed DNS answer). Acknowledged by
    /// the shards; strictly increasing.
    pub generation: u64,
    /// Proxy-wide rules.
    pub settings: Arc<ProxySettings>,
    /// Host to namespace.
    pub domains: DomainTable,
    /// The namespaces; `DomainTable` answers indexes into this list.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Upper bound (exclusive) of the route slots in use.
    pub route_slots: u32,
    /// Upper bound (exclusive) of the service slots in use.
    pub service_slots: u32,
    /// The scripts by their slots, so that a shard finds what became of one that it has loaded; `None` where a slot is
    /// free, or its script cannot be built.
    pub scripts: Box<[Option<Arc<Script>>]>,
}

/// One tenant's routes, ready to be searched.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: Arc<str>,
    /// JSON text of the namespace as the admin API shows it, for modules.
    pub description: Arc<str>,
    /// Path and method to route.
    pub routes: PathTree<Arc<Route>>,
}

/// A route: what matched and what happens then. Among thousands of routes it is cold whenever it is asked for: what every
/// request reads stands together, on one line of memory.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Route {
    /// `namespace/name`; the same `Arc` for as long as the route exists, through all its changes.
    pub key: Arc<str>,
    /// Where requests go; `None` for a route that only its script answers.
    pub service: Option<Arc<Service>>,
    /// What it answers by itself; then it has neither service nor modules.
    pub response: Option<Arc<DirectResponse>>,
    /// The modules; `None` costs nothing.
    pub pipeline: Option<Arc<Pipeline>>,
    /// Largest request body in bytes.
    pub max_body_bytes: u64,
    /// Dense index for per-shard state. Reused after the route is gone: compare `key` by pointer.
    pub slot: u32,
    /// Send the client's Host upstream instead of the endpoint's authority.
    pub preserve_host: bool,
    /// Remove what the pattern matched before its rest (`dgate.md`, Routing).
    pub strip_path: bool,
    /// Accept and forward `%2F` in the path; refused with 400 otherwise.
    pub allow_encoded_slash: bool,
    /// The namespace's name.
    pub namespace: Arc<str>,
    /// JSON text of the route as the admin API shows it, for modules.
    pub description: Arc<str>,
    /// Methods it answers.
    pub methods: MethodSet,
}

/// A service: endpoints and how to call them. What every request reads stands together, as in [`Route`].
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Service {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// Bound on establishing a connection.
    pub connect_timeout: Duration,
    /// Bound on the whole exchange with the upstream, retries and pauses included, until the response's head.
    pub request_timeout: Duration,
    /// Dense index for per-shard state. Reused after the service is gone: compare `key` by pointer.
    pub slot: u32,
    /// Do not add the gateway's own response fields (`Via`, `X-Tidegate-*`).
    pub hide_gateway_headers: bool,
    /// Do not forward the query.
    pub disable_query_params: bool,
    /// `namespace/name`; the same `Arc` for as long as the service exists.
    pub key: Arc<str>,
    /// JSON text of the service as the admin API shows it, for modules.
    pub description: Arc<str>,
    /// Attempts after the first.
    pub retries: u32,
    /// Pause before each retry.
    pub retry_wait: Duration,
}

/// One upstream address as a url named it, with what its name resolved to.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub struct Endpoint {
    /// `host[:port]` as it stands in the Host field (port only when the url has one).
    pub authority: Box<[u8]>,
    /// Path of the url without a trailing slash; empty for none. Canonical.
    pub base_path: Box<[u8]>,
    /// Query of the url, put before the request's own.
    pub query: Option<Box<[u8]>>,
    /// Resolved addresses in the resolver's order; empty while the name does not resolve.
    pub addresses: Box<[SocketAddr]>,
    /// The url as written, for messages.
    pub url: Arc<str>,
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(Route, namespace) <= 64 && offset_of!(Service, key) <= 64);
    assert!(offset_of!(Endpoint, url) <= 64);
};

/// Which of the five functions a route's modules export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptFunctions {
    /// `fetchUpstream`
    pub fetch_upstream: bool,
    /// `requestModifier`
    pub request_modifier: bool,
    /// `responseModifier`
    pub response_modifier: bool,
    /// `requestHandler`
    pub request_handler: bool,
    /// `errorHandler`
    pub error_handler: bool,
}

/// The modules of a route, in list order.
#[derive(Debug)]
pub struct Pipeline {
    /// At least one. Each runs at most one module for a request.
    pub stages: Box<[Stage]>,
    /// What any of them exports.
    pub functions: ScriptFunctions,
}

/// One place in a pipeline: the first variant whose conditions hold and whose share takes the request is run; none may be.
#[derive(Debug)]
pub struct Stage {
    /// At least one. Versions of one module that stand in the same list are variants of one stage.
    pub variants: Box<[Variant]>,
}

/// A module and the traffic it gets.
#[derive(Debug)]
pub struct Variant {
    /// What is run.
    pub script: Arc<Script>,
    /// All must hold.
    pub when: Box<[Condition]>,
    /// The part of the traffic; `None` is all of it.
    pub share: Option<Share>,
}

/// A part of the traffic, the same requests every time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Of a million.
    pub parts_per_million: u32,
    /// Whose requests stay together.
    pub sticky: Sticky,
    /// Differs from variant to variant, so that not always the same clients are the guinea pigs.
    pub salt: u64,
}

/// What decides to which part of the traffic a request belongs. A request without the field or cookie goes by its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sticky {
    /// The client's address.
    Client,
    /// A header field, name in lower case.
    Header(Box<[u8]>),
    /// A cookie.
    Cookie(Box<[u8]>),
}

/// A condition on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// It must not hold.
    pub is_negated: bool,
    /// What is looked at.
    pub subject: Subject,
    /// What it must be; `None`: that it is there is enough.
    pub value: Option<Box<[u8]>>,
}

/// What a [`Condition`] looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A header field, name in lower case; any of its values.
    Header(Box<[u8]>),
    /// A cookie.
    Cookie(Box<[u8]>),
    /// A parameter of the query, decoded.
    Query(Box<[u8]>),
    /// The method.
    Method,
    /// The path begins with the value.
    PathPrefix,
}

/// A module graph as a route runs it: the entry first. Routes with the same modules share one script.
#[derive(Debug)]
pub struct Script {
    /// Dense index for per-shard state. Reused: compare by `Arc` pointer of the script itself; a changed module is
    /// a new `Script`.
    pub slot: u32,
    /// `namespace/entry`, for logs and metrics.
    pub key: Arc<str>,
    /// The modules' namespace, which is what `state` reads and writes.
    pub namespace: Arc<str>,
    /// The graph, entry first, closed under imports.
    pub modules: Box<[ModuleCode]>,
    /// What the entry exports.
    pub functions: ScriptFunctions,
    /// Budget of each call.
    pub limits: ModuleLimits,
    /// What it may reach, as `tidegate_js::Grants` reads it.
    pub permissions: Arc<[Box<str>]>,
}

/// One compiled module. The bytecode was made by this process, never read from outside.
#[derive(Debug, Clone)]
pub struct ModuleCode {
    /// Name within the namespace.
    pub name: Arc<str>,
    /// Engine bytecode.
    pub bytecode: Arc<[u8]>,
    /// The engine's position map back to the source the user wrote.
    pub source_map: Arc<[u8]>,
}

/// Bounds of a module call; see `tidegate_js::Limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleLimits {
    /// CPU time of one call in milliseconds.
    pub cpu_ms: u32,
    /// Heap of one runtime (all concurrent calls of this script on one shard) in bytes.
    pub memory_bytes: usize,
    /// Stack in bytes.
    pub stack_bytes: usize,
    /// Largest body a module may collect, in bytes.
    pub body_bytes: usize,
    /// `fetch` calls at once per request.
    pub fetches: u32,
    /// Timers at once per request.
    pub timers: u32,
    /// Other operations (bodies, writes, sleeps) at once per request.
    pub pending: u32,
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            cpu_ms: 10,
            memory_bytes: 32 << 20,
            stack_bytes: 256 << 10,
            body_bytes: 8 << 20,
            fetches: 16,
            timers: 64,
            pending: 64,
        }
    }
}
