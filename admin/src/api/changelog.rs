//! The latest changes in the form of each DGate version. Only what was touched is told, never a value.

use super::answer::{Answer, json_response};
use super::call::Call;
use super::refusal::Refusal;
use super::write::read;
use crate::store::{ChangeSummary, OpName};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

/// Changes that an answer holds.
const SHOWN: usize = 128;

/// `GET /changelog`: how many changes there were, the chain's hash, and the latest.
pub(crate) async fn brief(call: Call) -> Result<Response, Refusal> {
    let body = read(&call.state, |_, view| {
        let meta = view.meta()?;
        let latest = view.latest_changes(1)?.into_iter().next();
        let hash: String = meta.changelog_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(json!({ "count": meta.changes, "hash": hash, "latest": latest, "revision": meta.revision }))
    })
    .await?;
    Ok(json_response(StatusCode::OK, &body))
}

/// `GET /api/v1/changelog`: one entry per operation, newest change first.
pub(crate) async fn entries(call: Call) -> Result<Response, Refusal> {
    let changes = read(&call.state, |_, view| Ok(view.latest_changes(SHOWN)?)).await?;
    Ok(Answer::list(StatusCode::OK, changes.iter().flat_map(entries_of).collect()).into_response())
}

fn entries_of(change: &ChangeSummary) -> Vec<Value> {
    let entry = |(at, op): (usize, &crate::store::OpSummary)| {
        let verb = match op.op {
            OpName::Put => "add",
            OpName::Delete | OpName::DeleteDocuments => "delete",
        };
        json!({
            "id": format!("{}-{at}", change.index),
            "cmd": format!("{verb}_{}", op.kind.name()),
            "namespace": op.namespace,
            "collection": op.collection,
            "name": op.name.as_deref().unwrap_or("*"),
            "revision": change.index,
            "atMs": change.at_ms,
        })
    };
    change.ops.iter().enumerate().map(entry).collect()
}
