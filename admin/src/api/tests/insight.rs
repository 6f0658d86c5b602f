//! Logs and stats of modules over the API: what is asked for is given, streams go on, and unknown modules are unknown.

use super::*;
use crate::module_log::{Level, Wanted};
use crate::resource::{Hidden, Module};
use axum::body::HttpBody as _;
use tidegate_snapshot::{Event, EventKind, EventLevel};

async fn with_module() -> Node {
    let node = Node::start().await;
    let payload = Module::encode("export const requestHandler = () => {};");
    let own = json!({ "name": "m", "payload": payload, "permissions": ["cache"], "limits": { "cpuMs": 77 } });
    node.set("/api/v1/module", own).await;
    node
}

impl Node {
    fn says(&self, level: EventLevel, kind: EventKind, text: &str) {
        let event = Event::new(3, level, "console", text.into());
        let logs = &self.state.inner.module_logs;
        logs.event(&Event {
            kind,
            module: Some("default/m".into()),
            route: Some("default/r".into()),
            function: Some("requestHandler"),
            request_id: Some("3-1f".into()),
            source: Some("deep".into()),
            stack: "    at f (m.ts:1:2)\n    at g (m.ts:3:4)".into(),
            ..event
        });
        logs.tell();
    }
}

const LOGS: &str = "/api/v1/module/default/m/logs";

#[tokio::test]
async fn a_log_is_read_by_level_limit_and_since_and_emptied() {
    let node = with_module().await;
    let empty = node.get(LOGS).await.json();
    assert_eq!((&empty["success"], &empty["count"], &empty["dropped"]), (&json!(true), &json!(0), &json!(0)));
    for (level, text) in [
        (EventLevel::Debug, "one"),
        (EventLevel::Info, "two"),
        (EventLevel::Warn, "three"),
        (EventLevel::Error, "four"),
    ] {
        node.says(level, EventKind::Console, text);
    }
    node.says(EventLevel::Error, EventKind::Gateway, "not a module's");
    let all = node.get(LOGS).await.json();
    let first = &all["data"][0];
    let seq = first["seq"].as_u64().expect("a number");
    assert!(first["at"].as_str().is_some_and(|at| at.ends_with('Z') && at.len() == 24), "{first}");
    let mut known = first.clone();
    known.as_object_mut().expect("an object").retain(|name, _| !["seq", "at"].contains(&name.as_str()));
    assert_eq!(
        known,
        json!({ "level": "debug", "kind": "console", "what": "console", "source": "deep",
            "function": "requestHandler", "route": "default/r", "request_id": "3-1f", "shard": 3, "text": "one",
            "stack": ["at f (m.ts:1:2)", "at g (m.ts:3:4)"] })
    );
    for (query, expected) in [
        (String::new(), &["one", "two", "three", "four"][..]),
        ("?limit=2".into(), &["three", "four"]),
        ("?level=warn".into(), &["three", "four"]),
        ("?level=ERROR&limit=10".into(), &["four"]),
        (format!("?since={seq}"), &["two", "three", "four"]),
        (format!("?since={}&limit=1", seq + 1), &["three"]),
        (format!("?since={}", seq + 99), &[]),
    ] {
        let got = node.get(&format!("{LOGS}{query}")).await.json();
        let texts: Vec<&str> = got["data"]
            .as_array()
            .expect("entries")
            .iter()
            .filter_map(|entry| entry["text"].as_str())
            .collect();
        assert_eq!(texts, expected, "{query}");
    }
    for query in ["?level=loud", "?limit=-1", "?since=x", "?follow=maybe"] {
        assert_eq!(node.get(&format!("{LOGS}{query}")).await.status, 400, "{query}");
    }
    let cleared = node.delete(LOGS, Value::Null).await;
    assert_eq!((cleared.status, &cleared.json()["success"]), (200, &json!(true)));
    assert_eq!(node.get(LOGS).await.json()["count"], 0);
}

#[tokio::test]
async fn unknown_modules_are_unknown_and_strangers_are_refused() {
    let node = with_module().await;
    for path in [
        "/api/v1/module/default/none/logs",
        "/api/v1/module/none/m/logs",
        "/api/v1/module/default/none/stats",
    ] {
        let got = node.get(path).await;
        assert_eq!((got.status, &got.json()["success"]), (404, &json!(false)), "{path}");
    }
    assert_eq!(node.get("/api/v1/module/default/none/logs?follow=true").await.status, 404);
    assert_eq!(node.delete("/api/v1/module/default/none/logs", Value::Null).await.status, 404);
    let auth = auth::AdminAuth::Basic(vec![("ann".into(), Hidden::new("planted".into()))]);
    let node = Node::with(ApiSettings { auth, ..ApiSettings::default() }).await;
    for path in [LOGS, "/api/v1/module/default/m/logs?follow=true", "/api/v1/module/default/m/stats"] {
        assert_eq!(node.get(path).await.status, 401, "{path}");
    }
    let node = Node::with(ApiSettings { watch_only: true, ..ApiSettings::default() }).await;
    assert_eq!(node.delete(LOGS, Value::Null).await.status, 403);
}

