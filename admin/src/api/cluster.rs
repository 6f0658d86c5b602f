//! The cluster as it sees itself, and changes of its members. Fields are those of DGate's version 2, and ours beside
//! them.

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::write::{in_time, lead, read};
use crate::invalid::Invalid;
use crate::raft::{ClusterStatus, Member, NodeState};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a node may take to be reached and to catch up.
const WITHIN: Duration = Duration::from_secs(120);

/// `GET /api/v1/cluster/status`.
pub(crate) async fn status(call: Call) -> Result<Response, Refusal> {
    let meta = read(&call.state, |_, view| Ok(view.meta()?)).await?;
    let state_hash: String = meta.state_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let cluster = call.inner().cluster.status();
    let leads = cluster.state == NodeState::Leader;
    let data = json!({
        "enabled": cluster.members.len() > 1,
        "mode": "raft",
        "cluster": cluster.cluster,
        "node_id": cluster.node_id,
        "can_write": leads,
        "is_leader": leads,
        "leader_id": cluster.leader,
        "term": cluster.term,
        "last_log": cluster.last_log,
        "last_applied_log": cluster.applied,
        "commit_index": cluster.applied,
        "raft_snapshot": cluster.raft_snapshot,
        "state": cluster.state.name(),
        "failure": cluster.failure,
        "revision": meta.revision,
        "changes": meta.changes,
        "state_hash": state_hash,
        "members": members_of(&cluster),
        "runtime": call.inner().live.runtime_info(),
    });
    Ok(Answer::one(StatusCode::OK, data).into_response())
}

fn member(member: &Member, leader: Option<u64>) -> Value {
    json!({
        "id": member.id,
        "addr": member.address,
        "is_leader": leader == Some(member.id),
        "voter": member.voter,
    })
}

fn members_of(cluster: &ClusterStatus) -> Vec<Value> {
    cluster.members.iter().map(|one| member(one, cluster.leader)).collect()
}

/// `GET /api/v1/cluster/members`.
pub(crate) async fn members(call: Call) -> Result<Response, Refusal> {
    Ok(Answer::list(StatusCode::OK, members_of(&call.inner().cluster.status())).into_response())
}

fn node_id(call: &Call) -> Result<u64, Refusal> {
    call.param("node_id").parse().map_err(|_| Refusal::BadRequest("a node's id is a whole number".into()))
}

/// `PUT /api/v1/cluster/members/{node_id}` with `{"addr":"host:port"}`: the node follows and then votes.
pub(crate) async fn add(mut call: Call) -> Result<Response, Refusal> {
    lead(&call)?;
    let id = node_id(&call)?;
    let body = call.json().await?;
    let address = body.get("addr").or_else(|| body.get("address")).and_then(Value::as_str).unwrap_or("");
    let host_and_port = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
    if !host_and_port || address.bytes().any(|b| b <= b' ' || b >= 0x7f || b"/?#@".contains(&b)) {
        return Err(Refusal::Invalid(vec![Invalid::new(
            "addr",
            "must be the node's admin address, 'host:port'",
        )]));
    }
    in_time(&call, WITHIN, call.inner().cluster.add_voter(id, address)).await?;
    let added = Member { id, address: address.to_owned(), voter: true };
    Ok(Answer::one(StatusCode::OK, member(&added, None)).into_response())
}

/// `DELETE /api/v1/cluster/members/{node_id}`.
pub(crate) async fn remove(call: Call) -> Result<Response, Refusal> {
    lead(&call)?;
    let id = node_id(&call)?;
    in_time(&call, WITHIN, call.inner().cluster.remove_member(id)).await?;
    Ok(Answer::one(StatusCode::OK, Value::Null).into_response())
}
