//! What a write does besides writing: references, modules with their places, tags, and when it is answered.

use super::*;

#[tokio::test]
async fn a_write_is_answered_when_every_core_runs_it() {
    let node = Node::start().await;
    node.set("/api/v1/namespace", json!({"name": "n"})).await;
    assert_eq!(node.shards.newest.load(Ordering::SeqCst), node.revision());
    node.shards.lagging.store(1, Ordering::SeqCst);
    let got = node.put("/api/v1/namespace", json!({"name": "m"})).await;
    assert_eq!(got.status, 504);
    assert!(
        got.json()["error"].as_str().is_some_and(|error| error.contains("is stored, but shards 1")),
        "{got:?}"
    );
    assert_eq!(node.get("/api/v1/namespace/m").await.status, 200);
}

#[tokio::test]
async fn the_same_again_is_not_logged() {
    let node = Node::start().await;
    let service = json!({"name": "s", "namespace": "default", "urls": ["http://a"]});
    node.set("/api/v1/service", service.clone()).await;
    let before = node.revision();
    node.set("/api/v1/service", service).await;
    // What was answered, written back.
    let shown = node.get("/api/v1/service/default/s").await.json()["data"].take();
    node.set("/api/v1/service/default/s", shown).await;
    assert_eq!(node.revision(), before);
    node.set("/api/v1/service", json!({"name": "s", "namespace": "default", "urls": ["http://b"]})).await;
    assert!(node.revision() > before);
}

#[tokio::test]
async fn references() {
    let node = Node::start().await;
    let route = json!({"name": "r", "namespace": "default", "paths": ["/"], "methods": ["*"], "service": "s",
        "modules": ["m"]});
    let got = node.put("/api/v1/route", route.clone()).await;
    assert_eq!((got.status, paths(&got)), (400, vec!["service".to_owned(), "modules[0]".to_owned()]));
    node.set("/api/v1/service", json!({"name": "s", "namespace": "default", "urls": ["http://a"]})).await;
    node.set("/api/v1/module", json!({"name": "m", "payloadRaw": "export function requestModifier() {}"}))
        .await;
    node.set("/api/v1/route", route).await;
    for (kind, name) in [("service", "s"), ("module", "m")] {
        let got = node.delete(&format!("/api/v1/{kind}"), json!({"name": name})).await;
        assert_eq!(got.status, 409, "{got:?}");
        assert!(got.json()["error"].as_str().is_some_and(|error| error.contains("'r'")), "{got:?}");
    }
    let got = node.put("/api/v1/service/nowhere/s", json!({"urls": ["http://a"]})).await;
    assert_eq!((got.status, paths(&got)), (400, vec!["namespace".to_owned()]));
}

#[tokio::test]
async fn modules_are_refused_with_their_places() {
    let node = Node::start().await;
    let module =
        |name: &str, source: &str| json!({"name": name, "namespace": "default", "payloadRaw": source});
    let got = node.put("/api/v1/module", module("m", "export const a = 1;\nlet = 2;")).await;
    assert_eq!(got.status, 400);
    assert!(got.json()["error"].as_str().is_some_and(|error| error.contains("m.ts:2:")), "{got:?}");
    node.set("/api/v1/module", module("lib", "export const n = 1;")).await;
    node.set(
        "/api/v1/module",
        module("m", "import { n } from './lib';\nexport function requestHandler() { n }"),
    )
    .await;
    let route =
        json!({"name": "r", "namespace": "default", "paths": ["/"], "methods": ["*"], "modules": ["m"]});
    node.set("/api/v1/route", route).await;
    let got = node.delete("/api/v1/module", json!({"name": "lib"})).await;
    assert_eq!(got.status, 409);
    assert!(got.json()["error"].as_str().is_some_and(|error| error.contains("route 'r'")), "{got:?}");
    let one = node.get("/api/v1/module/lib").await.json();
    assert_eq!(one["data"]["payload"], "ZXhwb3J0IGNvbnN0IG4gPSAxOw==");
}

#[tokio::test]
async fn tags_guard_against_lost_updates() {
    let node = Node::start().await;
    let path = "/api/v1/service/default/s";
    let body = |url: &str| json!({"urls": [url]}).to_string();
    let put = |tag: &'static str, url: &'static str| {
        let node = &node;
        async move { node.send(Method::PUT, path, &[("if-match", tag)], body(url)).await }
    };
    assert_eq!(put("\"0\"", "http://a").await.status, 412, "there is nothing yet");
    node.set(path, json!({"urls": ["http://a"]})).await;
    let tag: &'static str = node.get(path).await.header("etag").to_owned().leak();
    assert_eq!(put(tag, "http://b").await.status, 200);
    let stale = put(tag, "http://c").await;
    assert_eq!((stale.status, &stale.json()["success"]), (412, &json!(false)));
    assert_eq!(put("W/\"x\"", "http://c").await.status, 400);
    assert_eq!(node.send(Method::DELETE, path, &[("if-match", tag)], Body::empty()).await.status, 412);
    assert_eq!(node.send(Method::DELETE, path, &[("if-match", "*")], Body::empty()).await.status, 200);
}

#[tokio::test]
async fn concurrent_writers_all_get_through() {
    let node = Node::start().await;
    let writes = (0..20).map(|at| {
        let state = node.state.clone();
        tokio::spawn(async move {
            let body =
                json!({"name": format!("s{at}"), "namespace": "default", "urls": ["http://a"]}).to_string();
            let request = http::Request::put("/api/v1/service").body(Body::from(body)).expect("a request");
            router(state).oneshot(request).await.expect("an answer").status().as_u16()
        })
    });
    for write in writes.collect::<Vec<_>>() {
        assert_eq!(write.await.expect("no panic"), 201);
    }
    assert_eq!(node.get("/api/v1/service").await.json()["count"], 20);
}
