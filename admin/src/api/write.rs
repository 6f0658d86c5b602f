//! A write from the request to the last core: only the leader takes it, checks that need the state and the engine come
//! first, then Raft, then every shard. What is stored already is not written again, so that applying the same
//! configuration twice changes nothing.

use super::call::Call;
use super::refusal::Refusal;
use super::state::{ApiState, Inner};
use crate::change::{Change, Key, Kind, Op, Outcome};
use crate::invalid::Invalid;
use crate::raft::{ClusterError, Member, NodeState};
use crate::resource::DEFAULT_NAMESPACE;
use crate::store::{StoreError, View};
use http::{StatusCode, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a write waits for a majority.
const WITHIN: Duration = Duration::from_secs(30);

/// The tag of a stored value: changes exactly when the value does.
pub(crate) fn etag(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string());
    let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Runs `work` on a view of the state, off the async threads.
pub(crate) async fn read<T: Send + 'static>(
    state: &ApiState,
    work: impl FnOnce(&Inner, &View<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let state = state.clone();
    let task = tokio::task::spawn_blocking(move || {
        let view = state.inner.store.view()?;
        work(&state.inner, &view)
    });
    task.await.map_err(|_| Refusal::Internal("a task that reads the state panicked".into()))?
}

/// Sends writers to the leader before their change is judged by a state that may be old.
pub(crate) fn lead(call: &Call) -> Result<(), Refusal> {
    let status = call.inner().cluster.status();
    if status.state == NodeState::Leader {
        return Ok(());
    }
    let leader = status.members.into_iter().find(|member| Some(member.id) == status.leader);
    Err(elsewhere(call, leader))
}

fn elsewhere(call: &Call, leader: Option<Member>) -> Refusal {
    let path = call.uri.path_and_query().map_or("/", |path| path.as_str());
    match leader {
        Some(leader) => {
            Refusal::Redirect(format!("{}://{}{path}", call.inner().settings.scheme, leader.address))
        }
        None => Refusal::Unavailable(ClusterError::NotLeader { leader: None }.to_string()),
    }
}

fn refusal_of(call: &Call, error: ClusterError) -> Refusal {
    match error {
        ClusterError::NotLeader { leader } => elsewhere(call, leader),
        error => error.into(),
    }
}

/// What the cluster answers, unless it takes too long: a leader that lost its majority waits for it without end.
pub(crate) async fn in_time<T>(
    call: &Call,
    limit: Duration,
    asked: impl Future<Output = Result<T, ClusterError>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answer) => answer.map_err(|error| refusal_of(call, error)),
        Err(_) => Err(Refusal::Unavailable(format!(
            "the cluster did not answer within {} s; whether this takes effect is not known, so read it again",
            limit.as_secs()
        ))),
    }
}

/// Writes `ops`, all or none, and answers the revision that every core of this node runs by then.
pub(crate) async fn commit(call: &Call, ops: Vec<Op>) -> Result<u64, Refusal> {
    lead(call)?;
    let expected = if_match(call)?;
    let only_documents = ops.iter().all(|op| kind_of(op) == Kind::Document);
    let (mut shared, mut alone) = (None, None);
    if only_documents && expected.is_none() {
        shared = Some(call.inner().writing.read().await);
    } else {
        alone = Some(call.inner().writing.write().await);
    }
    let (ops, nothing_new) = read(&call.state, move |inner, view| {
        check(inner, view, &ops, expected.as_deref())?;
        let same = nothing_new(view, &ops)?;
        Ok((ops, same))
    })
    .await?;
    let revision = if nothing_new {
        in_time(call, WITHIN, call.inner().cluster.linearizable()).await?;
        read(&call.state, |_, view| Ok(view.meta()?.revision)).await?
    } else {
        propose(call, ops).await?
    };
    drop((shared, alone));
    call.inner()
        .live
        .committed(revision)
        .await
        .map_err(|not_live| Refusal::NotLive(format!("revision {revision} is stored, but {not_live}")))?;
    Ok(revision)
}

fn kind_of(op: &Op) -> Kind {
    match op {
        Op::Put { key, .. } | Op::Delete { key } => key.kind,
        Op::DeleteDocuments { .. } => Kind::Document,
        Op::MarkRun(mark) => mark.module.kind,
        Op::Cache { .. } => Kind::Namespace,
    }
}

