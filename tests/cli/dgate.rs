//! `dgate-cli` 2.1.0 itself, where it is on the PATH or named by `TIDEGATE_DGATE_CLI`: every command it has.

use crate::{Said, run, start};
use base64::Engine as _;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The program, if there is one.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_DGATE_CLI").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        || std::env::split_paths(&path).map(|folder| folder.join("dgate-cli")).find(|file| file.exists());
    let program = named.or_else(found)?;
    let version = Command::new(&program).arg("--version").output().ok()?;
    String::from_utf8_lossy(&version.stdout).contains("2.1.0").then_some(program)
}

#[test]
fn version_2_s_own_client_works() {
    let Some(program) = program() else {
        return eprintln!(
            "skipped: no dgate-cli 2.1.0 on the PATH or in TIDEGATE_DGATE_CLI (cargo install dgate)"
        );
    };
    let node = start();
    let admin = format!("http://127.0.0.1:{}", node.admin);
    let say =
        |words: &[&str]| -> Said { run(Command::new(&program).args(words).env("DGATE_ADMIN_API", &admin)) };
    let module = base64::engine::general_purpose::STANDARD
        .encode("export const requestHandler = (ctx) => ctx.response().send('from dgate-cli');");
    let payload = format!("payload={module}");
    let kinds: [(&str, &str, &[&str]); 7] = [
        ("namespace", "n1", &[r#"tags:=["a"]"#]),
        ("service", "s1", &[r#"urls:=["http://127.0.0.1:1"]"#, "retries:=2", "request_timeout_ms:=500"]),
        ("module", "m1", &[&payload, "moduleType=javascript"]),
        (
            "route",
            "r1",
            &[r#"paths:=["/x/**"]"#, r#"methods:=["GET"]"#, r#"modules:=["m1"]"#, "strip_path:=true"],
        ),
        ("domain", "d1", &[r#"patterns:=["*"]"#, "priority:=2"]),
        ("collection", "c1", &["visibility=public", r#"schema:={"type":"object"}"#]),
        ("secret", "k1", &["data=planted-in-secret"]),
    ];
    for (kind, name, words) in kinds {
        let named = format!("name={name}");
        let within: &[&str] = if kind == "namespace" { &[] } else { &["namespace=n1"] };
        let made = say(&[&[kind, "create", &named], within, words].concat());
        assert_eq!(made.code, Some(0), "{kind}: {}{}", made.out, made.err);
        let within: &[&str] = if kind == "namespace" { &[] } else { &["--namespace", "n1"] };
        let got = say(&[&["-o", "json", kind, "get", name], within].concat());
        let shown: Value =
            serde_json::from_str(&got.out).unwrap_or_else(|_| panic!("{kind}: {}{}", got.out, got.err));
        assert_eq!(shown["name"], name, "{kind}");
        for list in
            [say(&[&["-o", "json", kind, "list"], within].concat()), say(&["-o", "json", kind, "list"])]
        {
            let all: Value = serde_json::from_str(&list.out)
                .unwrap_or_else(|_| panic!("{kind}: {}{}", list.out, list.err));
            assert!(all.as_array().is_some_and(|all| all.contains(&shown)), "{kind}: {all}");
        }
        assert!(!got.out.contains("planted"), "{kind}");
    }
    let shown = say(&["-o", "json", "service", "get", "s1", "--namespace", "n1"]);
    let service: Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!((&service["requestTimeout"], &service["retries"]), (&"500ms".into(), &2.into()), "{service}");
    // What it wrote is served.
    assert_eq!(node.get("/x/y/z").text(), "from dgate-cli");

    let made = say(&["document", "create", "id=one", "namespace=n1", "collection=c1", r#"data:={"n":1}"#]);
    assert_eq!(made.code, Some(0), "{}{}", made.out, made.err);
    let of = ["--collection", "c1", "--namespace", "n1"];
    let got = say(&[&["-o", "json", "document", "get", "one"], &of[..]].concat());
    let shown: Value = serde_json::from_str(&got.out).expect("JSON");
    assert_eq!(shown["data"]["n"], 1, "{shown}");
    // It asks for a list of documents with the very request that reads a collection, and gets that.
    assert_eq!(say(&[&["document", "list"], &of[..]].concat()).code, Some(0));
    assert_eq!(say(&[&["document", "delete", "one"], &of[..]].concat()).code, Some(0));
    assert_eq!(say(&[&["document", "get", "one"], &of[..]].concat()).code, Some(1));

    for (kind, name, _) in kinds.iter().rev().filter(|(kind, ..)| *kind != "namespace" && *kind != "module") {
        let gone = say(&[kind, "delete", name, "--namespace", "n1"]);
        assert_eq!(gone.code, Some(0), "{kind}: {}{}", gone.out, gone.err);
        assert_eq!(say(&[kind, "delete", name, "--namespace", "n1"]).code, Some(1), "{kind}");
    }
    for words in [&["module", "delete", "m1", "--namespace", "n1"][..], &["namespace", "delete", "n1"]] {
        let gone = say(words);
        assert_eq!(gone.code, Some(0), "{}{}", gone.out, gone.err);
    }
    assert!(!node.log().contains("planted"));
}
