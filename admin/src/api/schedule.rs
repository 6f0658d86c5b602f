//! What modules are run by themselves: when next, how it went last, and a run that somebody asks for. All of it is about
//! the node that is asked, apart from what is on record for the whole cluster.

use super::answer::Answer;
use super::call::Call;
use super::refusal::Refusal;
use super::write::{missing, read};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use crate::schedule::{Ended, JobState, RunRefusal, Schedule};
use crate::store::{LastRun, rfc3339};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use tidegate_snapshot::JobOutcome;

/// The module that the path names, which must exist, as `namespace/name`.
async fn module(call: &Call) -> Result<String, Refusal> {
    let (namespace, name) = (call.param("namespace").to_owned(), call.param("name").to_owned());
    let module = format!("{namespace}/{name}");
    let key = Key { kind: Kind::Module, namespace, collection: None, name };
    read(&call.state, move |_, view| match view.get_text(&key)? {
        Some(_) => Ok(()),
        None => Err(Refusal::NotFound(missing(&key))),
    })
    .await?;
    Ok(module)
}

fn scheduler(call: &Call) -> Result<&Schedule, Refusal> {
    call.inner().schedule.as_ref().ok_or_else(|| Refusal::Unavailable("this node runs no modules".into()))
}

/// `GET /api/v1/module/{namespace}/{name}/schedule`.
pub(crate) async fn get(call: Call) -> Result<Response, Refusal> {
    let module = module(&call).await?;
    let states = scheduler(&call)?.states(&module).await;
    Ok(Answer::list(StatusCode::OK, states.iter().map(state).collect()).into_response())
}

/// `POST /api/v1/module/{namespace}/{name}/run?index=0`: answered when the run has ended, however it did.
pub(crate) async fn run(call: Call) -> Result<Response, Refusal> {
    let module = module(&call).await?;
    let index = u16::try_from(call.number("index", 0)?).unwrap_or(u16::MAX);
    match scheduler(&call)?.run_now(&module, index).await {
        Ok(ran) => Ok(Answer::one(StatusCode::OK, ended(&ran)).into_response()),
        Err(RunRefusal::Absent) => Err(Refusal::NotFound(format!(
            "module '{module}' has no scheduled[{index}] that this node runs: it exports none, or it cannot be used"
        ))),
        Err(RunRefusal::Busy) => Err(Refusal::Conflict(vec![Invalid::new("", "it is running already")])),
        Err(RunRefusal::Stopped) => {
            Err(Refusal::Unavailable("the node starts or ends: it runs nothing".into()))
        }
    }
}

fn state(state: &JobState) -> Value {
    let mut value = json!({
        "index": state.index,
        "cron": state.cron,
        "per": state.per.name(),
        "next": state.next_ms.map(rfc3339),
        "running": state.is_running,
        "skipped": state.skipped,
        "last": state.last.as_ref().map(ended),
    });
    if let Some(timezone) = &state.timezone {
        value["timezone"] = timezone.as_str().into();
    }
    if let Some(LastRun { due_ms, node, began_ms, outcome, ended_ms, .. }) = &state.in_cluster {
        value["lastInCluster"] = json!({
            "due": rfc3339(*due_ms),
            "node": node,
            "began": rfc3339(*began_ms),
            "ended": ended_ms.map(rfc3339),
            "outcome": outcome,
        });
    }
    value
}

fn ended(ended: &Ended) -> Value {
    let mut value = json!({
        "id": ended.id,
        "due": rfc3339(ended.due_ms),
        "began": rfc3339(ended.began_ms),
        "manual": ended.is_manual,
        "outcome": ended.outcome.name(),
        "cpuMicros": ended.cpu_ns / 1_000,
        "wallMicros": ended.wall_ns / 1_000,
    });
    if let JobOutcome::Failed { message, stack, .. } = &ended.outcome {
        value["error"] = message.as_str().into();
        value["stack"] = stack.lines().map(str::trim).collect();
    }
    value
}
