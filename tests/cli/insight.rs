//! `tidegate module logs` and `tidegate module stats` against a running gateway, and over a restart of it.

use crate::operator::free_port;
use crate::operator::node::{BINARY, Node, Plan, module};
use crate::{client, harness::until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const SOURCE: &str = "export function requestHandler(ctx: any) {
    console.debug('quiet'); console.log('hello', { a: 1 }); console.warn('careful');
    if (ctx.request().method === 'DELETE') throw new Error('no such thing');
    ctx.response().send('ok');
}";

fn set(node: &Node) {
    let mut talks = module("talks", SOURCE);
    talks["namespace"] = "shop".into();
    node.put("/api/v1/namespace", json!({ "name": "shop" }));
    node.put("/api/v1/module", talks);
    node.put("/api/v1/domain", json!({ "name": "all", "namespace": "shop", "patterns": ["*"] }));
    node.put(
        "/api/v1/route",
        json!({ "name": "talks", "namespace": "shop", "paths": ["/talks"], "methods": ["*"], "modules": ["talks"] }),
    );
}

fn call(node: &Node, method: &str) -> u16 {
    use crate::operator::Says as _;
    node.client().say(method, "/talks", &[], b"").status()
}

#[test]
fn logs_and_stats_of_a_module() {
    let node = Plan::new().start();
    set(&node);
    let said = client(&node, &["module", "logs", "talks", "-n", "shop"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "", "the log is empty\n"));
    let said = client(&node, &["module", "stats", "name=talks", "namespace=shop"]);
    assert!(said.code == Some(0) && said.out.starts_with("no calls yet"), "{}{}", said.out, said.err);

    assert_eq!((call(&node, "GET"), call(&node, "DELETE")), (200, 500));
    let logs =
        |words: &[&str]| client(&node, &[&["module", "logs", "talks", "namespace=shop"], words].concat());
    until("the log has the error", || logs(&[]).out.contains("no such thing"));
    let said = logs(&[]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 8, "{}", said.out);
    assert!(lines[1].contains(" INFO  requestHandler 0-1  hello { a: 1 }"), "{}", said.out);
    assert!(lines[6].contains(" ERROR requestHandler 0-2  Error: no such thing"), "{}", said.out);
    assert_eq!(lines[7], "    at requestHandler (talks.ts:3:54)", "{}", said.out);
    assert_eq!(logs(&["--level", "warn", "--limit", "2"]).out.lines().count(), 3);
    let json: Value = serde_json::from_str(&logs(&["-o", "json", "level=error"]).out).expect("JSON");
    assert_eq!((&json[0]["kind"], &json[0]["route"]), (&json!("error"), &json!("shop/talks")));

    let stats =
        |words: &[&str]| client(&node, &[&["module", "stats", "talks", "-n", "shop"], words].concat());
    until("the calls are counted", || stats(&[]).out.contains("thrown 1"));
    let shown = stats(&[]).out;
    let row = shown.lines().find(|line| line.starts_with("requestHandler")).unwrap_or_default();
    assert_eq!(
        row.split_whitespace().take(6).collect::<Vec<_>>(),
        ["requestHandler", "2", "thrown", "1", "0", "cpu"]
    );
    assert!(shown.contains("limit cpu_ms") && shown.contains("shop/talks"), "{shown}");
    let json: Value = serde_json::from_str(&stats(&["-o", "json"]).out).expect("JSON");
    assert_eq!(json["functions"]["requestHandler"]["calls"], 2);
    assert!(stats(&["-o", "yaml"]).out.contains("calls: 2"));

    for words in [["module", "logs", "none"], ["module", "stats", "none"]] {
        let said = client(&node, &words);
        assert!(said.code == Some(1) && said.err.contains("none"), "{words:?}: {}", said.err);
    }
}

/// A client that follows, with its lines as they come.
fn follow(admin: u16, words: &[&str]) -> (Child, Receiver<String>) {
    let mut command = Command::new(BINARY);
    // SAFETY: `signal` may be called between fork and exec. Whoever runs the tests in the background may ignore Ctrl-C, and
    // what is ignored is inherited.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut child = command
        .args([
            "--admin",
            &format!("http://127.0.0.1:{admin}"),
            "module",
            "logs",
            "talks",
            "-n",
            "shop",
            "-f",
        ])
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (out, (send, lines)) = (child.stdout.take().expect("piped"), channel());
    std::thread::spawn(move || {
        BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    (child, lines)
}

#[track_caller]
fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(crate::harness::DEADLINE).expect("a line in time")
}

#[test]
fn following_goes_on_over_a_restart_and_ends_quietly() {
    let port = free_port().to_string();
    let node = Plan::new().flag("--admin-listen", &format!("127.0.0.1:{port}")).start();
    set(&node);
    call(&node, "GET");
    let (mut child, lines) = follow(node.admin, &["--level", "info"]);
    assert!(next(&lines).ends_with("hello { a: 1 }"));
    assert!(next(&lines).ends_with("careful"));
    call(&node, "DELETE");
    assert!(next(&lines).ends_with("hello { a: 1 }"));
    assert!(next(&lines).ends_with("careful"));
    assert!(next(&lines).ends_with("Error: no such thing"));
    assert_eq!(next(&lines), "    at requestHandler (talks.ts:3:54)");
    let again = node.again();
    node.stop();
    assert!(next(&lines).contains("the connection was lost"));
    let node = again.start();
    call(&node, "GET");
    assert!(next(&lines).ends_with("hello { a: 1 }"));
    assert!(next(&lines).ends_with("careful"));
    // Ctrl-C.
    // SAFETY: the child has not been waited for, so that its id is still its own.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    child.wait().expect("a child");
    let mut err = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    assert_eq!(err, "");
}
