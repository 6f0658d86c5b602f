//! Statuses and envelopes of both versions, for all eight kinds.

use crate::operator::Json as _;
use crate::operator::node::Plan;
use crate::{bodies, named};
use serde_json::{Value, json};

#[test]
fn version_1() {
    let node = Plan::new().start();
    let null = Value::Null;
    let made = node.admin("PUT", "/api/v1/namespace", &json!({ "name": "ns", "tags": ["t"] }));
    let told = made.json();
    assert_eq!((made.status(), &told["status_code"]), (201, &json!(201)), "{told}");
    assert!(
        told["data"].as_array().is_some_and(|all| all.len() == told["count"].as_u64().unwrap_or(0) as usize),
        "{told}"
    );
    for (kind, body) in bodies() {
        let base = format!("/api/v1/{kind}");
        for _again in 0..2 {
            let made = node.admin("PUT", &base, &named(body.clone(), "ns"));
            let told = made.json();
            assert_eq!(
                (made.status(), &told["status_code"], &told["count"]),
                (201, &json!(201), &json!(1)),
                "{told}"
            );
            assert_eq!((&told["success"], &told["data"][0]["name"]), (&json!(true), &json!("x")), "{told}");
        }
        let list = node.admin("GET", &format!("{base}?namespace=ns"), &null);
        assert_eq!(
            (list.status(), &list.json()["count"], &list.json()["status_code"]),
            (200, &json!(1), &json!(200)),
            "{kind}"
        );
        assert_eq!(list.json()["data"][0]["namespace"], "ns", "{kind}");
        assert_eq!(list.get("content-type"), Some("application/json"));
        let one = node.admin("GET", &format!("{base}/x?namespace=ns"), &null);
        assert_eq!(
            (one.status(), &one.json()["data"]["name"], &one.json()["status_code"]),
            (200, &json!("x"), &json!(200)),
            "{kind}"
        );
        let none = node.admin("GET", &format!("{base}/x?namespace=default"), &null);
        assert_eq!(
            (none.status(), &none.json()["status"], &none.json()["success"]),
            (404, &json!(404), &json!(false)),
            "{kind}"
        );
    }
    // Documents, by query.
    let of = "?namespace=ns&collection=x";
    node.put("/api/v1/collection", json!({ "name": "x", "namespace": "ns", "visibility": "public" }));
    for n in 0..5 {
        let made = node.admin("PUT", &format!("/api/v1/document/d{n}{of}"), &json!({ "n": n }));
        let told = made.json();
        assert_eq!(
            (made.status(), &told["data"]["id"], &told["data"]["data"]["n"]),
            (201, &json!(format!("d{n}")), &json!(n)),
            "{told}"
        );
        assert!(told["data"]["createdAt"].is_string() && told["data"]["updatedAt"].is_string(), "{told}");
    }
    let page = node.admin("GET", &format!("/api/v1/document{of}&limit=2&offset=1"), &null).json();
    assert_eq!(
        (&page["limit"], &page["offset"], &page["count"]),
        (&json!(2), &json!(1), &json!(2)),
        "{page}"
    );
    assert_eq!(
        (&page["documents"][0]["id"], &page["collection"], &page["namespace"]),
        (&json!("d1"), &json!("x"), &json!("ns")),
        "{page}"
    );
    assert_eq!(node.admin("GET", &format!("/api/v1/document/d1{of}"), &null).json()["data"]["data"]["n"], 1);
    // A collection with documents stays.
    let refused = node.admin("DELETE", "/api/v1/collection/x?namespace=ns", &null);
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert_eq!(node.admin("DELETE", &format!("/api/v1/document/d1{of}"), &null).status(), 202);
    assert_eq!(node.admin("DELETE", &format!("/api/v1/document/d1{of}"), &null).status(), 404);
    assert_eq!(node.admin("DELETE", &format!("/api/v1/document{of}"), &null).status(), 202);
    assert_eq!(node.admin("GET", &format!("/api/v1/document{of}"), &null).json()["count"], 0);
    // Private ones are not listed.
    node.put("/api/v1/collection", json!({ "name": "hidden", "namespace": "ns", "visibility": "private" }));
    assert_eq!(node.admin("GET", "/api/v1/document?namespace=ns&collection=hidden", &null).status(), 403);
    for kind in ["route", "module", "service", "domain", "secret"] {
        let status = if kind == "service" { 204 } else { 202 };
        let gone =
            node.admin("DELETE", &format!("/api/v1/{kind}"), &json!({ "name": "x", "namespace": "ns" }));
        assert_eq!(gone.status(), status, "{kind}: {gone:?}");
        assert_eq!(
            node.admin("DELETE", &format!("/api/v1/{kind}"), &json!({ "name": "x", "namespace": "ns" }))
                .status(),
            404
        );
    }
    for collection in ["x", "hidden"] {
        let gone = node.admin("DELETE", &format!("/api/v1/collection/{collection}?namespace=ns"), &null);
        assert_eq!(gone.status(), 202, "{gone:?}");
    }
    assert_eq!(node.admin("DELETE", "/api/v1/namespace", &json!({ "name": "ns" })).status(), 202);
    assert_eq!(node.admin("GET", "/api/v1/namespace/ns", &null).status(), 404);
}

