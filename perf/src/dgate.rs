//! DGate 2 as a proxy: its YAML file and its command. Its modules are JavaScript that it evaluates anew for every call.

use crate::Failure;
use crate::scripts::Script;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Its configuration, in JSON, which is YAML as well.
pub(crate) fn config(port: u16, upstream: u16, script: Option<Script>) -> Result<Value, Failure> {
    let mut resources = json!({
        "services": [{"name": "origin", "namespace": "default", "urls": [format!("http://127.0.0.1:{upstream}")]}],
        "routes": [{"name": "all", "namespace": "default", "service": "origin", "paths": ["/**"], "methods": ["*"]}],
    });
    if let Some(script) = script {
        resources["routes"][0]["modules"] = json!(["script"]);
        resources["modules"] = json!([{"name": "script", "namespace": "default", "moduleType": "javascript", "payloadRaw": script.dgate()?}]);
    }
    if script == Some(Script::Document) {
        resources["collections"] = json!([{"name": "notes", "namespace": "default"}]);
        resources["documents"] = json!([{"id": "greeting", "namespace": "default", "collection": "notes",
            "data": {"text": "hello"}}]);
    }
    Ok(json!({
        "version": "v1",
        "log_level": "error",
        "storage": {"type": "memory"},
        "proxy": {"host": "127.0.0.1", "port": port, "init_resources": resources},
    }))
}

/// The command that runs it in the foreground. Its runtime makes as many threads as it has CPUs: one.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--config").arg(config).env("RUST_LOG", "error");
    command
}