async fn propose(call: &Call, ops: Vec<Op>) -> Result<u64, Refusal> {
    let deletes = ops.iter().all(|op| matches!(op, Op::Delete { .. }));
    let of_collections = ops.iter().all(|op| kind_of(op) == Kind::Collection);
    let secrets = ops.iter().all(|op| kind_of(op) == Kind::Secret);
    let what = ops.first().map(named).unwrap_or_default();
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
    let change = Change { ops, at_ms };
    match in_time(call, WITHIN, call.inner().cluster.propose(change)).await? {
        Outcome::Applied { index, .. } => {
            tracing::info!(revision = index, what, "configuration changed");
            Ok(index)
        }
        // DGate answers 400 for a collection that has documents, and its scripts look for that.
        Outcome::Rejected { faults } if (deletes && !of_collections) || secrets => {
            Err(Refusal::Conflict(faults))
        }
        Outcome::Rejected { faults } => Err(Refusal::Invalid(faults)),
    }
}

/// The first operation for the log: what and which, never a value.
fn named(op: &Op) -> String {
    match op {
        Op::Put { key, .. } => format!("put {} {}/{}", key.kind.name(), key.namespace, key.name),
        Op::Delete { key } => format!("delete {} {}/{}", key.kind.name(), key.namespace, key.name),
        Op::DeleteDocuments { namespace, collection } => format!("delete documents {namespace}/{collection}"),
        Op::MarkRun(mark) => format!("run of module {}/{}", mark.module.namespace, mark.module.name),
        Op::Cache { namespace, key, .. } => format!("cache {namespace}/{key}"),
    }
}

/// The one tag of `If-Match`; `*` and absence ask for nothing.
fn if_match(call: &Call) -> Result<Option<String>, Refusal> {
    let Some(field) = call.headers.get(header::IF_MATCH) else { return Ok(None) };
    match field.to_str().map(str::trim) {
        Ok("*") => Ok(None),
        Ok(tag) if tag.starts_with('"') && tag.len() > 2 && tag.ends_with('"') && !tag.contains(',') => {
            Ok(Some(tag.to_owned()))
        }
        _ => Err(Refusal::BadRequest("If-Match takes one ETag in quotes".into())),
    }
}

/// What is checked before anything is proposed.
fn check(inner: &Inner, view: &View<'_>, ops: &[Op], expected: Option<&str>) -> Result<(), Refusal> {
    for op in ops {
        let (Op::Put { key, .. } | Op::Delete { key }) = op else { continue };
        let stored = view.get(key)?;
        if expected.is_some_and(|tag| stored.as_ref().map(etag).as_deref() != Some(tag)) {
            return Err(Refusal::PreconditionFailed);
        }
        if matches!(op, Op::Delete { .. }) && stored.is_none() {
            return Err(Refusal::NotFound(missing(key)));
        }
        if key.namespace == DEFAULT_NAMESPACE
            && key.kind != Kind::Namespace
            && !inner.settings.default_namespace
            && view.get(&namespace_key(DEFAULT_NAMESPACE))?.is_none()
        {
            let why = "there is no namespace 'default': the configuration switches it off";
            return Err(Refusal::Invalid(vec![Invalid::new("namespace", why)]));
        }
    }
    let failed = std::cell::Cell::new(None);
    let lookup = |kind: Kind, namespace: &str| {
        view.list(kind, Some(namespace)).unwrap_or_else(|error| {
            failed.set(Some(error));
            Vec::new()
        })
    };
    let faults = inner.modules.check(&lookup, ops);
    match failed.into_inner() {
        Some(error) => Err(error.into()),
        None if faults.is_empty() => Ok(()),
        None if ops.iter().all(|op| matches!(op, Op::Delete { .. })) => Err(Refusal::Conflict(faults)),
        None => Err(Refusal::Invalid(faults)),
    }
}

/// The key of a namespace.
pub(crate) fn namespace_key(name: &str) -> Key {
    Key { kind: Kind::Namespace, namespace: name.to_owned(), collection: None, name: name.to_owned() }
}

/// What a 404 says about a resource.
pub(crate) fn missing(key: &Key) -> String {
    match (&key.collection, key.kind) {
        (Some(collection), kind) => format!(
            "there is no {} '{}' in collection '{collection}' of namespace '{}'",
            kind.name(),
            key.name,
            key.namespace
        ),
        (None, Kind::Namespace) => format!("there is no namespace '{}'", key.name),
        (None, kind) => {
            format!("there is no {} '{}' in namespace '{}'", kind.name(), key.name, key.namespace)
        }
    }
}

/// Whether every operation writes what is there.
fn nothing_new(view: &View<'_>, ops: &[Op]) -> Result<bool, StoreError> {
    for op in ops {
        let Op::Put { key, value } = op else { return Ok(false) };
        let same = match view.get(key)? {
            None => false,
            Some(stored) if key.kind == Kind::Document => stored.get("data") == value.get("data"),
            Some(stored) => stored == *value,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The status of a write in DGate's version 1 and 2.
pub(crate) fn created(versioned: bool) -> StatusCode {
    if versioned { StatusCode::OK } else { StatusCode::CREATED }
}
