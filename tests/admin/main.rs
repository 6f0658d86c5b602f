//! The admin API of a running gateway: both of DGate's styles to the letter, faults all at once, secrets that never come
//! out, who may call, and what probes and Prometheus read.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod access;
mod faults;
mod observed;
mod secrecy;
mod styles;
mod visible;

use operator::node::Node;
use serde_json::{Value, json};

/// The kinds that both styles treat alike, with a body that creates one named `x` in a namespace.
fn bodies() -> Vec<(&'static str, Value)> {
    vec![
        ("service", json!({ "urls": ["http://127.0.0.1:1"] })),
        ("module", operator::node::module("x", "export const requestHandler = (ctx: any) => {};")),
        ("route", json!({ "paths": ["/x"], "methods": ["GET"], "service": "x" })),
        ("domain", json!({ "patterns": ["x.example.com"] })),
        ("collection", json!({ "schema": { "type": "object" } })),
        ("secret", json!({ "data": "planted" })),
    ]
}

fn named(mut body: Value, namespace: &str) -> Value {
    body["name"] = "x".into();
    body["namespace"] = namespace.into();
    body
}

/// The paths of a refusal's faults.
#[track_caller]
fn refused(node: &Node, path: &str, body: &Value) -> Vec<String> {
    use operator::Json as _;
    let answer = node.admin("PUT", path, body);
    let told = answer.json();
    assert_eq!(answer.status(), 400, "{path}: {told}");
    assert_eq!((&told["success"], &told["status"]), (&json!(false), &json!(400)), "{told}");
    assert!(told["error"].as_str().is_some_and(|error| !error.is_empty()), "{told}");
    let faults = told["faults"].as_array().cloned().unwrap_or_default();
    assert_eq!(told["errors"].as_array().map_or(0, Vec::len), faults.len(), "{told}");
    faults.iter().map(|fault| fault["at"].as_str().unwrap_or_default().to_owned()).collect()
}
