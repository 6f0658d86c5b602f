//! The latency profile over the API: looking back, dumps from now on in both forms, and queries that make no sense.

use super::*;
use crate::profile::now_ms;
use tidegate_snapshot::{IntervalProfile, Phase, ProfileRow, Scope, Times};

/// So many exchanges of a millisecond on a shard, until now.
fn interval(shard: u16, count: usize) -> IntervalProfile {
    let times = |digits| {
        let mut times = Times::new(digits);
        (0..count).for_each(|_| times.record(Phase::Total, 1_000_000));
        times
    };
    let row = ProfileRow { scope: Scope::Route, key: "n/r".into(), times: times(2) };
    let ended_ms = now_ms();
    IntervalProfile {
        shard,
        began_ms: ended_ms - 100,
        ended_ms,
        times: times(3),
        rows: vec![row],
        rows_refused: 0,
    }
}

#[tokio::test]
async fn looking_back() {
    let node = Node::start().await;
    let profiles = &node.state.inner.profiles;
    let got = node.get("/api/v1/profile?by=shard").await;
    assert_eq!((got.status, got.json()["data"]["rows"].clone()), (200, json!([])));
    profiles.keep(&interval(0, 3));
    profiles.keep(&interval(1, 2));
    for (query, counts) in [
        ("", &[("", 5)][..]),
        ("?by=node&for=1s", &[("", 5)]),
        ("?by=shard&for=60s", &[("0", 3), ("1", 2)]),
        ("?by=shard&key=1", &[("1", 2)]),
        ("?by=route", &[]),
    ] {
        let data = node.get(&format!("/api/v1/profile{query}")).await.json()["data"].clone();
        let rows = data["rows"].as_array().expect("rows").iter();
        let found: Vec<_> = rows.map(|row| (row["key"].as_str().unwrap_or("?"), &row["count"])).collect();
        let wanted: Vec<_> = counts.iter().map(|(key, count)| (*key, json!(count))).collect();
        assert_eq!(
            found,
            wanted.iter().map(|(key, count)| (*key, count)).collect::<Vec<_>>(),
            "{query} {data}"
        );
    }
    // The last question made the shards keep routes.
    profiles.keep(&interval(0, 4));
    let got = node.get("/api/v1/profile?by=route&points=true&encoding=v2").await.json();
    let row = &got["data"]["rows"][0];
    assert_eq!((&row["key"], &row["count"]), (&json!("n/r"), &json!(4)), "{got}");
    let total = &row["phases"]["total"];
    assert!(
        total["points"].is_array() && total["histogram"].is_string() && total["p99_9_us"].is_number(),
        "{total}"
    );
}

#[tokio::test]
async fn a_dump_counts_what_comes_from_now_on() {
    let node = Node::start().await;
    let profiles = Arc::clone(&node.state.inner.profiles);
    profiles.keep(&interval(0, 100));
    let feeding = tokio::spawn(async move {
        let mut second = tokio::time::interval(std::time::Duration::from_millis(100));
        loop {
            second.tick().await;
            profiles.keep(&interval(0, 2));
        }
    });
    let got = node.get("/api/v1/profile?for=500ms&wait=true&by=route").await.json();
    let row = &got["data"]["rows"][0];
    let count = row["count"].as_u64().unwrap_or(0);
    assert!((2..=14).contains(&count) && row["key"] == "n/r", "{got}");

    let got = node.get("/api/v1/profile?for=500ms&follow=true").await;
    assert_eq!(got.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = got.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (last, before) = lines.split_last().expect("lines");
    assert!(before.len() > 1 && before.iter().all(|line| line["kind"] == "progress"), "{}", got.text);
    assert_eq!((&last["kind"], &last["data"]["by"]), (&json!("profile"), &json!("node")));
    assert!(
        last["data"]["rows"][0]["count"].as_u64().is_some_and(|count| (2..=14).contains(&count)),
        "{last}"
    );
    feeding.abort();
}

#[tokio::test]
async fn a_dump_counts_what_lies_in_it() {
    let node = Node::start().await;
    let profiles = Arc::clone(&node.state.inner.profiles);
    let of = |began_ms: u64, ms: u64, count: usize| {
        let one = interval(0, count);
        IntervalProfile { began_ms, ended_ms: began_ms + ms, ..one }
    };
    let began = now_ms();
    profiles.keep(&of(began - 400, 400, 1));
    let feeding = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
        // One that was under way, one that the shards began for it, and the one after it.
        profiles.keep(&of(began - 300, 310, 10));
        profiles.keep(&of(began + 500, 500, 100));
        profiles.keep(&of(began + 60_000, 500, 1_000));
    });
    let got = node.get("/api/v1/profile?for=1s&wait=true").await.json();
    feeding.await.expect("fed");
    assert_eq!((&got["data"]["rows"][0]["count"], &got["data"]["shards"]), (&json!(100), &json!(1)), "{got}");
}

#[tokio::test]
async fn a_key_that_there_is_not_is_told() {
    let node = Node::start().await;
    let got = node.put("/api/v1/namespace", json!({ "name": "n" })).await;
    assert!(got.status < 300, "{}", got.text);
    let got = node
        .put("/api/v1/service", json!({ "name": "s", "namespace": "n", "urls": ["http://127.0.0.1:1"] }))
        .await;
    assert!(got.status < 300, "{}", got.text);
    for (query, status, why) in [
        ("by=service&key=n/s", 200, ""),
        ("by=service&key=others", 200, ""),
        ("by=route&key=", 200, ""),
        ("by=route&key=n/s", 404, "there is no route 'n/s' here"),
        ("by=module&key=n/s", 404, "there is no module"),
        ("by=service&key=s", 400, "NAMESPACE/NAME"),
        ("by=shard&key=first", 404, "there is no shard"),
        ("key=n/s", 400, "say which with 'by'"),
    ] {
        let got = node.get(&format!("/api/v1/profile?{query}")).await;
        assert!(got.status == status && got.text.contains(why), "{query}: {} {}", got.status, got.text);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_told() {
    let node = Node::start().await;
    for (query, why) in [
        ("by=path", "'by' must be node, shard, route, service or module"),
        ("for=10", "'for' is not a duration"),
        ("for=61s", "with wait=true"),
        ("for=2h&wait=true", "between 100ms and 3600s"),
        ("for=1ms", "between 100ms"),
        ("sort=name", "'sort' must be"),
        ("encoding=v1", "'encoding' can only be v2"),
        ("limit=few", "'limit' must be a whole number"),
        ("points=yes", "'points' must be true or false"),
    ] {
        let got = node.get(&format!("/api/v1/profile?{query}")).await;
        assert!(got.status == 400 && got.text.contains(why), "{query}: {}", got.text);
    }
}
