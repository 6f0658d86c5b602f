//! The process as whoever runs it sees it: where values come from, what it refuses to start with and how it says so, how
//! it ends, and what it does where the host gives less than it would like.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod dgate;
mod endings;
mod host;
mod machine;

use operator::node::{BINARY, Plan};
use operator::{Json as _, free_port};
use serde_json::Value;
use std::process::Command;

/// A start that must fail with one clear sentence that has all of `parts`.
#[track_caller]
fn refused(plan: Plan, parts: &[&str]) {
    let (status, said) = plan.fails();
    assert!(!status.success(), "{status}: {said}");
    assert!(status.code().is_some(), "it ends by itself: {status}");
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("tidegate: ")).collect();
    assert_eq!(told.len(), 1, "one sentence: {said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let file = "tidegate:\n  max_connections: 77\n  log_json: true\n";
    let node = Plan::yaml(file).start();
    let line = node.wait_log(&["proxy on"]);
    assert!(line.contains("\"max_connections\":77"), "{line}");
    node.stop();
    let node = Plan::yaml(file).flag("--max-connections", "55").start();
    let line = node.wait_log(&["proxy on"]);
    assert!(line.contains("\"max_connections\":55"), "{line}");
    node.stop();
    // Ports of the file, ports of a flag.
    let (port, other) = (free_port(), free_port());
    let node = Plan::yaml(&format!("proxy:\n  host: 127.0.0.1\n  port: {port}\n"))
        .flag("--proxy-listen", &format!("127.0.0.1:{other}"));
    let node = node.start();
    assert_eq!(node.proxy, other);
}

#[test]
fn the_ports_file_tells_what_port_0_became() {
    let config = "test_server:\n  host: 127.0.0.1\n  port: 0\n";
    let node = Plan::yaml(config).flag("--shards", "3").start();
    let text = std::fs::read_to_string(&node.ports_file).expect("the file");
    let ports: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(ports["pid"], node.pid());
    for name in ["proxy", "admin", "test_server"] {
        assert!(ports[name].as_u64().is_some_and(|port| port > 0), "{text}");
    }
    assert_eq!(ports.as_object().map(serde_json::Map::len), Some(4), "{text}");
    assert_eq!(node.get("/").status(), 404);
    let echo = operator::node::client(node.test_server).get("/x?wait=1ms");
    assert_eq!((echo.status(), echo.json()["data"]["path"].as_str()), (200, Some("/x")), "{echo:?}");
    let line = node.wait_log(&["proxy on"]);
    for part in ["shards=3", "driver=", "driver_reason=", "data_dir=", "revision=", &node.proxy.to_string()] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let file = node.ports_file.clone();
    node.stop();
    assert!(!file.exists(), "it ends with the process");
}

#[test]
fn what_it_cannot_start_with_is_said_in_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    refused(Plan::new().flag("--proxy-listen", &address), &["--proxy-listen", &address, "another process"]);
    refused(Plan::new().flag("--admin-listen", &address), &["--admin-listen", &address, "another process"]);
    refused(Plan::new().flag("--proxy-listen", "203.0.113.7:80"), &["203.0.113.7:80", "no such address"]);
    refused(Plan::new().data("/proc/no/such/folder"), &["/proc/no/such/folder"]);
    let plan = Plan::new();
    let file = plan.file("a-file", "not a folder");
    refused(plan.data(file), &["a-file"]);
    refused(
        Plan::new().flag("--ports-file", "/no/such/folder/ports"),
        &["--ports-file", "/no/such/folder/ports"],
    );
    for (flags, parts) in [
        (["--shards", "0"], &["--shards"][..]),
        (["--shards", "many"], &["--shards", "many"]),
        (["--cpus", "9999"], &["--cpus", "9999"]),
        (["--idle-timeout", "never"], &["--idle-timeout", "never", "10s"]),
        (["--ring-entries", "1"], &["--ring-entries"]),
        (["--max-body-bytes", "lots"], &["--max-body-bytes", "lots"]),
        (["--max-connections", "99999999"], &["--max-connections", "ulimit -n"]),
        (["--runtime", "threads"], &["--runtime", "epoll"]),
        (["--no-such-flag", "1"], &["--no-such-flag"]),
        (["--admin-listen", "0.0.0.0:0"], &["--admin-listen", "--insecure-admin"]),
        (["--config", "/no/such/file.yaml"], &["/no/such/file.yaml"]),
    ] {
        let (status, said) = Plan::new().flag(flags[0], flags[1]).fails();
        assert!(status.code().is_some_and(|code| code != 0), "{flags:?}: {status} {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{flags:?}: {said}");
        assert!(!said.contains("panicked"), "{flags:?}: {said}");
    }
    // Reachable by others, and said to be meant.
    Plan::new().flag("--admin-listen", "0.0.0.0:0").switch("--insecure-admin").start().stop();
}

