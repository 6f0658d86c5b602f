//! Refusals: every fault at once, each with its path, and nothing written.

use crate::operator::node::{Plan, client, module};
use crate::operator::{Json as _, Says as _};
use crate::refused;
use serde_json::{Value, json};

#[test]
fn every_fault_at_once_with_its_path() {
    let node = Plan::new().start();
    let body = json!({
        "name": "a b", "urls": ["nowhere", "http://ok:1", "ftp://x"], "retries": -1, "requestTimeout": "soon", "nonsense": 1,
    });
    let at = refused(&node, "/api/v1/service", &body);
    for path in ["name", "urls[0]", "urls[2]", "retries", "requestTimeout", "nonsense"] {
        // A field that is wrong in form cannot also be checked for its meaning.
        assert!(at.iter().any(|found| found == path), "{path} is not in {at:?}");
    }
    let body = json!({ "name": "r", "paths": ["x", "/{a}/{a}", "/ok"], "methods": ["GET", "*", "get it"], "modules": ["m"] });
    let at = refused(&node, "/api/v1/route", &body);
    for path in ["paths[0]", "paths[1]", "methods"] {
        assert!(at.iter().any(|found| found.starts_with(path)), "{path} is not in {at:?}");
    }
    let at = refused(
        &node,
        "/api/v1/domain",
        &json!({ "name": "d", "patterns": ["a*b", "/(/", "ok.example"], "cert": "x" }),
    );
    for path in ["patterns[0]", "patterns[1]", "cert"] {
        assert!(at.iter().any(|found| found.starts_with(path)), "{path} is not in {at:?}");
    }
    let at = refused(
        &node,
        "/api/v1/collection",
        &json!({ "name": "c", "schema": { "type": "nothing" }, "visibility": "secret" }),
    );
    assert!(
        at.iter().any(|found| found.starts_with("schema")) && at.iter().any(|found| found == "visibility"),
        "{at:?}"
    );
    // References that lead nowhere, and what others refer to.
    for (path, body, at) in [
        (
            "/api/v1/route",
            json!({ "name": "r", "paths": ["/r"], "methods": ["*"], "service": "gone" }),
            "service",
        ),
        (
            "/api/v1/route",
            json!({ "name": "r", "paths": ["/r"], "methods": ["*"], "modules": ["gone"] }),
            "modules[0]",
        ),
        ("/api/v1/service", json!({ "name": "s", "namespace": "gone", "urls": ["http://a:1"] }), "namespace"),
        ("/api/v1/document/d?collection=gone", json!({}), "collection"),
    ] {
        let found = refused(&node, path, &body);
        assert!(found.iter().any(|found| found == at), "{body}: {found:?}");
    }
    node.put("/api/v1/service", json!({ "name": "s", "urls": ["http://a:1"] }));
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/r"], "methods": ["*"], "service": "s" }));
    let held = node.admin("DELETE", "/api/v1/service/default/s", &Value::Null);
    assert!(held.status() == 409 && held.text().contains('r'), "{held:?}");
    assert_eq!(
        node.admin("GET", "/changelog", &Value::Null).json()["count"],
        2,
        "nothing that was refused was written"
    );
}

#[test]
fn bodies_are_strict_json() {
    let node = Plan::new().start();
    let send = |kind: &str, text: &str| {
        client(node.admin).say("PUT", "/api/v1/namespace", &[("Content-Type", kind)], text.as_bytes())
    };
    for (text, part) in [
        (r#"{"name":"a","name":"b"}"#, "same key twice"),
        (r#"{"name":"a","tags":["x"],"tags":[]}"#, "same key twice"),
        (r#"{"name":"a""#, ""),
        (r#"{"name":"a"} x"#, ""),
        ("", ""),
        ("[]", ""),
        (r#"{"name":1}"#, "name"),
        (&("[".repeat(100_000)), ""),
    ] {
        let answer = send("application/json", text);
        assert_eq!(answer.status(), 400, "{}: {answer:?}", &text[..text.len().min(40)]);
        assert!(answer.json()["error"].as_str().is_some_and(|error| error.contains(part)), "{answer:?}");
    }
    assert_eq!(send("text/html", r#"{"name":"a"}"#).status(), 415);
    // curl's default, which scripts of DGate rely on.
    assert_eq!(send("application/x-www-form-urlencoded", r#"{"name":"a"}"#).status(), 201);
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(17 << 20));
    let mut over = client(node.admin);
    over.try_send(crate::operator::request(
        "PUT",
        "/api/v1/namespace",
        &[("Content-Type", "application/json")],
        large.as_bytes(),
    ));
    if let Ok(answer) = over.try_response() {
        assert_eq!(answer.status(), 413);
    }
}

#[test]
fn documents_obey_their_schema() {
    let node = Plan::new().start();
    let schema = json!({
        "type": "object", "required": ["name", "age"], "additionalProperties": false,
        "properties": { "name": { "type": "string", "maxLength": 5 }, "age": { "type": "integer", "minimum": 0 },
            "list": { "type": "array", "items": { "type": "string" } } },
    });
    node.put("/api/v1/collection", json!({ "name": "people", "schema": schema, "visibility": "public" }));
    let at = "/api/v1/document/d?collection=people";
    let wrong = json!({ "name": "planted-name", "age": -1, "list": ["a", 2], "more": 1 });
    let answer = node.admin("PUT", at, &wrong);
    assert_eq!(answer.status(), 400, "{answer:?}");
    let told = answer.json();
    let errors = told["errors"].as_array().expect("sentences").len();
    assert!(errors >= 3, "every violation: {told}");
    for path in ["data.age", "data.list[1]", "data.name"] {
        assert!(
            told["faults"].as_array().is_some_and(|all| all.iter().any(|f| f["at"] == path)),
            "{path}: {told}"
        );
    }
    assert!(!answer.text().contains("planted-name"), "what was sent is not repeated: {told}");
    node.put(at, json!({ "name": "Ann", "age": 3 }));
    // A schema that what is there would break is refused.
    let stricter = json!({ "name": "people", "schema": { "type": "object", "required": ["other"] }, "visibility": "public" });
    let answer = node.admin("PUT", "/api/v1/collection", &stricter);
    assert!([200, 201, 400].contains(&answer.status()), "{answer:?}");
}

#[test]
fn modules_must_compile() {
    let node = Plan::new().start();
    let answer =
        node.admin("PUT", "/api/v1/module", &module("m", "const x: number = 1;\n\nexport function f( {\n"));
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!((answer.status(), &answer.json()["faults"][0]["at"]), (400, &json!("payload")), "{answer:?}");
    assert!(error.contains("m.ts:3:") || error.contains("m.ts:4:"), "{error}");
    let mut broken = module("m", "");
    broken["payload"] = "no base64!".into();
    assert_eq!(refused(&node, "/api/v1/module", &broken), ["payload"]);
    let mut typed = module("m.js", "const x: number = 1;");
    assert!(
        refused(&node, "/api/v1/module", &typed).contains(&"payload".into()),
        "TypeScript is no JavaScript"
    );
    typed["moduleType"] = "python".into();
    assert!(refused(&node, "/api/v1/module", &typed).contains(&"moduleType".into()));
    // Line breaks in base64, as `base64` writes them.
    let mut wrapped = module("m", &"// a comment that makes it long\n".repeat(8));
    let payload = wrapped["payload"].as_str().unwrap_or_default().to_owned();
    wrapped["payload"] = payload
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line) + "\n")
        .collect::<String>()
        .into();
    node.put("/api/v1/module", wrapped);
}
