//! Tidegate as a black box: its command line, its configuration file, its ports file. Knows no more of it than an
//! operator does.

use crate::Failure;
use crate::scripts::Script;
use crate::workload::{DOMAINS, MODULE, ROUTES_PER_DOMAIN, Workload, domain};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The binary to measure: the one asked for, or the one beside this command, built if it is missing.
pub(crate) fn binary(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = asked {
        return if path.is_file() {
            Ok(path.to_owned())
        } else {
            Err(format!("{}: no such file", path.display()))
        };
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let built = target.join("release/tidegate");
    if !built.is_file() {
        eprintln!("building {}", built.display());
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--package", "tidegate", "--bin", "tidegate"])
            .status()
            .map_err(|why| format!("cannot run cargo: {why}"))?;
        if !status.success() || !built.is_file() {
            return Err(
                "tidegate could not be built; run this in the project's folder or give --tidegate".into()
            );
        }
    }
    built.canonicalize().map_err(|why| format!("{}: {why}", built.display()))
}

/// The command that runs it; one shard, on the CPU it is pinned to.
pub(crate) fn command(program: &Path, dir: &Path, config: &Path, cpu: usize) -> Command {
    let mut command = Command::new(program);
    command.arg("serve").arg("--data-dir").arg(dir.join("data")).arg("--config").arg(config);
    command.args(["--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--shards", "1"]);
    command.arg("--cpus").arg(cpu.to_string()).arg("--ports-file").arg(ports_file(dir));
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

/// The configuration for a workload, with the script it runs if it is to run one, in JSON, which is YAML as well.
pub(crate) fn config(workload: Workload, script: Option<Script>, upstream: u16) -> Value {
    let service = |namespace: &str| json!({"name": "origin", "namespace": namespace, "urls": [format!("http://127.0.0.1:{upstream}")]});
    let resources = match workload {
        Workload::Routes10k => {
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
                "services": namespaces.iter().map(|name| service(name)).collect::<Vec<_>>(),
                "routes": routes,
                "domains": namespaces.iter().enumerate().map(|(n, namespace)| {
                    json!({"name": "shop", "namespace": namespace, "patterns": [domain(n)]})
                }).collect::<Vec<_>>(),
            })
        }
        _ => {
            let exchange = if script.is_some() { workload.exchange() } else { workload.without_script() };
            let mut route = json!({"name": "all", "namespace": "default", "service": "origin",
                "paths": [exchange.path], "methods": ["*"]});
            let mut resources = json!({"services": [service("default")]});
            let module = match script {
                Some(script) => Some(script.tidegate()),
                None => (workload == Workload::Modifier).then_some(MODULE),
            };
            if let Some(module) = module {
                route["modules"] = json!(["modifier"]);
                resources["modules"] =
                    json!([{"name": "modifier", "namespace": "default", "payloadRaw": module}]);
            }
            if script == Some(Script::Document) {
                resources["collections"] = json!([{"name": "notes", "namespace": "default", "schema": {}}]);
                resources["documents"] = json!([{"id": "greeting", "namespace": "default",
                    "collection": "notes", "data": {"text": "hello"}}]);
            }
            resources["routes"] = json!([route]);
            resources
        }
    };
    json!({"version": "v1", "proxy": {"init_resources": resources}})
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
        let small = config(Workload::SmallGet, None, 1);
        assert_eq!((count(&small, "routes"), count(&small, "modules")), (Some(1), None));
        let modifier = config(Workload::Modifier, None, 1);
        assert_eq!(count(&modifier, "modules"), Some(1));
        let document = config(Workload::ScriptDocument, Some(Script::Document), 1);
        assert_eq!((count(&document, "modules"), count(&document, "documents")), (Some(1), Some(1)));
        let without = config(Workload::ScriptDocument, None, 1);
        assert_eq!((count(&without, "modules"), count(&without, "documents")), (None, None));
        let routes = config(Workload::Routes10k, None, 1);
        assert_eq!((count(&routes, "routes"), count(&routes, "domains")), (Some(10_000), Some(100)));
    }
}
