//! Secrets, private keys and documents never leave through an answer that is not theirs, and never reach the log, at
//! any level.

use crate::operator::node::Plan;
use crate::operator::{Json as _, request};
use serde_json::{Value, json};

const SECRET: &str = "planted-secret-value";
const DOCUMENT: &str = "planted-document-value";
const SOURCE: &str = "planted-module-source";
const PASSWORD: &str = "planted-password";

/// A self-signed certificate and its key, if openssl is there to make them.
fn certificate(folder: &std::path::Path) -> Option<(String, String)> {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=x.example.com", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .ok()?;
    made.status.success().then_some(())?;
    Some((std::fs::read_to_string(cert).ok()?, std::fs::read_to_string(key).ok()?))
}

#[test]
fn nothing_planted_comes_out() {
    let config = format!(
        "admin:\n  host: 127.0.0.1\n  port: 0\n  auth_method: basic\n  basic_auth:\n    users: [{{username: ann, password: {PASSWORD}}}]\n"
    );
    let plan = Plan::yaml(&config).flag("--log-level", "trace");
    let pems = certificate(plan.folder());
    let node = plan.start();
    use base64::Engine as _;
    let basic =
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("ann:{PASSWORD}")));
    let mut answers = String::new();
    let mut ask = |method: &str, path: &str, body: &Value| {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let fields = [("Authorization", basic.as_str()), ("Content-Type", "application/json")];
        let answer =
            crate::operator::node::client(node.admin).ask(request(method, path, &fields, text.as_bytes()));
        if !path.contains("/document") && !path.contains("/module") {
            answers += &format!("{:?} {}\n", answer.head, answer.text());
        }
        answer
    };
    let ok = |answer: crate::harness::Message| assert!((200..300).contains(&answer.status()), "{answer:?}");
    ok(ask("PUT", "/api/v1/secret", &json!({ "name": "s", "data": SECRET })));
    ok(ask("PUT", "/api/v1/secret/default/s2", &json!({ "data": SECRET })));
    ok(ask(
        "PUT",
        "/api/v1/collection",
        &json!({ "name": "c", "visibility": "public", "schema": { "maxProperties": 1 } }),
    ));
    ok(ask("PUT", "/api/v1/document/d?collection=c", &json!({ "v": DOCUMENT })));
    ok(ask(
        "PUT",
        "/api/v1/module",
        &crate::operator::node::module(
            "m",
            &format!("export const requestHandler = (ctx: any) => {{ ctx.response().send('{SOURCE}'); }};"),
        ),
    ));
    if let Some((cert, key)) = &pems {
        ok(ask(
            "PUT",
            "/api/v1/domain",
            &json!({ "name": "d", "patterns": ["x.example.com"], "cert": cert, "key": key }),
        ));
    } else {
        eprintln!("without a certificate: openssl is not there");
    }
    // Refusals repeat nothing either.
    for (path, body) in [
        ("/api/v1/secret", json!({ "name": "s", "data": SECRET, "nonsense": SECRET })),
        ("/api/v1/secret", json!({ "name": SECRET.repeat(40), "data": { "x": SECRET } })),
        ("/api/v1/document/d?collection=c", json!({ "v": DOCUMENT, "w": DOCUMENT })),
        (
            "/api/v1/domain",
            json!({ "name": "d2", "patterns": ["y.example.com"], "cert": SECRET, "key": SECRET }),
        ),
        ("/api/v1/collection", json!({ "name": "c", "schema": { "type": SECRET } })),
    ] {
        let refused = ask("PUT", path, &body);
        assert_eq!(refused.status(), 400, "{path}: {refused:?}");
        for planted in [SECRET, DOCUMENT] {
            assert!(!refused.json()["error"].to_string().contains(planted), "{path}: {refused:?}");
        }
    }
    let wrong = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("ann:planted-wrong"));
    let refused = crate::operator::node::client(node.admin).ask(request(
        "GET",
        "/api/v1/secret",
        &[("Authorization", &wrong)],
        b"",
    ));
    assert_eq!(refused.status(), 401);
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/changelog",
        "/openapi.json",
        "/api/v1/changelog",
        "/api/v1/cluster/status",
        "/api/v1/secret",
        "/api/v1/secret/s",
        "/api/v1/secret/default/s2",
        "/api/v1/domain",
        "/api/v1/domain/d",
        "/api/v1/domain/default/d",
        "/api/v1/collection",
        "/api/v1/namespace",
        "/api/v1/route",
        "/api/v1/service",
    ] {
        assert!([200, 404].contains(&ask("GET", path, &Value::Null).status()), "{path}");
    }
    // A domain that is read and written back keeps its certificate, which nobody saw.
    if pems.is_some() {
        let mut read = ask("GET", "/api/v1/domain/default/d", &Value::Null).json()["data"].clone();
        assert!(read.get("key").is_none() && read.get("cert").is_none(), "{read}");
        read["priority"] = 5.into();
        ok(ask("PUT", "/api/v1/domain/default/d", &read));
    }
    ok(ask("DELETE", "/api/v1/document/d?collection=c", &Value::Null));
    let log = node.stop();
    let key_line = pems.as_ref().and_then(|(_, key)| key.lines().nth(1)).unwrap_or("BEGIN PRIVATE KEY");
    let cert_line = pems.as_ref().and_then(|(cert, _)| cert.lines().nth(1)).unwrap_or("BEGIN CERTIFICATE");
    let payload = base64::engine::general_purpose::STANDARD.encode(SOURCE);
    for planted in [
        SECRET,
        DOCUMENT,
        PASSWORD,
        "planted-wrong",
        key_line,
        cert_line,
        "BEGIN PRIVATE KEY",
        basic.as_str(),
    ] {
        assert!(!answers.contains(planted), "an answer shows {planted}");
        assert!(!log.contains(planted), "the log shows {planted}");
    }
    assert!(!log.contains(SOURCE) && !log.contains(&payload), "the log shows a module's source");
}
