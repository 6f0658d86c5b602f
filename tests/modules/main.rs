//! Modules from the outside: the functions and their order, bodies, limits, state, what scripts of DGate do, and that a
//! module is replaced between two requests and never within one.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod bodies;
mod contexts;
mod ctx;
mod dgate;
mod faults;
mod fetch;
mod fetch_secure;
mod functions;
mod garbage;
mod limits;
mod logs;
mod scheduled;
mod selecting;
mod storage;
mod streams;
mod swap;

use harness::{Message, Upstream};
use operator::node::{Node, Plan, client};
use operator::{Says as _, request};
use serde_json::{Value, json};
use std::sync::Arc;

/// A gateway with an upstream that tells what it was asked.
struct Stage {
    node: Node,
    upstream: Arc<Upstream>,
}

/// What the upstream got, as the body of its answer, with a field and a status of its own.
fn telling() -> Upstream {
    Upstream::answering(|request| {
        let fields: serde_json::Map<String, Value> =
            request.fields.iter().map(|(n, v)| (n.to_ascii_lowercase(), json!(v))).collect();
        let body = json!({
            "method": request.method(), "target": request.target(), "fields": fields, "body": request.text(),
        })
        .to_string();
        format!(
            "HTTP/1.1 203 Told\r\nContent-Type: application/json\r\nX-Upstream: yes\r\nSet-Cookie: a=1; Path=/\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    })
}

impl Stage {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(flags: &[(&str, &str)]) -> Self {
        Self::over(flags.iter().fold(Plan::new(), |plan, (name, value)| plan.flag(name, value)))
    }

    fn over(plan: Plan) -> Self {
        let (node, upstream) = (plan.start(), Arc::new(telling()));
        node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()], "retries": 0 }));
        Self { node, upstream }
    }

    /// A module of its own name, on `/name` and below, in front of the upstream.
    #[track_caller]
    fn before(&self, name: &str, source: &str) {
        self.node.module(name, source);
        self.route(name, &[name], Some("s"));
    }

    /// The same without an upstream.
    #[track_caller]
    fn alone(&self, name: &str, source: &str) {
        self.node.module(name, source);
        self.route(name, &[name], None);
    }

    #[track_caller]
    fn route(&self, name: &str, modules: &[&str], service: Option<&str>) {
        let name = name.trim_end_matches(".js");
        let modules: Vec<&str> = modules.iter().map(|module| module.trim_end_matches(".js")).collect();
        let mut route = json!({
            "name": name, "paths": [format!("/{name}"), format!("/{name}/{{first}}/{{second}}")],
            "methods": ["*"], "modules": modules,
        });
        if let Some(service) = service {
            route["service"] = service.into();
        }
        self.node.put("/api/v1/route", route);
    }

    #[track_caller]
    fn get(&self, path: &str) -> Message {
        self.node.get(path)
    }

    #[track_caller]
    fn post(&self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Message {
        client(self.node.proxy).say("POST", path, fields, body)
    }

    /// A handler that answers with what an expression gives.
    #[track_caller]
    fn evaluates(&self, name: &str, expression: &str, path: &str) -> Message {
        let source = format!(
            "export async function requestHandler(ctx: any) {{ ctx.response().send(String(await ({expression}))); }}"
        );
        self.alone(name, &source);
        client(self.node.proxy).ask(request("GET", path, &[("X-Sent", "1"), ("Cookie", "k=v; l=w")], b""))
    }
}
