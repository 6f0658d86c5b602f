//! Every endpoint once: the router and the OpenAPI document are both made of this table, so that neither can know a path
//! that the other does not.

use super::call::Call;
use super::refusal::Refusal;
use super::{changelog, cluster, documents, health, insight, profile, resources, schedule};
use crate::change::Kind;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type Serving = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What a body or an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing.
    Nothing,
    /// The envelope around nothing.
    Empty,
    /// A resource of a kind.
    One(Kind),
    /// Resources of a kind.
    Many(Kind),
    /// Any JSON.
    Any,
    /// `name` and `namespace` of a resource.
    Named,
    /// A node's address.
    Address,
    /// JSON that is not in the envelope.
    Plain,
    /// Text.
    Text,
    /// Entries of a module's log: in the envelope, or one a line when they are followed.
    Entries,
    /// A latency profile: in the envelope, or lines when it is followed.
    Profile,
}

/// One method of one path.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// With `{name}` for parameters, as axum and OpenAPI both write it.
    pub(crate) path: String,
    pub(crate) summary: String,
    pub(crate) tag: &'static str,
    /// Parameters of the query: name, and whether it must be there.
    pub(crate) query: &'static [(&'static str, bool)],
    pub(crate) body: Shape,
    pub(crate) status: StatusCode,
    pub(crate) answer: Shape,
    pub(crate) serve: Arc<dyn Fn(Call) -> Serving + Send + Sync>,
}

impl Endpoint {
    fn new<F>(
        method: Method,
        path: impl Into<String>,
        serve: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Response, Refusal>> + Send + 'static,
    {
        Self {
            method,
            path: path.into(),
            summary: String::new(),
            tag: "node",
            query: &[],
            body: Shape::Nothing,
            status: StatusCode::OK,
            answer: Shape::Plain,
            serve: Arc::new(move |call| {
                let serving = serve(call);
                Box::pin(async move { serving.await.unwrap_or_else(IntoResponse::into_response) })
            }),
        }
    }

    fn about(mut self, tag: &'static str, summary: impl Into<String>) -> Self {
        (self.tag, self.summary) = (tag, summary.into());
        self
    }

    fn asks(mut self, query: &'static [(&'static str, bool)]) -> Self {
        self.query = query;
        self
    }

    fn takes(mut self, body: Shape) -> Self {
        self.body = body;
        self
    }

    fn gives(mut self, status: StatusCode, answer: Shape) -> Self {
        (self.status, self.answer) = (status, answer);
        self
    }
}

const NAMESPACE: &[(&str, bool)] = &[("namespace", false)];
const COLLECTION: &[(&str, bool)] = &[("namespace", false), ("collection", true)];
const LOGS: &[(&str, bool)] = &[("limit", false), ("level", false), ("since", false), ("follow", false)];
const PROFILE: &[(&str, bool)] = &[
    ("for", false),
    ("by", false),
    ("key", false),
    ("sort", false),
    ("limit", false),
    ("points", false),
    ("encoding", false),
    ("wait", false),
    ("follow", false),
];
const PAGE: &[(&str, bool)] =
    &[("namespace", false), ("collection", true), ("limit", false), ("offset", false)];

/// The table.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut all = node();
    for kind in Kind::ALL {
        match kind {
            Kind::Document => all.extend(document()),
            kind => all.extend(of_kind(kind)),
        }
    }
    all.extend(of_cluster());
    all
}

