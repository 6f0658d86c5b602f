//! Caddy as a proxy on one CPU: its JSON, kept upstream connections, no log, nothing compressed, no admin endpoint.

use crate::setup::Setup;
use crate::workload::{DOMAINS, HOST, ROUTES_PER_DOMAIN, Transport, domain};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Its configuration.
pub(crate) fn config(setup: &Setup) -> Value {
    let Setup { task, port, upstream, certificate, .. } = setup;
    let proxy = json!({"handler": "reverse_proxy", "upstreams": [{"dial": format!("127.0.0.1:{upstream}")}],
        "transport": {"protocol": "http", "compression": false, "keep_alive": {"max_idle_conns": 4096,
            "max_idle_conns_per_host": 4096, "idle_timeout": "600s"}},
        "headers": {"request": {"set": {"X-Real-IP": ["{http.request.remote.host}"]}}}});
    let routes = match (task.own_answer(), task.many_routes()) {
        (Some(answer), _) => {
            json!([{"handle": [{"handler": "static_response", "status_code": 200, "body": answer,
            "headers": {"Content-Type": ["application/json"]}}]}])
        }
        (None, true) => (0..DOMAINS).map(|n| domain_route(&domain(n), &proxy)).collect(),
        (None, false) => json!([{"handle": [proxy]}]),
    };
    let protocols = match task.transport() {
        Transport::Plain | Transport::Tls => json!(["h1"]),
        Transport::Http2 => json!(["h1", "h2"]),
        Transport::Http2Cleartext => json!(["h1", "h2c"]),
    };
    let mut server = json!({"listen": [format!("127.0.0.1:{port}")], "protocols": protocols,
        "idle_timeout": "600s", "automatic_https": {"disable": true}, "routes": routes});
    let mut apps = json!({});
    if task.transport().tls() {
        server["tls_connection_policies"] = json!([{"default_sni": HOST, "fallback_sni": HOST}]);
        apps["tls"] = json!({"certificates": {"load_files":
            [{"certificate": certificate.chain, "key": certificate.key}]}});
    }
    apps["http"] = json!({"servers": {"gateway": server}});
    json!({"admin": {"disabled": true, "config": {"persist": false}},
        "logging": {"logs": {"default": {"level": "ERROR"}}}, "apps": apps})
}

/// A domain with its routes, so that only those of the right domain are looked at.
fn domain_route(name: &str, proxy: &Value) -> Value {
    let route =
        |n| json!({"match": [{"path": [format!("/small/{n}")]}], "handle": [proxy], "terminal": true});
    let routes: Vec<Value> = (0..ROUTES_PER_DOMAIN).map(route).collect();
    json!({"match": [{"host": [name]}], "handle": [{"handler": "subroute", "routes": routes}], "terminal": true})
}

/// The command that runs it in the foreground, on one CPU, with its own files in `dir`.
pub(crate) fn command(program: &Path, dir: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(config);
    command.env("GOMAXPROCS", "1").env("HOME", dir).env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
    command
}
