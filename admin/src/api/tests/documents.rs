//! Collections and documents: schemas, pages, visibility, and the three places where clients look for them.

use super::*;

async fn node_with(visibility: &str) -> Node {
    let node = Node::start().await;
    let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
    let collection = json!({"name": "c", "namespace": "default", "schema": schema, "visibility": visibility});
    node.set("/api/v1/collection", collection).await;
    node
}

#[tokio::test]
async fn pages_and_deletion() {
    let node = node_with("public").await;
    for id in 0..5 {
        let put = node
            .put(&format!("/api/v1/document/d{id}?namespace=default&collection=c"), json!({"n": id}))
            .await;
        assert_eq!((put.status, &put.json()["data"]["data"]), (201, &json!({"n": id})), "{put:?}");
    }
    let list = node.get("/api/v1/document?namespace=default&collection=c&limit=2&offset=1").await.json();
    assert_eq!(list["documents"], list["data"]);
    assert_eq!(
        (&list["limit"], &list["offset"], &list["count"], &list["total"]),
        (&json!(2), &json!(1), &json!(2), &json!(5))
    );
    assert_eq!(list["documents"][0]["id"], "d1");
    assert_eq!(node.get("/api/v1/document?collection=c&limit=x").await.status, 400);
    assert_eq!(node.get("/api/v1/document?collection=c&limit=999999").await.json()["limit"], 1000);
    assert_eq!(node.get("/api/v1/document").await.status, 400, "the collection is missing");
    assert_eq!(node.get("/api/v1/document?collection=q").await.status, 404);
    assert_eq!(node.delete("/api/v1/document/d0?collection=c", Value::Null).await.status, 202);
    assert_eq!(node.get("/api/v1/document/d0?collection=c").await.status, 404);
    let refused = node.delete("/api/v1/collection/c?namespace=default", Value::Null).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(node.delete("/api/v1/document?collection=c", Value::Null).await.json()["count"], 4);
    assert_eq!(node.delete("/api/v1/collection/c?namespace=default", Value::Null).await.status, 202);
}

#[tokio::test]
async fn schemas_guard_documents_and_documents_guard_schemas() {
    let node = node_with("public").await;
    let path = "/api/v1/document/d?collection=c";
    let refused = node.put(path, json!({"n": "hushhush"})).await;
    assert_eq!((refused.status, paths(&refused)), (400, vec!["data.n".to_owned()]));
    assert!(!refused.text.contains("hushhush"), "{refused:?}");
    node.set(path, json!({"n": 1})).await;
    let collection = json!({"name": "c", "namespace": "default", "schema": {"required": ["m"]}});
    let refused = node.put("/api/v1/collection", collection).await;
    assert_eq!((refused.status, paths(&refused)), (400, vec!["schema".to_owned()]));
    let nowhere = node.put("/api/v1/document/d?collection=q", json!(1)).await;
    assert_eq!((nowhere.status, paths(&nowhere)), (400, vec!["collection".to_owned()]));
}

#[tokio::test]
async fn private_collections_are_not_listed() {
    let node = node_with("private").await;
    node.set("/api/v1/document/d?collection=c", json!({"n": 1})).await;
    assert_eq!(node.get("/api/v1/document?collection=c").await.status, 403);
    assert_eq!(node.get("/api/v1/document/d?collection=c").await.status, 200);
}

#[tokio::test]
async fn version_2_bodies() {
    let node = node_with("public").await;
    let whole = json!({"id": "a", "namespace": "default", "collection": "c", "data": {"n": 1}});
    let put = node.put("/api/v1/document/default/c/a", whole.clone()).await;
    assert_eq!((put.status, &put.json()["data"]["data"]), (200, &json!({"n": 1})), "{put:?}");
    let other = node.put("/api/v1/document/default/c/b", whole).await;
    assert_eq!((other.status, paths(&other)), (400, vec!["id".to_owned()]));
    node.set("/api/v1/document/default/c/b", json!({"n": 2, "data": 5})).await;
    // What dgate-cli 2.1.0 really sends.
    let put = node.set("/api/v1/collection/default/c/e%2F1", json!({"n": 3})).await;
    assert_eq!((&put["data"]["id"], &put["data"]["data"]), (&json!("e/1"), &json!({"n": 3})));
    assert_eq!(node.get("/api/v1/collection/default/c/a").await.json()["data"]["id"], "a");
    assert_eq!(node.get("/api/v1/collection/default/c").await.json()["data"]["name"], "c");
    assert_eq!(node.delete("/api/v1/collection/default/c/a", Value::Null).await.status, 200);
    assert_eq!(node.delete("/api/v1/document/default/c/a", Value::Null).await.status, 404);
}
