//! Tidegate as a black box: its command line, its configuration file, its ports file. Knows no more of it than an
//! operator does.

use crate::Failure;
use crate::contestant::How;
use crate::cost::executable;
use crate::scripts::Script;
use crate::session;
use crate::setup::Task;
use crate::workload::{DOMAINS, MODULE, ROUTES_PER_DOMAIN, Workload, domain};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The binary to measure: the one asked for, or the one that cargo makes of the sources in this folder now. What was built
/// before is never taken as it is: it may be of other sources than the commit that the report names.
pub(crate) fn binary(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = asked {
        let found = path.canonicalize().ok().filter(|path| path.is_file());
        return found.ok_or_else(|| format!("{}: no such file", path.display()));
    }
    let hint = "run this in the project's folder, or give --tidegate";
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let told = Command::new(cargo)
        .args(["build", "--release", "--package", "tidegate", "--bin", "tidegate"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| format!("cannot run cargo to build tidegate: {why}; {hint}"))?;
    if !told.status.success() {
        return Err(format!("tidegate could not be built; {hint}"));
    }
    executable(&String::from_utf8_lossy(&told.stdout))
        .ok_or_else(|| format!("cargo did not say where it has built tidegate; {hint}"))
}

/// The command that runs it; one shard on each of the CPUs it is pinned to.
pub(crate) fn command(program: &Path, dir: &Path, config: &Path, how: How) -> Command {
    let cpus: Vec<String> = how.cpus.iter().map(usize::to_string).collect();
    let mut command = Command::new(program);
    command.arg("serve").arg("--data-dir").arg(dir.join("data")).arg("--config").arg(config);
    command.args(["--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command.args(["--shards", &cpus.len().to_string(), "--cpus", &cpus.join(",")]).args(how.flags);
    command.arg("--ports-file").arg(ports_file(dir));
    command
}

fn ports_file(dir: &Path) -> PathBuf {
    dir.join("ports.json")
}

/// The proxy's port, once the ports file says it. A number or an address with one.
pub(crate) fn port(dir: &Path) -> Option<u16> {
    port_in(&serde_json::from_slice(&fs::read(ports_file(dir)).ok()?).ok()?)
}

fn port_in(ports: &Value) -> Option<u16> {
    let proxy = ports.get("proxy")?;
    let proxy = proxy.as_array().map_or(Some(proxy), |many| many.first())?;
    match proxy.as_str() {
        Some(address) => address.rsplit(':').next()?.parse().ok(),
        None => u16::try_from(proxy.as_u64()?).ok(),
    }
}

/// The configuration for a task, in JSON, which is YAML as well.
pub(crate) fn config(task: Task, upstream: u16) -> Value {
    let resources = if task.many_routes() { many_routes(upstream) } else { one_route(task, upstream) };
    json!({"version": "v1", "proxy": {"init_resources": resources}})
}

fn service(name: &str, namespace: &str, upstream: u16) -> Value {
    json!({"name": name, "namespace": namespace, "urls": [format!("http://127.0.0.1:{upstream}")]})
}

fn many_routes(upstream: u16) -> Value {
    let namespaces: Vec<String> = (0..DOMAINS).map(|n| format!("shop-{n:03}")).collect();
    let routes: Vec<Value> = namespaces
        .iter()
        .flat_map(|namespace| (0..ROUTES_PER_DOMAIN).map(move |n| (namespace, n)))
        .map(|(namespace, n)| {
            json!({"name": format!("route-{n:03}"), "namespace": namespace, "service": "origin",
                "paths": [format!("/small/{n}")], "methods": ["*"]})
        })
        .collect();
    json!({
        "namespaces": namespaces.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "services": namespaces.iter().map(|name| service("origin", name, upstream)).collect::<Vec<_>>(),
        "routes": routes,
        "domains": namespaces.iter().enumerate().map(|(n, namespace)| {
            json!({"name": "shop", "namespace": namespace, "patterns": [domain(n)]})
        }).collect::<Vec<_>>(),
    })
}

/// One route, or in the workload that is about it one for each service, with the module they run, if any.
fn one_route(task: Task, upstream: u16) -> Value {
    let route = |name: &str, path: String| {
        json!({"name": name, "namespace": "default", "service": name,
        "paths": [path], "methods": ["*"]})
    };
    let exchange = task.exchange();
    let path = if exchange.all_routes { "/small/*".into() } else { exchange.path };
    let (mut services, mut routes) =
        (vec![service("origin", "default", upstream)], vec![route("origin", path)]);
    if task.session() {
        services = session::SERVICES.iter().map(|name| service(name, "default", upstream)).collect();
        routes = session::SERVICES.iter().map(|name| route(name, format!("/{name}/*"))).collect();
    }
    if let Some(answer) = task.own_answer() {
        services.clear();
        let response = json!({"headers": {"Content-Type": "application/json"}, "body": answer});
        for route in routes.iter_mut().filter_map(Value::as_object_mut) {
            route.remove("service");
            route.insert("response".into(), response.clone());
        }
    }
    let mut resources = json!({});
    if let Some(module) = module(task) {
        routes.iter_mut().for_each(|route| route["modules"] = json!(["module"]));
        resources["modules"] = json!([{"name": "module", "namespace": "default", "payloadRaw": module}]);
    }
    if task.session() {
        resources["secrets"] = json!([{"name": "session-key", "namespace": "default", "data": session::KEY}]);
        resources["modules"][0]["permissions"] = json!(["secrets"]);
    }
    if task.script() == Some(Script::Document) {
        resources["collections"] = json!([{"name": "notes", "namespace": "default", "schema": {}}]);
        resources["documents"] = json!([{"id": "greeting", "namespace": "default",
            "collection": "notes", "data": {"text": "hello"}}]);
    }
    resources["services"] = json!(services);
    resources["routes"] = json!(routes);
    resources
}

/// The module of a task.
fn module(task: Task) -> Option<String> {
    match (task.script(), task.workload) {
        (Some(script), _) => Some(script.tidegate().into()),
        (None, workload) if workload.session() => Some(session::TIDEGATE.into()),
        (None, Workload::Modifier) => Some(MODULE.into()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_or_addresses() {
        for (ports, expected) in [
            (json!({"pid": 1, "proxy": 8080, "admin": 9080}), Some(8080)),
            (json!({"proxy": "127.0.0.1:8080"}), Some(8080)),
            (json!({"proxy": "[::1]:8080"}), Some(8080)),
            (json!({"proxy": ["127.0.0.1:8080", "127.0.0.1:8081"]}), Some(8080)),
            (json!({"proxy": 80_800}), None),
            (json!({"admin": 9080}), None),
        ] {
            assert_eq!(port_in(&ports), expected, "{ports}");
        }
    }

    #[test]
    fn configurations_have_what_the_workloads_say() {
        let count =
            |config: &Value, kind: &str| config["proxy"]["init_resources"][kind].as_array().map(Vec::len);
        let of = |workload, plain| config(Task { workload, plain }, 1);
        let small = of(Workload::SmallGet, false);
        assert_eq!((count(&small, "routes"), count(&small, "modules")), (Some(1), None));
        assert_eq!(count(&of(Workload::Modifier, false), "modules"), Some(1));
        let document = of(Workload::ScriptDocument, false);
        assert_eq!((count(&document, "modules"), count(&document, "documents")), (Some(1), Some(1)));
        let without = of(Workload::ScriptDocument, true);
        assert_eq!((count(&without, "modules"), count(&without, "documents")), (None, None));
        let routes = of(Workload::Routes10k, false);
        assert_eq!((count(&routes, "routes"), count(&routes, "domains")), (Some(10_000), Some(100)));
        let one = of(Workload::Routes10k, true);
        assert_eq!((count(&one, "routes"), count(&one, "domains")), (Some(1), None));
        let session = of(Workload::Jwt, false);
        assert_eq!((count(&session, "routes"), count(&session, "secrets")), (Some(4), Some(1)));
        let direct = of(Workload::DirectResponse, false);
        assert_eq!((count(&direct, "services"), count(&direct, "modules")), (Some(0), None));
        assert!(direct["proxy"]["init_resources"]["routes"][0]["response"]["body"].is_string());
    }
}
