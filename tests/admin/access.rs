//! Who may call: credentials, networks, browsers of other origins, and a node that only watches.

use crate::harness::Message;
use crate::operator::node::{Node, Plan, client};
use crate::operator::{Json as _, request};
use base64::Engine as _;
use serde_json::{Value, json};

fn admin(rest: &str) -> Node {
    Plan::yaml(&format!("admin:\n  host: 127.0.0.1\n  port: 0\n{rest}")).start()
}

#[track_caller]
fn ask(node: &Node, method: &str, path: &str, fields: &[(&str, &str)]) -> Message {
    let body = if method == "PUT" { &br#"{"name":"n"}"#[..] } else { b"" };
    client(node.admin).ask(request(method, path, fields, body))
}

fn basic(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[test]
fn credentials() {
    let users = admin(
        "  auth_method: basic\n  basic_auth:\n    users: [{username: ann, password: 'a:b'}, {username: bob, password: c}]\n",
    );
    let key = admin("  auth_method: key\n  key_auth: {header_name: X-Admin-Key, keys: [k1, k2]}\n");
    let query = admin("  auth_method: key\n  key_auth: {query_param_name: token, keys: [k1]}\n");
    let none = Plan::new().start();
    let (ann, bob, wrong) = (basic("ann:a:b"), basic("bob:c"), basic("ann:c"));
    for (node, path, fields, status) in [
        (&none, "/api/v1/service", vec![], 200),
        (&users, "/api/v1/service", vec![], 401),
        (&users, "/api/v1/service", vec![("Authorization", ann.as_str())], 200),
        (&users, "/api/v1/service", vec![("Authorization", bob.as_str())], 200),
        (&users, "/api/v1/service", vec![("Authorization", wrong.as_str())], 401),
        (
            &users,
            "/api/v1/service",
            vec![("Authorization", ann.as_str()), ("Authorization", ann.as_str())],
            401,
        ),
        (&users, "/metrics", vec![], 401),
        (&users, "/openapi.json", vec![], 401),
        (&users, "/", vec![], 401),
        (&users, "/healthz", vec![], 200),
        (&users, "/readyz", vec![], 200),
        (&key, "/api/v1/service", vec![], 401),
        (&key, "/api/v1/service", vec![("X-Admin-Key", "k2")], 200),
        (&key, "/api/v1/service", vec![("x-admin-key", "k3")], 401),
        (&key, "/api/v1/service?X-Admin-Key=k1", vec![], 401),
        (&query, "/api/v1/service?token=k1", vec![], 200),
        (&query, "/api/v1/service?token=k2", vec![], 401),
    ] {
        for method in ["GET", "PUT"] {
            if method == "PUT" && !path.starts_with("/api") {
                continue;
            }
            let path = path.replace("service", "namespace");
            let answer = ask(node, method, &path, &fields);
            let expected = if method == "PUT" && status == 200 { 201 } else { status };
            assert_eq!(answer.status(), expected, "{method} {path} {fields:?}: {answer:?}");
            if status == 401 {
                assert!(answer.get("www-authenticate").is_some(), "{answer:?}");
            }
        }
    }
}

#[test]
fn networks() {
    let closed = admin("  allow_list: [10.0.0.0/8, '::1']\n");
    assert_eq!(ask(&closed, "GET", "/api/v1/service", &[]).status(), 403);
    assert_eq!(ask(&closed, "GET", "/api/v1/service", &[("X-Forwarded-For", "10.0.0.1")]).status(), 403);
    let open = admin("  allow_list: [127.0.0.1]\n");
    assert_eq!(ask(&open, "GET", "/api/v1/service", &[]).status(), 200);
    let behind = admin("  allow_list: [10.0.0.0/8]\n  x_forwarded_for_depth: 1\n");
    assert_eq!(
        ask(&behind, "GET", "/api/v1/service", &[("X-Forwarded-For", "6.6.6.6, 10.0.0.1")]).status(),
        200
    );
    assert_eq!(
        ask(&behind, "GET", "/api/v1/service", &[("X-Forwarded-For", "10.0.0.1, 6.6.6.6")]).status(),
        403
    );
}

#[test]
fn pages_of_other_origins() {
    let node = Plan::new().start();
    let own = format!("localhost:{}", node.admin);
    let origin = format!("http://{own}");
    for (fields, status) in [
        (vec![("Host", own.as_str())], 200),
        (vec![("Host", "127.0.0.1")], 200),
        (vec![("Host", "evil.example.net")], 421),
        (vec![("Host", "127.0.0.1.evil.net")], 421),
        (vec![("Host", own.as_str()), ("Origin", origin.as_str())], 200),
        (vec![("Host", own.as_str()), ("Origin", "http://evil.net")], 403),
        (vec![("Host", own.as_str()), ("Origin", "null")], 403),
        (vec![("Host", own.as_str()), ("Origin", "http://localhost:1")], 403),
        (vec![("Host", own.as_str()), ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![("Host", own.as_str()), ("Sec-Fetch-Site", "same-site")], 403),
        (vec![("Host", own.as_str()), ("Sec-Fetch-Site", "same-origin")], 200),
    ] {
        let read = ask(&node, "GET", "/api/v1/namespace", &fields);
        assert_eq!(read.status(), status, "{fields:?}");
        let written = ask(&node, "PUT", "/api/v1/namespace", &fields);
        assert_eq!(written.status(), if status == 200 { 201 } else { status }, "{fields:?}");
        for answer in [read, written] {
            assert_eq!(answer.get("access-control-allow-origin"), None);
        }
    }
    // What a page may send without asking first, and asking first.
    let simple = [("Host", own.as_str()), ("Origin", "http://evil.net"), ("Content-Type", "text/plain")];
    assert_eq!(ask(&node, "PUT", "/api/v1/namespace", &simple).status(), 403);
    let preflight =
        [("Host", own.as_str()), ("Origin", "http://evil.net"), ("Access-Control-Request-Method", "PUT")];
    let answer = ask(&node, "OPTIONS", "/api/v1/namespace", &preflight);
    assert!(answer.status() >= 400 && answer.get("access-control-allow-methods").is_none(), "{answer:?}");
}

#[test]
fn a_node_that_only_watches() {
    let node = admin("  watch_only: true\n");
    assert_eq!(ask(&node, "GET", "/api/v1/namespace", &[]).status(), 200);
    for (method, path) in [
        ("PUT", "/api/v1/namespace"),
        ("DELETE", "/api/v1/namespace/n"),
        ("PUT", "/api/v1/service/default/s"),
    ] {
        let refused = ask(&node, method, path, &[]);
        assert!(refused.status() == 403 && refused.text().contains("watch_only"), "{refused:?}");
    }
    assert_eq!(ask(&node, "GET", "/", &[]).get("x-dgate-watchonly"), Some("true"));
    assert_eq!(node.admin("GET", "/changelog", &Value::Null).json()["count"], json!(0));
}
