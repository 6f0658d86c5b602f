//! Traefik as a proxy on one CPU: its files (what cannot be changed while it runs, and what can), kept upstream
//! connections, no log, its faster proxy for HTTP/1.1.

use crate::Failure;
use crate::setup::Setup;
use crate::workload::{DOMAINS, ROUTES_PER_DOMAIN, domain};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::Command;

/// Its static configuration, in JSON, which is YAML as well; the dynamic one is written beside it.
pub(crate) fn config(setup: &Setup) -> Result<Value, Failure> {
    let Setup { task, port, upstream, certificate, .. } = setup;
    let tls = task.transport().tls();
    let router = |rule: String| {
        let mut router = json!({"rule": rule, "service": "origin", "entryPoints": ["web"]});
        if tls {
            router["tls"] = json!({});
        }
        router
    };
    let routers: Map<String, Value> = if task.many_routes() {
        (0..DOMAINS * ROUTES_PER_DOMAIN)
            .map(|n| {
                let (domain, path) = (domain(n / ROUTES_PER_DOMAIN), n % ROUTES_PER_DOMAIN);
                (format!("route-{n}"), router(format!("Host(`{domain}`) && Path(`/small/{path}`)")))
            })
            .collect()
    } else {
        [("all".to_owned(), router("PathPrefix(`/`)".into()))].into_iter().collect()
    };
    // It sets X-Real-Ip and the X-Forwarded fields by itself.
    let mut dynamic = json!({
        "http": {
            "routers": routers,
            "services": {"origin": {"loadBalancer": {"serversTransport": "kept", "passHostHeader": true,
                "servers": [{"url": format!("http://127.0.0.1:{upstream}")}]}}},
            "serversTransports": {"kept": {"maxIdleConnsPerHost": 4096,
                "forwardingTimeouts": {"idleConnTimeout": "600s"}}},
        },
    });
    if tls {
        let file = json!({"certFile": certificate.chain, "keyFile": certificate.key});
        dynamic["tls"] = json!({"certificates": [file], "stores": {"default": {"defaultCertificate": file}}});
    }
    let file = setup.write("dynamic.yaml", &dynamic.to_string())?;
    Ok(json!({
        "global": {"checkNewVersion": false, "sendAnonymousUsage": false},
        "log": {"level": "ERROR"},
        "entryPoints": {"web": {"address": format!("127.0.0.1:{port}"),
            "transport": {"respondingTimeouts": {"idleTimeout": "600s"}}}},
        "providers": {"file": {"filename": file, "watch": false}},
        "experimental": {"fastProxy": {}},
    }))
}

/// The command that runs it in the foreground, on one CPU.
pub(crate) fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("--configFile={}", config.display())).env("GOMAXPROCS", "1");
    command
}