fn node() -> Vec<Endpoint> {
    let get = Method::GET;
    vec![
        Endpoint::new(get.clone(), "/", health::root)
            .about("node", "What this is, with the node's state in the header")
            .gives(StatusCode::OK, Shape::Text),
        Endpoint::new(get.clone(), "/healthz", health::healthz).about("node", "Whether the process answers"),
        Endpoint::new(get.clone(), "/health", health::health)
            .about("node", "Whether the process answers (v2)"),
        Endpoint::new(get.clone(), "/readyz", health::readyz)
            .about("node", "Whether the node serves and knows a leader; 503 otherwise"),
        Endpoint::new(get.clone(), "/metrics", health::metrics)
            .about("node", "Counters for Prometheus")
            .gives(StatusCode::OK, Shape::Text),
        Endpoint::new(get.clone(), "/openapi.json", health::openapi).about("node", "This document"),
        Endpoint::new(get.clone(), "/changelog", changelog::brief)
            .about("node", "How many changes there were and the hash of their chain"),
        Endpoint::new(get.clone(), "/api/v1/profile", profile::get)
            .about(
                "node",
                "Where the time of exchanges went on this node in the last `for` (10s, at most 60s), or with `wait=true` \
                 from now on (at most 1h): rates and, of each phase, percentiles in microseconds; `by` node, shard, route, \
                 service or module; with `points=true` those of a percentile plot, with `encoding=v2` the HdrHistogram; \
                 with `follow=true` as lines of JSON that say how far it is, the profile last",
            )
            .asks(PROFILE)
            .gives(StatusCode::OK, Shape::Profile),
        Endpoint::new(get, "/api/v1/changelog", changelog::entries)
            .about("node", "The latest changes, without values")
            .gives(StatusCode::OK, Shape::Any),
    ]
}

fn of_kind(kind: Kind) -> Vec<Endpoint> {
    let name = kind.name();
    let base = format!("/api/v1/{name}");
    let is_namespace = kind == Kind::Namespace;
    let single =
        if is_namespace { format!("{base}/{{name}}") } else { format!("{base}/{{namespace}}/{{name}}") };
    let gone = if kind == Kind::Service { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED };
    let left = if kind == Kind::Service { Shape::Nothing } else { Shape::Empty };
    let query = if is_namespace { &[] } else { NAMESPACE };
    let mut all = vec![
        Endpoint::new(Method::PUT, base.clone(), move |call| resources::put_body(call, kind))
            .about(name, format!("Creates or replaces the {name} in the body; answers all of its namespace"))
            .asks(query)
            .takes(Shape::One(kind))
            .gives(StatusCode::CREATED, Shape::Many(kind)),
        Endpoint::new(Method::GET, base.clone(), move |call| resources::list(call, kind))
            .about(name, format!("Lists every {name}, of one namespace or of all"))
            .asks(query)
            .gives(StatusCode::OK, Shape::Many(kind)),
        Endpoint::new(Method::DELETE, base.clone(), move |call| resources::delete_body(call, kind))
            .about(name, format!("Deletes the {name} that the body names"))
            .asks(query)
            .takes(Shape::Named)
            .gives(gone, left),
        Endpoint::new(Method::GET, single.clone(), move |call| resources::get(call, kind))
            .about(name, format!("Reads one {name}"))
            .gives(StatusCode::OK, Shape::One(kind)),
        Endpoint::new(Method::PUT, single.clone(), move |call| resources::put_path(call, kind))
            .about(name, format!("Creates or replaces one {name}; answers it"))
            .takes(Shape::One(kind))
            .gives(StatusCode::OK, Shape::One(kind)),
        Endpoint::new(Method::DELETE, single, move |call| resources::delete_path(call, kind))
            .about(name, format!("Deletes one {name}"))
            .gives(StatusCode::OK, Shape::Empty),
    ];
    if !is_namespace {
        all.push(
            Endpoint::new(Method::GET, format!("{base}/{{name}}"), move |call| resources::get(call, kind))
                .about(name, format!("Reads one {name} of the namespace in the query"))
                .asks(NAMESPACE)
                .gives(StatusCode::OK, Shape::One(kind)),
        );
    }
    if kind == Kind::Module {
        all.extend(of_modules(&base));
    }
    if kind == Kind::Collection {
        let path = format!("{base}/{{name}}");
        all.push(
            Endpoint::new(Method::DELETE, path, move |call| resources::delete_name(call, kind))
                .about(name, "Deletes one empty collection of the namespace in the query")
                .asks(NAMESPACE)
                .gives(StatusCode::ACCEPTED, Shape::Empty),
        );
        // Version 2's client keeps documents under their collection's path.
        all.extend(documents_at(&format!("{base}/{{namespace}}/{{collection}}/{{id}}"), Shape::Any));
    }
    all
}

