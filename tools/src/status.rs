//! `tidegate status`: one view of a node from its health, its readiness and its cluster. It asks three questions
//! and interprets nothing: what the node adds to its answers is shown as it is.

use crate::failure::Failure;
use crate::request::Request;
use crate::wire::{Answer, Wire};
use serde_json::{Map, Value};

/// What was found, and whether the node can serve.
pub(crate) struct Status {
    pub(crate) data: Value,
    pub(crate) ready: bool,
}

/// Asks a node. Only a node that cannot be reached is a failure; one that is not ready is a finding.
pub(crate) fn ask(wire: &mut Wire<'_>) -> Result<Status, Failure> {
    let admin = |target: &str| Request::get(target, "show", "the status");
    let health = wire.send(&admin("/healthz"))?;
    let ready = wire.send(&admin("/readyz"))?;
    let cluster = wire.send(&admin("/api/v1/cluster/status"))?;
    let mut fields = Map::new();
    fields.insert("health".into(), word(&health));
    fields.insert("ready".into(), word(&ready));
    for (header, key) in [("x-raft-state", "raftState"), ("x-raft-leader", "raftLeader")] {
        if let Some(value) = ready.header(header).filter(|value| !value.is_empty()) {
            fields.insert(key.into(), value.into());
        }
    }
    // Health is open to everybody, the cluster is not: without credentials the rest is still worth showing.
    let mut known = inner(&cluster);
    match known.remove("revision") {
        Some(revision) if cluster.status == 200 => fields.insert("revision".into(), revision),
        _ => fields.insert("revision".into(), format!("not shown ({})", cluster.status).into()),
    };
    if let Some(Value::Object(runtime)) = known.remove("runtime") {
        fields.extend(runtime);
    }
    for key in ["changes", "state_hash", "failure"] {
        if let Some(value) = known.remove(key).filter(|value| !value.is_null()) {
            fields.insert(key.into(), value);
        }
    }
    for answer in [&ready, &health] {
        for (key, value) in inner(answer) {
            if !["status", "success", "status_code", "ready"].contains(&key.as_str()) {
                fields.insert(key, value);
            }
        }
    }
    let ready = health.status == 200 && ready.status == 200;
    Ok(Status { data: Value::Object(fields), ready })
}

/// The node's own word for its state; the HTTP status when it says none.
fn word(answer: &Answer) -> Value {
    match &inner(answer).get("status") {
        Some(Value::String(word)) => word.as_str().into(),
        _ => format!("HTTP {}", answer.status).into(),
    }
}

/// The fields of an answer, with or without an envelope.
fn inner(answer: &Answer) -> Map<String, Value> {
    match answer.json.get("data").unwrap_or(&answer.json) {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    }
}
