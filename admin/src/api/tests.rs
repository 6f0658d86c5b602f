//! The API over a real store and cluster, called in the process: both styles, every status, and what must never be shown.

mod browsers;
mod documents;
mod insight;
mod profile;
mod secrecy;
mod styles;
mod two_nodes;
mod writes;

use super::*;
use crate::metrics::Registry;
use crate::module_log::{Bounds, ModuleLogs};
use crate::raft::{Cluster, ClusterConfig};
use crate::resource::ResourceRules;
use crate::store::Store;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// Shards that run whatever is committed, at once, until they are told to lag.
#[derive(Default)]
struct Shards {
    newest: AtomicU64,
    lagging: AtomicU64,
}

impl Live for Shards {
    fn committed(&self, revision: u64) -> LiveFuture<'_> {
        Box::pin(async move {
            self.newest.fetch_max(revision, Ordering::SeqCst);
            match self.lagging.load(Ordering::SeqCst) {
                0 => Ok(()),
                _ => Err(NotLive { shards: vec![1], why: "no answer in time".into() }),
            }
        })
    }
    fn ready(&self) -> Result<(), String> {
        match self.lagging.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err("shard 1 has not started".into()),
        }
    }
    fn runtime_info(&self) -> Value {
        json!({ "shards": 2 })
    }
}

/// A node with its API.
struct Node {
    state: ApiState,
    shards: Arc<Shards>,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Node {
    async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    async fn with(settings: ApiSettings) -> Self {
        Self::of(settings, ClusterConfig::new(1, "test", "127.0.0.1:9080")).await
    }

    async fn of(settings: ApiSettings, config: ClusterConfig) -> Self {
        let dir = TempDir::new().expect("a folder");
        let store = Store::open(dir.path()).expect("a store");
        let rules = Arc::new(ResourceRules::default());
        let cluster = Cluster::start(store.clone(), rules, config).await.expect("a cluster of one");
        let shards = Arc::new(Shards::default());
        let metrics = Arc::new(Mutex::new(Registry::default()));
        let state = ApiState::new(
            store,
            cluster,
            shards.clone(),
            metrics,
            Arc::new(ModuleLogs::new(Bounds::default())),
            settings,
        );
        Self { state, shards, _dir: dir }
    }

    /// Any request.
    async fn send(&self, method: Method, path: &str, fields: &[(&str, &str)], body: impl Into<Body>) -> Got {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        let response = router(self.state.clone()).oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        Got { status, headers, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    async fn put(&self, path: &str, body: Value) -> Got {
        self.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string()).await
    }

    async fn delete(&self, path: &str, body: Value) -> Got {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(Method::DELETE, path, &[], body).await
    }

    /// A put that must succeed.
    #[track_caller]
    fn set<'a>(&'a self, path: &'a str, body: Value) -> impl Future<Output = Value> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let got = self.put(path, body).await;
            assert!((200..300).contains(&got.status), "{caller}: {got:?}");
            got.json()
        }
    }

    fn revision(&self) -> u64 {
        self.state.inner.store.view().expect("a view").meta().expect("the state's record").revision
    }
}

/// The paths of a refusal's faults.
fn paths(got: &Got) -> Vec<String> {
    let faults = got.json()["faults"].as_array().cloned().unwrap_or_default();
    faults.iter().map(|fault| fault["at"].as_str().unwrap_or("").to_owned()).collect()
}

#[tokio::test]
async fn the_document_lists_every_endpoint_and_its_references_lead_somewhere() {
    let node = Node::start().await;
    let document = node.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::HashSet::new();
    for endpoint in table::endpoints() {
        let operation = &document["paths"][&endpoint.path][endpoint.method.as_str().to_ascii_lowercase()];
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{} is missing", endpoint.path));
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(operation["responses"][endpoint.status.as_str()].is_object(), "{operation}");
    }
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| match value {
                Value::String(target) if name == "$ref" => found.push(target.clone()),
                value => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        assert!(jsonschema::meta::is_valid(schema), "{name}");
    }
}

