//! The client against a running gateway: every kind and action of `tidegate` in every form of output, its exit codes,
//! and `dgate-cli` 2.1.0 where it is installed.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

mod dgate;
mod insight;
mod profile;
mod screen;

use harness::Upstream;
use operator::free_port;
use operator::node::{BINARY, Node, Plan};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// A kind with the words that create one, and the words that name it.
const KINDS: [(&str, &str, &[&str], &[&str]); 8] = [
    ("namespace", "ns", &["name=shop", "tags=a,b"], &["name=shop"]),
    (
        "service",
        "svc",
        &[
            "name=s",
            "namespace=shop",
            "urls=http://127.0.0.1:1,http://127.0.0.1:2",
            "retries=2",
            "retryTimeout=50ms",
            "tlsSkipVerify=true",
        ],
        &["name=s", "namespace=shop"],
    ),
    (
        "module",
        "mod",
        &[
            "name=m",
            "namespace=shop",
            "payload@=m.ts",
            "permissions=cache,net:fetch:api.example",
            r#"limits:={"cpuMs":50,"memory_bytes":"16m"}"#,
        ],
        &["name=m", "namespace=shop"],
    ),
    (
        "route",
        "rt",
        &[
            "name=r",
            "namespace=shop",
            "paths=/a,/b/{id}",
            "methods=GET,POST",
            "service=s",
            "modules=m",
            "stripPath=true",
        ],
        &["name=r", "namespace=shop"],
    ),
    (
        "domain",
        "dom",
        &["name=d", "namespace=shop", "patterns=a.example,*.a.example", "priority=3"],
        &["name=d", "namespace=shop"],
    ),
    (
        "collection",
        "col",
        &["name=c", "namespace=shop", "visibility=public", r#"schema:={"type":"object"}"#],
        &["name=c", "namespace=shop"],
    ),
    (
        "document",
        "doc",
        &["id=1", "namespace=shop", "collection=c", r#"data:={"n":1}"#],
        &["id=1", "namespace=shop", "collection=c"],
    ),
    ("secret", "sec", &["name=k", "namespace=shop", "data=planted-in-secret"], &["name=k", "namespace=shop"]),
];

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the client in the node's folder.
#[track_caller]
fn client(node: &Node, words: &[&str]) -> Said {
    run(Command::new(BINARY)
        .args(words)
        .current_dir(node.folder())
        .env("TIDEGATE_ADMIN_API", format!("http://127.0.0.1:{}", node.admin)))
}

#[track_caller]
fn run(command: &mut Command) -> Said {
    for name in ["TIDEGATE_ADMIN_AUTH", "DGATE_ADMIN_AUTH", "TIDEGATE_OUTPUT", "DGATE_FOLLOW_REDIRECTS"] {
        if !command.get_envs().any(|(known, _)| known == name) {
            command.env_remove(name);
        }
    }
    let output = command.stdin(Stdio::null()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn start() -> Node {
    let plan = Plan::new();
    plan.file("m.ts", "export const requestModifier = (ctx: any): void => {};\n");
    plan.start()
}

#[test]
fn versions_shares_permissions_and_limits_on_the_command_line() {
    let node = start();
    for words in [
        &["module", "create", "name=m", "payload@=m.ts", "permissions=", "limits:={\"fetches\":0}"][..],
        &["mod", "mk", "name=m:2", "payload@=m.ts", "permissions=cache,net:fetch:*.example.com"],
        &[
            "rt",
            "mk",
            "name=r",
            "paths=/r",
            "methods=GET",
            "modules=m:2@1.5%;by=cookie:uid,m",
            "tags=!edge,team",
        ],
    ] {
        let said = client(&node, words);
        assert_eq!(said.code, Some(0), "{words:?}: {}{}", said.out, said.err);
    }
    let get = |kind: &str, name: &str| -> Value {
        let got = client(&node, &["-o", "json", kind, "get", name]);
        serde_json::from_str(&got.out).unwrap_or_else(|_| panic!("{name}: {}{}", got.out, got.err))
    };
    let (plain, second, route) = (get("module", "m"), get("module", "m:2"), get("route", "r"));
    assert_eq!((&plain["permissions"], &plain["limits"]), (&json!([]), &json!({ "fetches": 0 })));
    assert_eq!(second["permissions"], json!(["cache", "net:fetch:*.example.com"]));
    assert_eq!((&second["name"], second.get("limits")), (&json!("m:2"), None));
    assert_eq!(route["modules"], json!(["m:2@1.5%;by=cookie:uid", "m"]));
    assert_eq!(route["tags"], json!(["!edge", "team"]));
    for (words, parts) in [
        (
            &["rt", "mk", "name=q", "paths=/q", "methods=GET", "modules=m,m@x%"][..],
            ["modules[1]", "like 'm@0.5%'"],
        ),
        (
            &["mod", "mk", "name=q", "payload@=m.ts", "permissions=net"],
            ["permissions[0]", "net:fetch[:HOST]"],
        ),
        (&["mod", "mk", "name=q", "payload@=m.ts", "limits:={\"cpuMs\":0}"], ["limits.cpuMs", "at least 1"]),
        (&["mod", "rm", "m:2"], ["used by routes", "'r'"]),
    ] {
        let said = client(&node, words);
        assert!(
            said.code != Some(0) && parts.iter().all(|part| said.err.contains(part)),
            "{words:?}: {}",
            said.err
        );
    }
}

#[test]
fn every_kind_and_action() {
    let node = start();
    for (kind, alias, create, name) in KINDS {
        let made = client(&node, &[&[kind, "create"], create].concat());
        assert_eq!(made.code, Some(0), "{kind}: {}{}", made.out, made.err);
        // The same again under the short names, as JSON.
        let again = client(&node, &[&["--output", "json", alias, "mk"], create].concat());
        let shown: Value =
            serde_json::from_str(&again.out).unwrap_or_else(|_| panic!("{kind}: {}{}", again.out, again.err));
        let id = if kind == "document" { &shown["id"] } else { &shown["name"] };
        assert_eq!(
            format!("{}={}", if kind == "document" { "id" } else { "name" }, id.as_str().unwrap_or_default()),
            name[0]
        );
        let got = client(&node, &[&["-o", "json", kind, "get"], name].concat());
        let got: Value =
            serde_json::from_str(&got.out).unwrap_or_else(|_| panic!("{kind}: {}{}", got.out, got.err));
        assert_eq!(got["namespace"], shown["namespace"], "{kind}");
        let filter: &[&str] = match kind {
            "namespace" => &[],
            "document" => &["namespace=shop", "collection=c"],
            _ => &["namespace=shop"],
        };
        let list = client(&node, &[&["-o", "json", kind, "list"], filter].concat());
        let list: Value =
            serde_json::from_str(&list.out).unwrap_or_else(|_| panic!("{kind}: {}{}", list.out, list.err));
        assert!(
            list.as_array().is_some_and(|all| all.iter().any(|one| one == &got)),
            "{kind}: {list} has no {got}"
        );
        let yaml = client(&node, &[&["--output", "yaml", alias, "ls"], filter].concat());
        assert!(yaml.code == Some(0) && yaml.out.starts_with("- "), "{kind}: {}{}", yaml.out, yaml.err);
        let table = client(&node, &[&[kind, "list"], filter].concat());
        assert!(
            table.code == Some(0) && table.out.to_lowercase().contains("namespace") | (kind == "namespace"),
            "{}",
            table.out
        );
        for said in [&made.out, &again.out, &table.out, &yaml.out] {
            assert!(!said.contains("planted-in-secret"), "{kind}: {said}");
        }
    }
    let service: Value = serde_json::from_str(
        &client(&node, &["-o", "json", "service", "get", "name=s", "namespace=shop"]).out,
    )
    .expect("JSON");
    for (key, value) in [
        ("urls", json!(["http://127.0.0.1:1", "http://127.0.0.1:2"])),
        ("retries", json!(2)),
        ("retryTimeout", json!("50ms")),
        ("tlsSkipVerify", json!(true)),
    ] {
        assert_eq!(service[key], value, "{key}");
    }
    for (kind, alias, _, name) in KINDS.iter().rev() {
        let gone = client(&node, &[&[*alias, "rm"], *name].concat());
        assert_eq!(gone.code, Some(0), "{kind}: {}{}", gone.out, gone.err);
        let twice = client(&node, &[&[*kind, "delete"], *name].concat());
        assert!(twice.code.is_some_and(|code| code != 0) && !twice.err.is_empty(), "{kind}: {}", twice.out);
        let got = client(&node, &[&[*kind, "get"], *name].concat());
        assert!(got.code.is_some_and(|code| code != 0), "{kind}: {}", got.out);
    }
    assert!(!node.log().contains("planted-in-secret"));
}

#[test]
fn refusals_have_a_sentence_and_an_exit_code() {
    let node = start();
    for (words, code, part) in [
        (&["service", "create", "name=s"][..], 2, "urls"),
        (&["service", "create", "name=s", "urls=http://a", "retrys=1"], 2, "retries"),
        (&["service", "create", "name=s", "urls=nowhere"], 1, "urls[0]"),
        (&["route", "create", "name=r", "paths=/x", "methods=GET", "service=gone"], 1, "gone"),
        (&["module", "create", "name=m", "payload@=missing.ts"], 2, "missing.ts"),
        (&["service", "get", "name=none"], 1, "none"),
        (&["nonsense", "list"], 2, "nonsense"),
        (&["service", "explode"], 2, "explode"),
    ] {
        let said = client(&node, words);
        assert_eq!(said.code, Some(code), "{words:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{words:?}: {}", said.err);
        assert!(said.out.is_empty(), "{words:?}: {}", said.out);
    }
    // Nobody there, and somebody else there.
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let said = client(&node, &["--admin", &nobody, "service", "list"]);
    assert!(said.code == Some(3) && said.err.contains(&nobody[7..]), "{}", said.err);
    let said = client(&node, &["status"]);
    assert!(said.code == Some(0) && said.out.contains("revision"), "{}{}", said.out, said.err);
}

#[test]
fn credentials_come_from_a_flag_or_the_environment() {
    let config = "admin:\n  auth_method: basic\n  basic_auth:\n    users: [{username: ann, password: planted-password}]\n  host: 127.0.0.1\n  port: 0\n";
    let node = Plan::yaml(config).start();
    let said = client(&node, &["service", "list"]);
    assert!(said.code.is_some_and(|code| code != 0) && said.err.contains("401"), "{}", said.err);
    assert_eq!(client(&node, &["-a", "ann:planted-password", "service", "list"]).code, Some(0));
    let said = client(&node, &["-V", "--auth", "ann:planted-password", "service", "list"]);
    assert!(said.code == Some(0) && !said.err.contains("planted-password"), "{}", said.err);
    for name in ["TIDEGATE_ADMIN_AUTH", "DGATE_ADMIN_AUTH"] {
        let admin = format!("http://127.0.0.1:{}", node.admin);
        let said = run(Command::new(BINARY)
            .args(["--admin", &admin, "service", "list"])
            .env(name, "ann:planted-password"));
        assert_eq!(said.code, Some(0), "{name}: {}", said.err);
    }
    assert!(!node.log().contains("planted-password"));
}

#[test]
fn a_followers_redirect_is_followed_only_when_asked() {
    let leader = start();
    let target = format!("http://127.0.0.1:{}", leader.admin);
    let follower = Upstream::answering(move |request| match request.target() {
        "/api/v1/cluster/members" => {
            let body = json!({ "success": true, "data": [{ "id": 1, "addr": target[7..] }] }).to_string();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        }
        path => format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}{path}\r\nContent-Length: 0\r\n\r\n"
        ),
    });
    let said = client(&leader, &["--admin", &follower.url(), "namespace", "create", "name=n"]);
    assert!(said.code.is_some_and(|code| code != 0) && said.err.contains("-f"), "{}", said.err);
    let said = client(&leader, &["-f", "--admin", &follower.url(), "namespace", "create", "name=n"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(client(&leader, &["namespace", "get", "name=n"]).code, Some(0));
}

/// Runs a command whose output goes to a file or pipe; its exit code and error stream.
fn told(words: &[&str], address: &str, out: Stdio) -> (Option<i32>, String) {
    let output = Command::new(BINARY)
        .args(words)
        .env("TIDEGATE_ADMIN_API", address)
        .stdout(out)
        .stderr(Stdio::piped())
        .output()
        .expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_output_that_cannot_be_written_is_told() {
    let node = Plan::new().start();
    let address = format!("http://127.0.0.1:{}", node.admin);
    for words in [&["doctor"][..], &["--version"], &["namespace", "list"], &["status"], &["top", "--once"]] {
        let whole = told(words, &address, Stdio::null());
        // Nobody reads: what the command found out still counts, and there is nothing to say.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(told(words, &address, writer.into()), whole, "{words:?} | head");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let (code, said) = told(words, &address, full.into());
        assert_eq!(code, Some(1), "{words:?}: {said}");
        let why = "error: standard output cannot be written: No space left on device (os error 28)\n";
        assert!(said.ends_with(why), "{words:?}: {said}");
    }
}