/// What modules say and do on this node.
fn of_modules(base: &str) -> [Endpoint; 5] {
    let logs = format!("{base}/{{namespace}}/{{name}}/logs");
    [
        Endpoint::new(Method::GET, logs.clone(), insight::logs)
            .about(
                "module",
                "The module's log on this node, oldest first: the last `limit` (100) entries, or with `since` the first \
                 ones with a larger `seq`; with `follow=true` as lines of JSON that go on, with a heartbeat every 15 s",
            )
            .asks(LOGS)
            .gives(StatusCode::OK, Shape::Entries),
        Endpoint::new(Method::DELETE, logs, insight::clear)
            .about("module", "Empties the module's log on this node")
            .gives(StatusCode::OK, Shape::Empty),
        Endpoint::new(Method::GET, format!("{base}/{{namespace}}/{{name}}/stats"), insight::stats)
            .about("module", "Calls, errors and times of the module's functions on this node, its memory and limits")
            .gives(StatusCode::OK, Shape::Any),
        Endpoint::new(Method::GET, format!("{base}/{{namespace}}/{{name}}/schedule"), schedule::get)
            .about("module", "When this node runs what the module exports as 'scheduled', and how it went last")
            .gives(StatusCode::OK, Shape::Any),
        Endpoint::new(Method::POST, format!("{base}/{{namespace}}/{{name}}/run"), schedule::run)
            .about("module", "Runs one of them now, on this node; answered when it has ended, however it did")
            .asks(&[("index", false)])
            .gives(StatusCode::OK, Shape::Any),
    ]
}

fn documents_at(path: &str, body: Shape) -> [Endpoint; 3] {
    let one = Shape::One(Kind::Document);
    [
        Endpoint::new(Method::GET, path, documents::get)
            .about("document", "Reads one document")
            .gives(StatusCode::OK, one),
        Endpoint::new(Method::PUT, path, |call| documents::put(call, true))
            .about("document", "Creates or replaces one document")
            .takes(body)
            .gives(StatusCode::OK, one),
        Endpoint::new(Method::DELETE, path, |call| documents::delete(call, true))
            .about("document", "Deletes one document")
            .gives(StatusCode::OK, Shape::Empty),
    ]
}

fn document() -> Vec<Endpoint> {
    let (base, single) = ("/api/v1/document", "/api/v1/document/{id}");
    let one = Shape::One(Kind::Document);
    let mut all = vec![
        Endpoint::new(Method::GET, base, documents::list)
            .about("document", "A page of a public collection's documents, by id; at most 1000")
            .asks(PAGE)
            .gives(StatusCode::OK, Shape::Many(Kind::Document)),
        Endpoint::new(Method::DELETE, base, documents::delete_all)
            .about("document", "Deletes all documents of a collection")
            .asks(COLLECTION)
            .gives(StatusCode::ACCEPTED, Shape::Empty),
        Endpoint::new(Method::GET, single, documents::get)
            .about("document", "Reads one document of the collection in the query")
            .asks(COLLECTION)
            .gives(StatusCode::OK, one),
        Endpoint::new(Method::PUT, single, |call| documents::put(call, false))
            .about("document", "Creates or replaces one document; the body is its data")
            .asks(COLLECTION)
            .takes(Shape::Any)
            .gives(StatusCode::CREATED, one),
        Endpoint::new(Method::DELETE, single, |call| documents::delete(call, false))
            .about("document", "Deletes one document of the collection in the query")
            .asks(COLLECTION)
            .gives(StatusCode::ACCEPTED, Shape::Empty),
    ];
    all.extend(documents_at(&format!("{base}/{{namespace}}/{{collection}}/{{id}}"), Shape::Any));
    all
}

fn of_cluster() -> Vec<Endpoint> {
    let member = "/api/v1/cluster/members/{node_id}";
    vec![
        Endpoint::new(Method::GET, "/api/v1/cluster/status", cluster::status)
            .about("cluster", "The cluster as this node sees it")
            .gives(StatusCode::OK, Shape::Any),
        Endpoint::new(Method::GET, "/api/v1/cluster/members", cluster::members)
            .about("cluster", "The members")
            .gives(StatusCode::OK, Shape::Any),
        Endpoint::new(Method::PUT, member, cluster::add)
            .about("cluster", "Adds a node, which then votes")
            .takes(Shape::Address)
            .gives(StatusCode::OK, Shape::Any),
        Endpoint::new(Method::DELETE, member, cluster::remove)
            .about("cluster", "Takes a node out of the cluster")
            .gives(StatusCode::OK, Shape::Empty),
    ]
}