#[tokio::test]
async fn health_readiness_and_the_root() {
    let node = Node::start().await;
    assert_eq!(node.get("/healthz").await.json()["status"], "ok");
    assert_eq!(node.get("/health").await.json()["status"], "healthy");
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ok")));
    assert_eq!((ready.header("x-raft-state"), ready.header("x-raft-leader")), ("leader", "127.0.0.1:9080"));
    let root = node.get("/").await;
    assert_eq!((root.header("x-dgate-watchonly"), root.header("x-dgate-raft-state")), ("false", "leader"));
    let before = root.header("x-dgate-changehash").to_owned();
    node.set("/api/v1/namespace", json!({"name": "n"})).await;
    assert_ne!(node.get("/").await.header("x-dgate-changehash"), before);
    node.shards.lagging.store(1, Ordering::SeqCst);
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("not ready")));
    let metrics = node.get("/metrics").await;
    assert!(metrics.text.contains("tidegate_raft_state{state=\"leader\"} 1"), "{metrics:?}");
    assert!(metrics.text.contains("\ntidegate_changes_total 1\n"), "{metrics:?}");
}

#[tokio::test]
async fn a_node_that_waits_to_be_added_takes_no_writes() {
    let config = ClusterConfig { bootstrap: false, ..ClusterConfig::new(2, "test", "127.0.0.1:9081") };
    let node = Node::of(ApiSettings::default(), config).await;
    let ready = node.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("no leader")));
    for got in [
        node.put("/api/v1/namespace", json!({"name": "n"})).await,
        node.put("/api/v1/document/default/c/d", json!(1)).await,
        node.delete("/api/v1/service/default/s", Value::Null).await,
    ] {
        assert_eq!(got.status, 503, "{got:?}");
    }
    assert_eq!(node.get("/api/v1/service").await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_and_other_methods() {
    let node = Node::start().await;
    for path in ["/nowhere", "/api/v1/gadget", "/api/v1/service/a/b/c", "/raft/vote"] {
        let got = node.get(path).await;
        assert_eq!((got.status, &got.json()["success"]), (404, &json!(false)), "{path}");
    }
    let got = node.send(Method::POST, "/api/v1/service", &[], Body::empty()).await;
    assert_eq!((got.status, &got.json()["status"]), (405, &json!(405)));
    let allowed = got.header("allow");
    assert!(["GET", "PUT", "DELETE"].iter().all(|method| allowed.contains(method)), "{got:?}");
    assert_eq!(node.send(Method::OPTIONS, "/api/v1/service", &[], Body::empty()).await.status, 405);
    let got = node.send(Method::HEAD, "/api/v1/service", &[], Body::empty()).await;
    assert_eq!((got.status, got.text.as_str()), (200, ""));
}

#[tokio::test]
async fn the_cluster_and_the_changelog() {
    let node = Node::start().await;
    node.set("/api/v1/namespace", json!({"name": "n"})).await;
    let status = node.get("/api/v1/cluster/status").await.json();
    assert_eq!(status["data"]["is_leader"], true);
    assert_eq!(status["data"]["runtime"], json!({"shards": 2}));
    let members = node.get("/api/v1/cluster/members").await.json();
    assert_eq!(members["data"][0]["addr"], "127.0.0.1:9080");
    let brief = node.get("/changelog").await.json();
    assert_eq!(brief["count"], 1);
    let log = node.get("/api/v1/changelog").await.json();
    assert_eq!((&log["data"][0]["cmd"], &log["data"][0]["name"]), (&json!("add_namespace"), &json!("n")));
    for (path, body) in [("x", json!({"addr": "a:1"})), ("2", json!({})), ("2", json!({"addr": "a b:1"}))] {
        let got = node.put(&format!("/api/v1/cluster/members/{path}"), body).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{got:?}");
    }
    assert_eq!(node.delete("/api/v1/cluster/members/9", Value::Null).await.status, 400);
}
