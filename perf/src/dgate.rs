//! DGate 2 as a proxy: its YAML file and its command. Its modules are JavaScript that it evaluates anew for every call.

use crate::Failure;
use crate::scripts::Script;
use crate::setup::Setup;
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, domain};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Its configuration, in JSON, which is YAML as well.
pub(crate) fn config(setup: &Setup) -> Result<Value, Failure> {
    let Setup { task, port, upstream, .. } = setup;
    let resources = if task.many_routes() { many_routes(*upstream) } else { one_route(setup)? };
    Ok(json!({
        "version": "v1",
        "log_level": "error",
        "storage": {"type": "memory"},
        "proxy": {"host": "127.0.0.1", "port": port, "init_resources": resources},
    }))
}

fn one_route(setup: &Setup) -> Result<Value, Failure> {
    let Setup { task, upstream, .. } = setup;
    let mut resources = json!({
        "services": [{"name": "origin", "namespace": "default", "urls": [format!("http://127.0.0.1:{upstream}")]}],
        "routes": [{"name": "all", "namespace": "default", "service": "origin", "paths": ["/**"], "methods": ["*"]}],
    });
    let answer = task.own_answer().map(|body| {
        format!(
            "function requestHandler(ctx) {{ ctx.setHeader('Content-Type', 'application/json'); ctx.status(200); \
             ctx.write('{body}'); }}"
        )
    });
    let script = task.script().map(|script| script.dgate().map(str::to_owned)).transpose()?;
    if let Some(module) = script.or(answer) {
        resources["routes"][0]["modules"] = json!(["script"]);
        resources["modules"] = json!([{"name": "script", "namespace": "default", "moduleType": "javascript",
            "payloadRaw": module}]);
    }
    if task.own_answer().is_some() {
        resources["routes"][0].as_object_mut().map(|route| route.remove("service"));
    }
    if task.script() == Some(Script::Document) {
        resources["collections"] = json!([{"name": "notes", "namespace": "default"}]);
        resources["documents"] = json!([{"id": "greeting", "namespace": "default", "collection": "notes",
            "data": {"text": "hello"}}]);
    }
    Ok(resources)
}

fn many_routes(upstream: u16) -> Value {
    let names: Vec<String> = (0..DOMAINS).map(|n| format!("shop-{n:03}")).collect();
    let routes: Vec<Value> = (0..DOMAINS * ROUTES_PER_DOMAIN)
        .map(|n| {
            json!({"name": format!("route-{n}"), "namespace": names[n / ROUTES_PER_DOMAIN], "service": "origin",
                "paths": [format!("/small/{}", n % ROUTES_PER_DOMAIN)], "methods": ["*"]})
        })
        .collect();
    let of_each = |make: &dyn Fn(usize, &str) -> Value| -> Vec<Value> {
        names.iter().enumerate().map(|(n, name)| make(n, name)).collect()
    };
    json!({
        "namespaces": of_each(&|_, name| json!({"name": name})),
        "services": of_each(&|_, name| json!({"name": "origin", "namespace": name,
            "urls": [format!("http://127.0.0.1:{upstream}")]})),
        "domains": of_each(&|n, name| json!({"name": format!("domain-{n}"), "namespace": name, "patterns": [domain(n)]})),
        "routes": routes,
    })
}

/// The command that runs it in the foreground. Its runtime makes as many threads as it has CPUs: one.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--config").arg(config).env("RUST_LOG", "error");
    command
}