#[test]
fn version_2() {
    let node = Plan::new().start();
    let null = Value::Null;
    let made = node.admin("PUT", "/api/v1/namespace/ns", &json!({ "tags": [] }));
    assert_eq!((made.status(), &made.json()["data"]["name"]), (200, &json!("ns")), "{made:?}");
    for (kind, body) in bodies() {
        let path = format!("/api/v1/{kind}/ns/x");
        let made = node.admin("PUT", &path, &named(body.clone(), "ns"));
        let told = made.json();
        assert_eq!(
            (made.status(), &told["success"], &told["data"]["name"]),
            (200, &json!(true), &json!("x")),
            "{kind}: {told}"
        );
        let elsewhere = node.admin("PUT", &format!("/api/v1/{kind}/ns/y"), &named(body, "ns"));
        assert_eq!(
            (elsewhere.status(), &elsewhere.json()["faults"][0]["at"]),
            (400, &json!("name")),
            "{kind}"
        );
        let got = node.admin("GET", &path, &null);
        assert_eq!((got.status(), &got.json()["data"]), (200, &told["data"]), "{kind}");
        // The tag names exactly this state.
        let tag = got.get("etag").unwrap_or_default().to_owned();
        let ask = |tag: &str| {
            crate::operator::node::client(node.admin).ask(crate::operator::request(
                "DELETE",
                &path,
                &[("If-Match", tag)],
                b"",
            ))
        };
        assert_eq!(ask("\"another\"").status(), 412, "{kind}");
        assert!(!tag.is_empty(), "{kind}");
    }
    let document = "/api/v1/document/ns/x/d1";
    assert_eq!(node.admin("PUT", document, &json!({ "n": 1 })).status(), 200);
    assert_eq!(node.admin("GET", document, &null).json()["data"]["data"]["n"], 1);
    assert_eq!(node.admin("GET", "/api/v1/collection/ns/x/d1", &null).status(), 200);
    assert_eq!(node.admin("DELETE", document, &null).status(), 200);
    for kind in ["route", "module", "service", "domain", "collection", "secret"] {
        let gone = node.admin("DELETE", &format!("/api/v1/{kind}/ns/x"), &null);
        assert_eq!((gone.status(), &gone.json()["success"]), (200, &json!(true)), "{kind}: {gone:?}");
        assert_eq!(node.admin("DELETE", &format!("/api/v1/{kind}/ns/x"), &null).status(), 404, "{kind}");
    }
    assert_eq!(node.admin("DELETE", "/api/v1/namespace/ns", &null).status(), 200);
    // Both spellings of fields, one in answers.
    for body in [
        json!({ "urls": ["http://a:1"], "request_timeout_ms": 1500, "tls_skip_verify": true, "hide_dgate_headers": true }),
        json!({ "urls": ["http://a:1"], "requestTimeout": "1.5s", "tlsSkipVerify": true, "hideDGateHeaders": true }),
        json!({ "urls": ["http://a:1"], "requestTimeout": 1_500_000_000u64, "tlsSkipVerify": true, "hideDGateHeaders": true }),
    ] {
        let told = node.put("/api/v1/service/default/spelt", body);
        assert_eq!(told["data"]["requestTimeout"], "1.5s", "{told}");
        assert_eq!(
            (&told["data"]["tlsSkipVerify"], &told["data"]["hideDGateHeaders"]),
            (&json!(true), &json!(true)),
            "{told}"
        );
    }
    let unknown = node.admin("GET", "/api/v1/nothing", &null);
    assert_eq!((unknown.status(), &unknown.json()["success"]), (404, &json!(false)));
    assert_eq!(node.admin("POST", "/api/v1/service", &json!({})).status(), 405);
}
