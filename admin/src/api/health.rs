//! Whether the node is well, for probes and for people, and the counters for Prometheus. Nothing here waits for
//! anything but the store.

use super::answer::json_response;
use super::call::Call;
use super::refusal::Refusal;
use super::write::read;
use crate::metrics::{Registry, Scrape};
use crate::raft::ClusterStatus;
use axum::body::Body;
use axum::response::Response;
use futures_util::{Stream, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Rest between two pages of a large scrape: ten thousand routes are some 250 pages, which then take a quarter of a second
/// and a few hundredths of a core.
const BETWEEN_PAGES: Duration = Duration::from_millis(1);

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /`: text and the fields that DGate's clients look at.
pub(crate) async fn root(call: Call) -> Result<Response, Refusal> {
    let hash = read(&call.state, |_, view| Ok(hex(&view.meta()?.changelog_hash))).await?;
    let settings = &call.inner().settings;
    let mut response = Response::new(Body::from("Tidegate admin API\n"));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    set(&mut response, "x-dgate-watchonly", if settings.watch_only { "true" } else { "false" });
    set(&mut response, "x-dgate-changehash", &hash);
    set(&mut response, "x-dgate-raft-state", call.inner().cluster.status().state.name());
    set(&mut response, "x-dgate-version", &settings.version);
    Ok(response)
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz(call: Call) -> Result<Response, Refusal> {
    Ok(json_response(StatusCode::OK, &json!({ "status": "ok", "version": call.inner().settings.version })))
}

/// `GET /health`, as version 2 answers it.
pub(crate) async fn health(call: Call) -> Result<Response, Refusal> {
    Ok(json_response(
        StatusCode::OK,
        &json!({ "status": "healthy", "version": call.inner().settings.version }),
    ))
}

/// `GET /readyz`: the node serves clients and knows a leader.
pub(crate) async fn readyz(call: Call) -> Result<Response, Refusal> {
    let inner = call.inner();
    let cluster = inner.cluster.status();
    let version = &inner.settings.version;
    let (status, body) = match inner.live.ready() {
        _ if !cluster.ready() => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "no leader", "ready": false, "version": version }),
        ),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "not ready", "ready": false, "version": version, "why": why }),
        ),
        Ok(()) => (StatusCode::OK, json!({ "status": "ok", "ready": true, "version": version })),
    };
    let mut response = json_response(status, &body);
    set(&mut response, "x-raft-state", cluster.state.name());
    set(&mut response, "x-raft-leader", &leader(&cluster));
    Ok(response)
}

/// Address of the leader, empty for none.
fn leader(cluster: &ClusterStatus) -> String {
    let leading = cluster.members.iter().find(|member| Some(member.id) == cluster.leader);
    leading.map(|member| member.address.clone()).unwrap_or_default()
}

/// `GET /metrics`: Prometheus text.
pub(crate) async fn metrics(call: Call) -> Result<Response, Refusal> {
    if !call.inner().settings.metrics {
        return Err(Refusal::NotFound("metrics are switched off".into()));
    }
    let meta = read(&call.state, |inner, view| Ok((view.meta()?, inner.store.size()?))).await?;
    let cluster = call.inner().cluster.status();
    let metrics = Arc::clone(&call.inner().metrics);
    let (scrape, text, rest) = {
        let mut registry = metrics.lock().unwrap_or_else(PoisonError::into_inner);
        registry.observe_state(meta.0.revision, meta.0.changes, meta.1);
        registry.observe_cluster(&cluster);
        let (mut scrape, mut text) = Scrape::begin(&registry, &call.inner().profiles.book());
        text += &call.inner().settings.other_metrics.render();
        text += &scrape.page(&registry).unwrap_or_default();
        let rest = scrape.page(&registry);
        (scrape, text, rest)
    };
    let mut response = Response::new(match rest {
        None => Body::from(text),
        Some(second) => Body::from_stream(pages(text + &second, scrape, metrics)),
    });
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}

/// The pages of a scrape, made one by one as they are sent. A shard on the same core gets its turn between them.
fn pages(
    first: String,
    scrape: Scrape,
    metrics: Arc<Mutex<Registry>>,
) -> impl Stream<Item = Result<String, Infallible>> {
    stream::unfold((Some(first), scrape, metrics), |(first, mut scrape, metrics)| async move {
        let page = match first {
            Some(first) => first,
            None => {
                tokio::time::sleep(BETWEEN_PAGES).await;
                scrape.page(&metrics.lock().unwrap_or_else(PoisonError::into_inner))?
            }
        };
        Some((Ok(page), (None, scrape, metrics)))
    })
}

/// `GET /openapi.json`: what this table of endpoints is.
pub(crate) async fn openapi(call: Call) -> Result<Response, Refusal> {
    Ok(json_response(StatusCode::OK, &crate::openapi::document(&call.inner().settings.version)))
}
