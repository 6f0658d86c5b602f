//! The quick start as a newcomer lives it: the files of `tools/quickstart`, started as they are but for the ports, and
//! every promise of their comments replayed.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

use operator::node::{BINARY, Node, Plan, module};
use operator::{Json as _, Says as _, free_port};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn source(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tools/quickstart").join(name);
    std::fs::read_to_string(path).expect("a file of the quick start")
}

/// The quick start with its test server on an ephemeral port: a copy, since no flag moves that port.
fn start() -> Node {
    let plan = Plan::new();
    for name in ["shout.ts", "links.ts"] {
        plan.file(name, &source(name));
    }
    // The port has to be known before the service's url can name it.
    let port = free_port().to_string();
    let text = source("tidegate.yaml");
    assert_eq!(text.matches("8888").count(), 2, "the test server and the service that calls it");
    let config = plan.file("tidegate.yaml", &text.replace("8888", &port));
    plan.flag("--config", config.to_str().expect("a path")).start()
}

#[test]
fn the_quick_start() {
    let gateway = start();

    // Routing to the test server, through a response modifier.
    let echoed = gateway.get("/echo/some/path?a=1");
    assert_eq!(echoed.status(), 200, "{echoed:?}");
    assert_eq!(echoed.get("x-greeting"), Some("hello from TypeScript"));
    assert_eq!((echoed.get("x-upstream-status"), echoed.get("x-gateway")), (Some("200"), Some("tidegate")));
    let data = echoed.json()["data"].clone();
    assert_eq!((&data["method"], &data["path"]), (&json!("GET"), &json!("/some/path")), "{data}");

    // The link shortener.
    let form: &[(&str, &str)] = &[("Content-Type", "application/x-www-form-urlencoded")];
    let made = gateway.client().say("POST", "/s", form, br#"{"url":"https://example.com/long"}"#);
    assert_eq!(made.status(), 201, "{made:?}");
    assert_eq!(made.json()["id"].as_str().map(str::len), Some(8));
    let short = made.json()["short"].as_str().expect("a path").to_owned();
    let followed = gateway.get(&short);
    assert_eq!((followed.status(), followed.get("location")), (307, Some("https://example.com/long")));
    assert_eq!(gateway.get("/s/nothing").status(), 404);
    let refused = gateway.client().say("POST", "/s", form, br#"{"url":"ftp://example.com"}"#);
    assert_eq!(refused.status(), 400, "{refused:?}");

    // One command replaces a module, and the next request sees it, on a connection that was open before.
    let mut open = gateway.client();
    assert_eq!(open.get("/echo/").get("x-greeting"), Some("hello from TypeScript"));
    let changed = source("shout.ts").replace("hello from TypeScript", "good evening");
    gateway.put("/api/v1/module", module("shout", &changed));
    assert_eq!(open.get("/echo/").get("x-greeting"), Some("good evening"));
    // As README says it: sed's output into the client.
    let mut client = Command::new(BINARY)
        .args(["module", "create", "name=shout", "payload@=/dev/stdin"])
        .env("TIDEGATE_ADMIN_API", format!("http://127.0.0.1:{}", gateway.admin))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the client starts");
    let goodbye = source("shout.ts").replace("hello", "goodbye");
    client.stdin.take().expect("piped").write_all(goodbye.as_bytes()).expect("read");
    assert!(client.wait().expect("it ends").success());
    assert_eq!(open.get("/echo/hello").get("x-greeting"), Some("goodbye from TypeScript"));
    let link = gateway.client().say("POST", "/s", form, br#"{"url":"https://example.com/"}"#).json();
    assert_eq!(link["short"], "/s/DxFdsGK3", "README names this link");
    assert_eq!(gateway.get("/s/DxFdsGK3").get("location"), Some("https://example.com/"));

    // The links are private: the admin API does not list them.
    let listed = gateway.admin("GET", "/api/v1/document?collection=links", &Value::Null);
    assert_eq!(listed.status(), 403, "{listed:?}");
    gateway.stop();
}
