//! What an answer of the admin API says: the data of a success, or the reasons of a refusal. It reads the envelopes of
//! both DGate versions, and prints data as a table, JSON or YAML.

use crate::failure::{Exit, Failure};
use crate::field::Kind;
use crate::options::Output;
use crate::request::Request;
use crate::table::{self, Style};
use crate::wire::Answer;
use serde_json::{Map, Value};

/// The data of a success; a refusal becomes a failure. The request is named in messages.
pub(crate) fn data(answer: Answer, request: &Request) -> Result<Value, Failure> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(&answer, request));
    }
    if answer.json.is_null() && !answer.text.trim().is_empty() {
        return Err(Failure::new(Exit::Unreachable, "what answers there is not the admin API")
            .at(answer.url)
            .why("the answer is not JSON")
            .hint("check the port of --admin: it is the admin port, not the proxy's"));
    }
    Ok(match answer.json {
        Value::Object(mut envelope) => {
            // Version 1 wraps a list of documents once more.
            let data = envelope.remove("data").unwrap_or(Value::Object(envelope));
            match data {
                Value::Object(mut inner) if inner.get("documents").is_some_and(Value::is_array) => {
                    inner.remove("documents").unwrap_or_default()
                }
                other => other,
            }
        }
        other => other,
    })
}

fn refusal(answer: &Answer, request: &Request) -> Failure {
    let what = format!("the gateway refused to {} {} ({})", request.verb, request.what, answer.status);
    let mut failure = Failure::new(Exit::Refused, what).at(answer.url.as_str());
    failure.why = reasons(&answer.json);
    let elsewhere = answer.header("location").map(str::to_owned);
    match (answer.status, elsewhere) {
        (401, _) => failure.hint("give a user with -a USER[:PASS] or TIDEGATE_ADMIN_AUTH"),
        (403, _) => failure.hint("ask whoever runs the gateway whether this user and address may do this"),
        (404, _) => failure.hint("list what there is with: tidegate KIND list, and check the namespace"),
        (307 | 308, Some(leader)) => failure
            .why(format!("this node follows; the leader is at {leader}"))
            .hint("add -f to follow, or give the leader's address with --admin"),
        (503, _) => failure.hint("look at the node with: tidegate status"),
        _ => failure,
    }
}

/// Every reason an envelope gives: `error`, `errors[]`, and faults with a place.
fn reasons(body: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut add = |reason: &Value| {
        let text = match reason {
            Value::Null => return,
            Value::String(text) => text.clone(),
            Value::Object(fault) => match (fault.get("at").and_then(Value::as_str), fault.get("why")) {
                (Some(at), Some(Value::String(why))) if !at.is_empty() => format!("{at}: {why}"),
                (_, Some(Value::String(why))) => why.clone(),
                _ => reason.to_string(),
            },
            other => other.to_string(),
        };
        let text = table::printable(&text);
        if !reasons.contains(&text) {
            reasons.push(text);
        }
    };
    // Beside a list of reasons, `error` is only their summary.
    let lists = ["faults", "errors"].map(|list| body[list].as_array().map_or(&[][..], Vec::as_slice));
    match lists.concat() {
        listed if listed.is_empty() => add(&body["error"]),
        listed => listed.iter().for_each(add),
    }
    reasons
}

/// Of a list, the one resource that was written: version 1 answers a write with all of the kind.
pub(crate) fn only(kind: &Kind, data: Value, name: &str) -> Value {
    match data {
        Value::Array(items) => {
            items.into_iter().find(|item| item[kind.identity()] == name).unwrap_or_default()
        }
        other => other,
    }
}

/// Data as text with a final line break; empty for nothing.
pub(crate) fn text(kind: Option<&Kind>, data: &Value, output: Output, style: Style) -> String {
    match (output, data) {
        (Output::Json, _) => format!("{data:#}\n"),
        (Output::Yaml, _) => yaml(data),
        (Output::Table, Value::Null) => String::new(),
        (Output::Table, Value::Array(items)) => listing(kind, items, style),
        (Output::Table, Value::Object(fields)) => details(kind, fields, style),
        (Output::Table, other) => format!("{}\n", table::cell(other)),
    }
}

fn yaml(data: &Value) -> String {
    match serde_saphyr::to_string(data) {
        Ok(text) if text.ends_with('\n') => text,
        Ok(text) => text + "\n",
        // JSON is YAML; what the writer cannot say is said this way.
        Err(_) => format!("{data:#}\n"),
    }
}

fn listing(kind: Option<&Kind>, items: &[Value], style: Style) -> String {
    if items.is_empty() {
        return String::new();
    }
    let columns: Vec<String> = match kind {
        Some(kind) => kind.columns.iter().map(|column| (*column).to_owned()).collect(),
        None => {
            let mut keys: Vec<String> = Vec::new();
            for key in items.iter().filter_map(Value::as_object).flat_map(Map::keys) {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
            keys
        }
    };
    if columns.is_empty() {
        return items.iter().map(|item| format!("{}\n", table::cell(item))).collect();
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            columns.iter().map(|column| table::cell(item.get(column).unwrap_or(&Value::Null))).collect()
        })
        .collect();
    table::render(Some(&columns), &rows, style)
}

/// One resource: its fields in the table's order, then what the gateway adds.
fn details(kind: Option<&Kind>, fields: &Map<String, Value>, style: Style) -> String {
    let known: Vec<&str> =
        kind.map(|kind| kind.fields.iter().map(|field| field.key).collect()).unwrap_or_default();
    let first = known.iter().filter_map(|key| fields.get_key_value(*key));
    let then = fields.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    let rows: Vec<Vec<String>> =
        first.chain(then).map(|(key, value)| vec![table::printable(key), table::cell(value)]).collect();
    table::render(None, &rows, style)
}
