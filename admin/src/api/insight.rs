//! Seeing inside modules: their logs, read, followed and emptied, and what their calls came to. All of it is this node's
//! own and lives in memory; nothing here asks a shard or the cluster.

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::write::{missing, read};
use crate::change::{Key, Kind};
use crate::metrics::limits;
use crate::module_log::{Batch, Follower, Level, Wanted};
use crate::resource::Module;
use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Entries of an answer that does not say how many.
const ENTRIES: usize = 100;
/// Most entries of one answer.
const MOST_ENTRIES: usize = 10_000;
/// Longest silence of a stream.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// The key of the module that the path names, which must exist, and what is stored of it.
async fn module(call: &Call) -> Result<(String, Value), Refusal> {
    let (namespace, name) = (call.param("namespace").to_owned(), call.param("name").to_owned());
    let module = format!("{namespace}/{name}");
    let key = Key { kind: Kind::Module, namespace, collection: None, name };
    let stored = read(&call.state, move |_, view| match view.get(&key)? {
        Some(stored) => Ok(stored),
        None => Err(Refusal::NotFound(missing(&key))),
    })
    .await?;
    Ok((module, stored))
}

/// What the query asks for, and whether it wants to follow.
fn wanted(call: &Call) -> Result<(Wanted, bool), Refusal> {
    let level = match call.query("level") {
        None => Level::Debug,
        Some(name) => Level::named(name).ok_or_else(|| {
            Refusal::BadRequest(
                "'level' must be debug, info, warn or error: the least loud that is shown".into(),
            )
        })?,
    };
    let follow = match call.query("follow") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Refusal::BadRequest("'follow' must be true or false".into())),
    };
    let since = match call.query("since") {
        None => None,
        Some(_) => Some(call.number("since", 0)? as u64),
    };
    let default = if since.is_some() { MOST_ENTRIES } else { ENTRIES };
    let limit = call.number("limit", default)?.min(MOST_ENTRIES);
    Ok((Wanted { level, since, limit }, follow))
}

/// `GET …/logs`.
pub(crate) async fn logs(call: Call) -> Result<Response, Refusal> {
    let (wanted, follow) = wanted(&call)?;
    let (module, _) = module(&call).await?;
    let logs = &call.inner().module_logs;
    if !follow {
        let (entries, dropped) = logs.read(&module, wanted);
        let answer = Answer::list(StatusCode::OK, entries).with("dropped", dropped.into());
        return Ok(answer.into_response());
    }
    let (first, follower) = logs.follow(&module, wanted).ok_or_else(|| {
        Refusal::Unavailable(
            "too many follow logs on this node already, or it is about to end: try later".into(),
        )
    })?;
    let stream =
        stream::unfold((Some(first), follower, Instant::now()), |(first, follower, said)| async move {
            next(first, follower, said)
                .await
                .map(|(lines, follower)| (Ok::<_, Infallible>(lines), (None, follower, Instant::now())))
        });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The next lines of a stream; `None` at its end. The first ones are what there is already, and a heartbeat that says
/// that from now on nothing is missed.
pub(super) async fn next(
    first: Option<Batch>,
    mut follower: Follower,
    said: Instant,
) -> Option<(String, Follower)> {
    let mut batch = match first {
        Some(batch) => return Some((lines(batch) + &heartbeat(&follower), follower)),
        None => follower.take(),
    };
    while batch.entries.is_empty() && batch.skipped == 0 {
        match tokio::time::timeout_at(said + HEARTBEAT, follower.changed()).await {
            Ok(true) => batch = follower.take(),
            Ok(false) => return None,
            Err(_) => return Some((heartbeat(&follower), follower)),
        }
    }
    Some((lines(batch), follower))
}

fn heartbeat(follower: &Follower) -> String {
    line(&json!({ "kind": "heartbeat", "seq": follower.newest() }))
}

fn lines(batch: Batch) -> String {
    let skipped = (batch.skipped > 0).then(|| line(&json!({ "kind": "skipped", "count": batch.skipped })));
    skipped.into_iter().chain(batch.entries.iter().map(line)).collect()
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// `DELETE …/logs`.
pub(crate) async fn clear(call: Call) -> Result<Response, Refusal> {
    let (module, _) = module(&call).await?;
    call.inner().module_logs.clear(&module);
    Ok(Answer::one(StatusCode::OK, Value::Null).into_response())
}

/// `GET …/stats`.
pub(crate) async fn stats(call: Call) -> Result<Response, Refusal> {
    let (module, stored) = module(&call).await?;
    let inner = call.inner();
    let mut stats = inner.metrics.lock().unwrap_or_else(PoisonError::into_inner).module(&module);
    // What no route runs has bounds all the same, for whoever puts it on one.
    if stats["limits"].is_null()
        && let Ok(written) = serde_json::from_value::<Module>(stored)
    {
        let budget = written.limits.clone().unwrap_or_default();
        stats["limits"] = limits(&budget.over(inner.settings.module_limits));
        stats["permissions"] = json!(written.permissions());
    }
    stats["log"] = inner.module_logs.size(&module);
    Ok(Answer::one(StatusCode::OK, stats).into_response())
}