#[test]
fn a_wrong_configuration_is_refused_with_every_path() {
    for (yaml, parts) in [
        ("proxy:\n  prot: 80\n", &["proxy.prot"][..]),
        ("nonsense: 1\n", &["nonsense"]),
        ("proxy:\n  port: many\nadmin:\n  prt: 1\n", &["proxy.port", "admin.prt"]),
        (
            "proxy:\n  init_resources:\n    services:\n      - name: s\n        urls: [nowhere]\n        retrys: 1\n",
            &["services[0].urls[0]", "services[0].retrys"],
        ),
        (
            "proxy:\n  init_resources:\n    routes:\n      - {name: r, paths: [/x], methods: [GET], service: gone}\n",
            &["gone"],
        ),
        (
            "proxy:\n  init_resources:\n    modules:\n      - {name: m, payload_file: no-such.ts}\n",
            &["no-such.ts"],
        ),
        ("log_level: $(echo debug)\n", &["--allow-config-commands"]),
        ("proxy: [\n", &["gateway.yaml"]),
        ("tidegate:\n  no_such_flag: 1\n", &["no_such_flag"]),
    ] {
        let (status, said) = Plan::yaml(yaml).fails();
        assert!(status.code().is_some_and(|code| code != 0), "{yaml}: {status} {said}");
        let flat = said.replace("--no-such-flag", "no_such_flag");
        assert!(parts.iter().all(|part| flat.contains(part)), "{yaml}: {said}");
        assert!(!said.contains("panicked"), "{yaml}: {said}");
    }
}

#[test]
fn doctor_tells_what_is_good_and_what_is_not() {
    let plan = Plan::new();
    let data = plan.data_dir();
    let doctor = |words: &[&str]| {
        let mut command = Command::new(BINARY);
        command.arg("doctor").arg("--data-dir").arg(&data).args(words);
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let free = ["--proxy-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let (code, said) = doctor(&free);
    assert_eq!(code, Some(0), "{said}");
    for check in
        ["kernel", "cpus", "io_uring", "open_files", "proxy_port", "admin_port", "data_folder", "disk_space"]
    {
        assert!(said.lines().any(|line| line.contains(check)), "{check}: {said}");
    }
    assert!(!data.exists(), "it leaves nothing behind");
    let (code, said) = doctor(&[&free[..], &["--output", "json"]].concat());
    let checks: Value = serde_json::from_str(&said).expect("JSON");
    assert!(code == Some(0) && checks.as_array().is_some_and(|all| all.len() > 8), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, said) = doctor(&["--proxy-listen", &address, "--admin-listen", "127.0.0.1:0"]);
    let line = said.lines().find(|line| line.contains("proxy_port")).unwrap_or_default();
    assert!(code == Some(1) && line.starts_with("fail") && line.contains(&address), "{said}");
    let (code, said) = doctor(&[&free[..], &["--data-dir", "/proc/no"]].concat());
    assert!(code != Some(0), "{said}");
}