/// Lines of a stream's next piece.
async fn piece(body: &mut Body) -> Option<Vec<Value>> {
    let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await?;
    let bytes = frame.expect("a piece").into_data().expect("data");
    let text = std::str::from_utf8(&bytes).expect("text");
    Some(text.lines().map(|line| serde_json::from_str(line).expect(line)).collect())
}

#[tokio::test]
async fn a_stream_goes_on_beats_and_ends_with_the_process() {
    let node = with_module().await;
    (0..5).for_each(|n| node.says(EventLevel::Info, EventKind::Console, &n.to_string()));
    let request = http::Request::get(format!("{LOGS}?follow=true&limit=2&level=info")).body(Body::empty());
    let response = router(node.state.clone()).oneshot(request.expect("a request")).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let mut body = response.into_body();
    let first = piece(&mut body).await.expect("what is there");
    assert_eq!(
        (&first[0]["text"], &first[1]["text"], &first[2]["kind"]),
        (&json!("3"), &json!("4"), &json!("heartbeat"))
    );
    assert_eq!(first[2]["seq"], first[1]["seq"]);
    node.says(EventLevel::Debug, EventKind::Console, "too quiet");
    node.says(EventLevel::Error, EventKind::Error, "later");
    let next = piece(&mut body).await.expect("what came");
    assert_eq!((next.len(), &next[0]["text"], &next[0]["kind"]), (1, &json!("later"), &json!("error")));
    (0..2_000).for_each(|n| node.says(EventLevel::Info, EventKind::Console, &format!("flood {n}")));
    let late = piece(&mut body).await.expect("what is left");
    assert_eq!(
        (&late[0]["kind"], late[0]["count"].as_u64()),
        (&json!("skipped"), Some(1_001)),
        "{:?}",
        late[0]
    );
    // The error is kept, and one line less.
    assert_eq!(late[1]["text"], "flood 1001");
    node.state.inner.module_logs.close();
    while piece(&mut body).await.is_some() {}
}

#[tokio::test]
async fn a_stream_that_was_silent_for_long_beats() {
    let node = with_module().await;
    let wanted = Wanted { level: Level::Debug, since: None, limit: 10 };
    let (_, follower) = node.state.inner.module_logs.follow("default/m", wanted).expect("a follower");
    let long_ago = tokio::time::Instant::now()
        .checked_sub(crate::api::insight::HEARTBEAT)
        .expect("the machine runs for longer");
    let (lines, _) = crate::api::insight::next(None, follower, long_ago).await.expect("it goes on");
    assert!(lines.starts_with("{\"kind\":\"heartbeat\"") && lines.ends_with('\n'), "{lines}");
}

#[tokio::test]
async fn there_is_room_for_so_many_followers() {
    let node = with_module().await;
    let mut open = Vec::new();
    let status = loop {
        let request =
            http::Request::get(format!("{LOGS}?follow=true")).body(Body::empty()).expect("a request");
        let response = router(node.state.clone()).oneshot(request).await.expect("an answer");
        if response.status() != StatusCode::OK {
            break response.status();
        }
        open.push(response);
    };
    assert_eq!((status.as_u16(), open.len()), (503, 64));
    open.pop();
    let request = http::Request::get(format!("{LOGS}?follow=true")).body(Body::empty()).expect("a request");
    let response = router(node.state.clone()).oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn stats_of_a_module_that_was_never_called() {
    let node = with_module().await;
    let stats = node.get("/api/v1/module/default/m/stats").await.json();
    let data = &stats["data"];
    assert_eq!(
        (&data["module"], &data["functions"], &data["calls"]),
        (&json!("default/m"), &json!({}), &json!(0))
    );
    assert_eq!((&data["limits"]["cpu_ms"], &data["permissions"]), (&json!(77), &json!(["cache"])), "{data}");
    assert_eq!(
        (&data["limits"]["timers"], &data["is_run_by_a_route"]),
        (&json!(64), &json!(false)),
        "{data}"
    );
    assert_eq!(data["log"], json!({ "lines": 0, "bytes": 0, "dropped": 0 }));
}
