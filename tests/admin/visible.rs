//! A write that was answered is what the very next request meets, on every shard.

use crate::harness::{Upstream, ok};
use crate::operator::node::{Plan, client, module};
use crate::operator::request;
use serde_json::{Value, json};

#[test]
fn the_next_request_on_every_shard_sees_it() {
    let node = Plan::new().flag("--shards", "2").start();
    let [left, right] = ["left", "right"].map(|text| Upstream::answering(move |_| ok(text)));
    let mut clients: Vec<_> = (0..6).map(|_| client(node.proxy)).collect();
    let mut all = |host: &str, path: &str, status: u16, text: &str| {
        for client in &mut clients {
            let answer = client.ask(request("GET", path, &[("Host", host)], b""));
            let is_text = status != 200 || answer.text() == text;
            assert!(
                answer.status() == status && is_text,
                "{host}{path} should be {status} {text}: {answer:?}"
            );
        }
    };
    for round in 0..6 {
        let up = if round % 2 == 0 { &left } else { &right };
        let text = if round % 2 == 0 { "left" } else { "right" };
        all("h", "/r", 404, "");
        node.put("/api/v1/service", json!({ "name": "s", "urls": [up.url()] }));
        node.put(
            "/api/v1/route",
            json!({ "name": "r", "paths": ["/r"], "methods": ["GET"], "service": "s" }),
        );
        all("h", "/r", 200, text);
        node.put("/api/v1/route/default/r", json!({ "paths": ["/q"], "methods": ["GET"], "service": "s" }));
        all("h", "/r", 404, "");
        all("h", "/q", 200, text);
        node.put(
            "/api/v1/module",
            module(
                "m",
                &format!("export const requestHandler = (ctx: any) => ctx.response().send('m{round}');"),
            ),
        );
        node.put(
            "/api/v1/route",
            json!({ "name": "r", "paths": ["/q"], "methods": ["GET"], "modules": ["m"] }),
        );
        all("h", "/q", 200, &format!("m{round}"));
        // Another namespace takes its host, and gives it back.
        node.put("/api/v1/namespace", json!({ "name": "n" }));
        node.put("/api/v1/service", json!({ "name": "s", "namespace": "n", "urls": [up.url()] }));
        node.put(
            "/api/v1/route",
            json!({ "name": "r", "namespace": "n", "paths": ["/*"], "methods": ["*"], "service": "s" }),
        );
        node.put("/api/v1/domain", json!({ "name": "d", "namespace": "n", "patterns": ["n.example.com"] }));
        all("n.example.com", "/q", 200, text);
        all("h", "/q", 200, &format!("m{round}"));
        for path in
            ["domain/n/d", "route/n/r", "service/n/s", "namespace/n", "route/default/r", "service/default/s"]
        {
            let gone = node.admin("DELETE", &format!("/api/v1/{path}"), &Value::Null);
            assert_eq!(gone.status(), 200, "{path}: {gone:?}");
        }
        all("n.example.com", "/q", 404, "");
        all("h", "/q", 404, "");
    }
}
