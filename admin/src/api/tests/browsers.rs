//! Who gets in at all: credentials, addresses, pages of other origins, and a node that only watches.

use super::*;
use crate::api::auth::{AdminAuth, KeySource};

#[tokio::test]
async fn credentials() {
    let auth = AdminAuth::Basic(vec![("ann".into(), "hunter2".into())]);
    let node = Node::with(ApiSettings { auth, ..ApiSettings::default() }).await;
    let got = node.get("/api/v1/service").await;
    assert_eq!(got.status, 401);
    assert!(got.header("www-authenticate").starts_with("Basic "), "{got:?}");
    // ann:hunter2
    let good = [("authorization", "Basic YW5uOmh1bnRlcjI=")];
    assert_eq!(node.send(Method::GET, "/api/v1/service", &good, Body::empty()).await.status, 200);
    for (path, expected) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/health", 200),
        ("/", 401),
        ("/metrics", 401),
        ("/changelog", 401),
        ("/openapi.json", 401),
        ("/api/v1/cluster/status", 401),
        ("/nowhere", 401),
    ] {
        assert_eq!(node.get(path).await.status, expected, "{path}");
    }
    let auth = AdminAuth::Key { source: KeySource::default(), keys: vec!["k".into()] };
    let node = Node::with(ApiSettings { auth, ..ApiSettings::default() }).await;
    assert_eq!(node.get("/api/v1/service").await.status, 401);
    assert_eq!(
        node.send(Method::GET, "/api/v1/service", &[("x-api-key", "k")], Body::empty()).await.status,
        200
    );
    assert_eq!(node.put("/healthz", json!({})).await.status, 401, "only reading is open");
}

#[tokio::test]
async fn pages_of_other_origins() {
    let node = Node::start().await;
    let host = ("host", "localhost:9080");
    for (fields, expected) in [
        (vec![host], 201),
        (vec![host, ("origin", "http://localhost:9080"), ("sec-fetch-site", "same-origin")], 201),
        (vec![host, ("origin", "https://evil.example")], 403),
        (vec![host, ("origin", "null")], 403),
        (vec![host, ("sec-fetch-site", "cross-site")], 403),
        (vec![("host", "rebound.example:9080")], 421),
        (vec![("host", "rebound.example:9080"), ("origin", "http://rebound.example:9080")], 421),
    ] {
        let body = json!({"name": "n"}).to_string();
        let got = node.send(Method::PUT, "/api/v1/namespace", &fields, body).await;
        assert_eq!(got.status, expected, "{fields:?}");
        assert!(got.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{got:?}");
    }
    let preflight = [host, ("origin", "https://evil.example"), ("access-control-request-method", "PUT")];
    assert_eq!(node.send(Method::OPTIONS, "/api/v1/namespace", &preflight, Body::empty()).await.status, 403);
    assert_eq!(
        node.send(Method::GET, "/healthz", &[("host", "rebound.example")], Body::empty()).await.status,
        421
    );
}

#[tokio::test]
async fn addresses_and_watching() {
    let allow_list = vec!["10.0.0.0/8".parse().expect("a network")];
    let node =
        Node::with(ApiSettings { allow_list, x_forwarded_for_depth: 1, ..ApiSettings::default() }).await;
    for (fields, expected) in [
        (vec![], 403),
        (vec![("x-forwarded-for", "10.1.1.1")], 200),
        (vec![("x-forwarded-for", "10.1.1.1, 11.0.0.1")], 403),
    ] {
        let got = node.send(Method::GET, "/api/v1/service", &fields, Body::empty()).await;
        assert_eq!(got.status, expected, "{fields:?}");
    }
    let node = Node::with(ApiSettings { watch_only: true, ..ApiSettings::default() }).await;
    assert_eq!(node.put("/api/v1/namespace", json!({"name": "n"})).await.status, 403);
    assert_eq!(node.get("/api/v1/namespace").await.status, 200);
    assert_eq!(node.get("/").await.header("x-dgate-watchonly"), "true");
}
