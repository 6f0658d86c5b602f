//! The same resources through the calls of both DGate versions, with the statuses and envelopes their clients expect.

use super::*;

const SERVICE: &str = "/api/v1/service";

fn service(name: &str) -> Value {
    json!({"name": name, "namespace": "default", "urls": ["http://127.0.0.1:1"]})
}

#[tokio::test]
async fn version_1() {
    let node = Node::start().await;
    let put = node.put(SERVICE, service("b")).await;
    assert_eq!(put.status, 201);
    let put = node.put(SERVICE, service("a")).await.json();
    assert_eq!((&put["status_code"], &put["count"], &put["success"]), (&json!(201), &json!(2), &json!(true)));
    assert_eq!(put["data"][0]["name"], "a", "all of the kind in the namespace, by name");
    let list = node.get("/api/v1/service?namespace=default").await.json();
    assert_eq!((&list["status_code"], &list["count"]), (&json!(200), &json!(2)));
    let one = node.get("/api/v1/service/a?namespace=default").await.json();
    assert_eq!((&one["status_code"], &one["data"]["connectTimeout"]), (&json!(200), &json!("1s")));
    assert_eq!(node.get("/api/v1/service/a").await.status, 200, "the default namespace needs no name");
    assert_eq!(node.get("/api/v1/service/q").await.status, 404);
    let gone = node.delete(SERVICE, json!({"name": "a", "namespace": "default"})).await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    assert_eq!(node.delete(SERVICE, json!({"name": "a"})).await.status, 404);
    assert_eq!(node.delete(SERVICE, json!({})).await.status, 400);
    for (kind, body) in [
        ("namespace", json!({"name": "n"})),
        ("secret", json!({"name": "s", "data": "x"})),
        ("collection", json!({"name": "c", "schema": {}})),
        ("domain", json!({"name": "d", "patterns": ["*"]})),
        ("module", json!({"name": "m", "payloadRaw": "export const a = 1"})),
        ("route", json!({"name": "r", "paths": ["/"], "methods": ["GET"], "service": "b"})),
    ] {
        let path = format!("/api/v1/{kind}");
        let put = node.put(&path, body.clone()).await;
        assert_eq!(put.status, 201, "{put:?}");
        let gone = node.delete(&path, json!({"name": body["name"]})).await;
        assert_eq!((gone.status, &gone.json()["success"]), (202, &json!(true)), "{kind}");
    }
}

#[tokio::test]
async fn version_2() {
    let node = Node::start().await;
    let body =
        json!({"name": "a", "urls": ["http://127.0.0.1:1"], "connect_timeout_ms": 50, "retries": null});
    let put = node.put("/api/v1/service/default/a", body).await;
    assert_eq!((put.status, &put.json()["data"]["connectTimeout"]), (200, &json!("50ms")));
    let other = node.put("/api/v1/service/default/a", service("b")).await;
    assert_eq!((other.status, paths(&other)), (400, vec!["name".to_owned()]));
    let one = node.get("/api/v1/service/default/a").await;
    assert_eq!((one.status, &one.json()["success"]), (200, &json!(true)));
    node.set("/api/v1/namespace/n", json!({"name": "n", "tags": ["x"]})).await;
    node.set("/api/v1/service/n/c", json!({"urls": ["http://127.0.0.1:1"]})).await;
    let all = node.get(SERVICE).await.json();
    assert_eq!(all["count"], 2, "without a namespace: of all");
    assert_eq!(node.get("/api/v1/service?namespace=n").await.json()["data"][0]["name"], "c");
    let refused = node.delete("/api/v1/namespace/n", Value::Null).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.json()["error"].as_str().is_some_and(|error| error.contains("'service c'")),
        "{refused:?}"
    );
    let gone = node.delete("/api/v1/service/n/c", Value::Null).await;
    assert_eq!((gone.status, &gone.json()["success"]), (200, &json!(true)), "dgate-cli parses the body");
    assert_eq!(node.delete("/api/v1/namespace/n", Value::Null).await.status, 200);
}

#[tokio::test]
async fn the_default_namespace() {
    let node = Node::start().await;
    assert_eq!(node.get("/api/v1/namespace").await.json()["data"][0]["name"], "default");
    assert_eq!(node.get("/api/v1/namespace/default").await.status, 200);
    let node = Node::with(ApiSettings { default_namespace: false, ..ApiSettings::default() }).await;
    assert_eq!(node.get("/api/v1/namespace").await.json()["count"], 0);
    assert_eq!(node.get("/api/v1/service/a").await.status, 400);
    let nameless = node.put(SERVICE, json!({"name": "a", "urls": ["http://a"]})).await;
    assert_eq!((nameless.status, paths(&nameless)), (400, vec!["namespace".to_owned()]));
    assert_eq!(node.put(SERVICE, service("a")).await.status, 400);
}

#[tokio::test]
async fn bodies_that_clients_send() {
    let node = Node::start().await;
    let body = service("a").to_string();
    for (kind, expected) in [
        (None, 201),
        (Some("application/json"), 201),
        (Some("application/json; charset=utf-8"), 201),
        (Some("application/x-www-form-urlencoded"), 201),
        (Some("text/plain"), 415),
        (Some("multipart/form-data; boundary=x"), 415),
    ] {
        let fields: Vec<(&str, &str)> = kind.iter().map(|kind| ("content-type", *kind)).collect();
        let got = node.send(Method::PUT, SERVICE, &fields, body.clone()).await;
        assert_eq!(got.status, expected, "{kind:?} {got:?}");
    }
    for (body, said) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[1]", "JSON object"),
        ("{\"name\":\"a\",\"name\":\"b\"}", "same key twice"),
    ] {
        let got = node.send(Method::PUT, SERVICE, &[], body).await;
        assert_eq!(got.status, 400);
        assert!(got.json()["error"].as_str().is_some_and(|error| error.contains(said)), "{got:?}");
    }
    let large = vec![b' '; call::MAX_BODY + 1];
    assert_eq!(node.send(Method::PUT, SERVICE, &[], large).await.status, 413);
}

#[tokio::test]
async fn every_fault_at_once() {
    let node = Node::start().await;
    let body =
        json!({"name": "a/b", "namespace": "default", "urls": ["ftp://x"], "retries": "3", "colour": 1});
    let got = node.put(SERVICE, body).await;
    assert_eq!(got.status, 400);
    let found = paths(&got);
    assert!(["colour", "retries"].iter().all(|path| found.iter().any(|at| at == path)), "{got:?}");
    let answer = got.json();
    assert!(
        answer["errors"].as_array().is_some_and(|errors| errors.iter().all(Value::is_string)),
        "{answer}"
    );
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("colour: is not a known field")));
    assert_eq!(node.revision(), node.get("/changelog").await.json()["revision"]);
}
