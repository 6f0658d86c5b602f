//! `tidegate/storage` in the real process with two shards: increments that are exact over both, values that reach the
//! other shard, times to live, bounds. Which shard serves a connection is the kernel's choice; `ctx.id` tells it.

use crate::harness::{Client, until};
use crate::operator::Says as _;
use crate::operator::node::{Node, client};
use crate::{Stage, request};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A module whose handler runs what the query says: `/kv?do=set&key=…`.
const KEY_VALUE: &str = "
    import { getCache, setCache, deleteCache, hasCache, increment, compareAndSet, readCache } from 'tidegate/storage';
    export async function requestHandler(ctx) {
        const q = ctx.request().query;
        const key = q.get('key');
        const options = { scope: q.get('scope') || undefined, ttl: q.has('ttl') ? Number(q.get('ttl')) : undefined };
        const parse = (name) => q.has(name) ? JSON.parse(q.get(name)) : undefined;
        const run = {
            get: () => getCache(key),
            has: () => hasCache(key),
            set: () => { setCache(key, parse('value'), options); return 'done' },
            fill: () => { setCache(key, 'x'.repeat(Number(q.get('bytes')))); return 'done' },
            delete: () => { deleteCache(key); return 'done' },
            increment: () => increment(key, Number(q.get('by') || 1), options),
            swap: () => compareAndSet(key, parse('expected'), parse('value'), options),
            read: () => readCache(key, options),
        }[q.get('do')];
        let answer;
        try { answer = { value: await run() } } catch (e) { answer = { error: e.message } }
        ctx.response().json({ ...answer, shard: ctx.id.split('-')[0] });
    }";

fn stage(flags: &[(&str, &str)]) -> Stage {
    let stage = Stage::with(&[&[("--shards", "2")], flags].concat());
    stage.alone("kv", KEY_VALUE);
    stage
}

#[track_caller]
fn run(on: &mut Client, what: &str) -> Value {
    let answer = on.ask(request("GET", &format!("/kv?do={what}"), &[], b""));
    assert_eq!(answer.status(), 200, "{what}: {answer:?}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[track_caller]
fn value(on: &mut Client, what: &str) -> Value {
    let answer = run(on, what);
    assert!(answer.get("error").is_none(), "{what}: {answer}");
    answer["value"].clone()
}

/// A connection to each shard.
#[track_caller]
fn both(node: &Node) -> [Client; 2] {
    let mut found = [None, None];
    until("each shard has served a connection", || {
        let mut on = client(node.proxy);
        let shard = run(&mut on, "has&key=none")["shard"].as_str().and_then(|id| id.parse::<usize>().ok());
        found[shard.expect("a shard")] = Some(on);
        found.iter().all(Option::is_some)
    });
    found.map(|on| on.expect("found"))
}

#[test]
fn ten_thousand_increments_over_both_shards_are_exact() {
    let stage = stage(&[]);
    let port = stage.node.proxy;
    let mut ends = both(&stage.node);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut on = client(port);
                let mut shards = BTreeSet::new();
                let mut told = |_| {
                    let answer = run(&mut on, "increment&key=n");
                    shards.insert(answer["shard"].to_string());
                    answer["value"].as_u64().unwrap_or_else(|| panic!("{answer}"))
                };
                (0..1_250).map(&mut told).collect::<Vec<u64>>()
            })
        })
        .collect();
    let sums: Vec<Vec<u64>> = threads.into_iter().map(|thread| thread.join().expect("increments")).collect();
    for sums in &sums {
        assert!(sums.is_sorted(), "one client sees its sums rise");
    }
    let all: BTreeSet<u64> = sums.into_iter().flatten().collect();
    assert!(all.iter().copied().eq(1..=10_000), "every sum was answered once");
    for on in &mut ends {
        assert_eq!(value(on, "read&key=n"), 10_000);
        assert_eq!(value(on, "get&key=n"), 10_000, "what was read is known here");
    }
}

#[test]
fn a_write_is_seen_at_once_here_and_soon_there() {
    let stage = stage(&[]);
    let mut ends = both(&stage.node);
    for key in 0..20 {
        for writer in 0..2 {
            let set = format!("set&key=k{key}&value={}", writer + 1);
            value(&mut ends[writer], &set);
            assert_eq!(value(&mut ends[writer], &format!("get&key=k{key}")), writer + 1);
            until("the other shard sees it", || {
                value(&mut ends[1 - writer], &format!("get&key=k{key}")) == writer + 1
            });
            assert_eq!(value(&mut ends[1 - writer], &format!("read&key=k{key}")), writer + 1);
        }
        value(&mut ends[0], &format!("delete&key=k{key}"));
        assert_eq!(value(&mut ends[0], &format!("get&key=k{key}")), Value::Null);
        until("the other shard has forgotten it", || {
            value(&mut ends[1], &format!("has&key=k{key}")) == false
        });
    }
}

#[test]
fn one_of_two_that_compare_wins() {
    let stage = stage(&[]);
    let mut ends = both(&stage.node);
    for key in 0..20 {
        let won: Vec<bool> = (0..2)
            .map(|at| value(&mut ends[at], &format!("swap&key=lock{key}&value={at}")) == true)
            .collect();
        assert_eq!(won, [true, false], "the key was free for the first");
        assert_eq!(value(&mut ends[1], &format!("swap&key=lock{key}&expected=0&value=7")), true);
        assert_eq!(value(&mut ends[0], &format!("swap&key=lock{key}&expected=0&value=8")), false);
        assert_eq!(value(&mut ends[0], &format!("read&key=lock{key}")), 7);
        assert_eq!(value(&mut ends[0], &format!("swap&key=lock{key}&expected=7")), true);
        assert_eq!(value(&mut ends[1], &format!("read&key=lock{key}")), Value::Null);
    }
}

#[test]
fn values_end_with_their_time() {
    let stage = stage(&[]);
    let mut ends = both(&stage.node);
    value(&mut ends[0], "set&key=short&value=1&ttl=0.05");
    value(&mut ends[0], "set&key=long&value=1&ttl=3600");
    assert_eq!(value(&mut ends[0], "increment&key=count&ttl=0.05"), 1);
    for on in &mut ends {
        until("the short one has ended", || value(on, "get&key=short").is_null());
        until("the counter begins again", || value(on, "read&key=count").is_null());
        until("the long one is there", || value(on, "get&key=long") == 1);
    }
    assert_eq!(value(&mut ends[1], "increment&key=count&ttl=0.05"), 1);
}

#[test]
fn the_least_recently_used_goes_and_counters_stay() {
    let stage = stage(&[("--cache-bytes", "128k"), ("--cache-value-bytes", "20k")]);
    let mut ends = both(&stage.node);
    for key in 0..10 {
        value(&mut ends[key % 2], &format!("increment&key=count{key}&by={}", key + 1));
    }
    value(&mut ends[0], "set&key=favourite&value=1");
    for key in 0..60 {
        value(&mut ends[0], &format!("fill&key=big{key}&bytes=10000"));
        assert_eq!(value(&mut ends[0], "get&key=favourite"), 1, "it is used all the time");
    }
    assert_eq!(value(&mut ends[0], "has&key=big0"), false);
    assert_eq!(value(&mut ends[0], "has&key=big59"), true);
    for key in 0..10 {
        assert_eq!(value(&mut ends[1], &format!("increment&key=count{key}&by=1")), key + 2);
    }
    let why = run(&mut ends[0], "fill&key=huge&bytes=30000")["error"].to_string();
    assert!(why.contains("--cache-value-bytes"), "{why}");
    let metric = |name: &str| {
        let text = stage.node.admin("GET", "/metrics", &Value::Null).text();
        let samples = text.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        samples.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>()
    };
    until("what was counted is shown", || metric("tidegate_cache_sets_total{") == 81);
    assert!(metric("tidegate_cache_evictions_total{") >= 48);
    assert!((60..90).contains(&metric("tidegate_cache_hits_total{")));
    let bytes = metric("tidegate_cache_bytes{");
    assert!((100_000..=2 * 128 * 1_024).contains(&bytes), "{bytes}");
}

#[test]
fn namespaces_do_not_see_each_other() {
    let stage = stage(&[]);
    stage.node.put("/api/v1/namespace", json!({ "name": "other" }));
    stage
        .node
        .put("/api/v1/domain", json!({ "name": "d", "namespace": "other", "patterns": ["other.test"] }));
    let mut module = crate::operator::node::module("kv", KEY_VALUE);
    module["namespace"] = "other".into();
    stage.node.put("/api/v1/module", module);
    let route =
        json!({ "name": "kv", "namespace": "other", "paths": ["/kv"], "methods": ["*"], "modules": ["kv"] });
    stage.node.put("/api/v1/route", route);
    let mut ends = both(&stage.node);
    for on in &mut ends {
        value(on, "set&key=k&value=1");
        let there = on.ask(request("GET", "/kv?do=get&key=k", &[("Host", "other.test")], b""));
        let there: Value = serde_json::from_slice(&there.body).expect("JSON");
        assert_eq!(there["value"], Value::Null, "{there}");
    }
}

/// The rate limiter that everybody writes.
const RATE_LIMITER: &str = "
    import { increment } from 'tidegate/storage';

    const LIMIT = 5, SECONDS = 60;

    export async function requestModifier(ctx) {
        const client = ctx.request().headers.get('X-Api-Key') ?? ctx.request().remoteAddress;
        if (await increment(`rate:${client}`, 1, { ttl: SECONDS }) > LIMIT) {
            ctx.response().status(429).json({ error: 'too many requests' });
        }
    }";

#[test]
fn a_rate_limiter_in_ten_lines() {
    let stage = stage(&[]);
    stage.before("limited", RATE_LIMITER);
    let mut ends = both(&stage.node);
    for client in ["a", "b"] {
        let statuses: Vec<u16> = (0..8)
            .map(|n| ends[n % 2].say("GET", "/limited", &[("X-Api-Key", client)], b"").status())
            .collect();
        assert_eq!(statuses, [203, 203, 203, 203, 203, 429, 429, 429], "{client}");
    }
}

#[test]
fn what_the_cluster_counts_survives_a_restart() {
    let mut stage = stage(&[]);
    let mut ends = both(&stage.node);
    for n in 0..10 {
        assert_eq!(value(&mut ends[n % 2], "increment&key=n&scope=cluster"), n + 1);
    }
    assert_eq!(value(&mut ends[0], "swap&key=lock&value=%22mine%22&scope=cluster"), true);
    assert_eq!(value(&mut ends[1], "swap&key=lock&value=%22yours%22&scope=cluster"), false);
    assert_eq!(value(&mut ends[1], "read&key=lock&scope=cluster"), "mine");
    assert_eq!(value(&mut ends[0], "increment&key=short&scope=cluster&ttl=0.2"), 1);
    assert_eq!(value(&mut ends[0], "increment&key=n"), 1, "the node's cache is another");
    let why = run(&mut ends[0], "increment&key=lock&scope=cluster")["error"].to_string();
    assert!(why.contains("no whole number"), "{why}");
    drop(ends);
    stage.node.kill();
    stage.node = stage.node.again().start();
    let mut ends = both(&stage.node);
    assert_eq!(value(&mut ends[0], "increment&key=n&scope=cluster"), 11);
    assert_eq!(value(&mut ends[1], "read&key=lock&scope=cluster"), "mine");
    assert_eq!(value(&mut ends[1], "read&key=n"), Value::Null, "nothing of the node's cache is left");
    until("the short one has ended", || value(&mut ends[1], "read&key=short&scope=cluster").is_null());
    let changes = stage.node.admin("GET", "/api/v1/changelog", &Value::Null);
    assert!(!changes.text().contains("lock"), "the changelog is of the configuration: {changes:?}");
}

#[test]
fn a_request_in_flight_counts_on_while_the_gateway_ends() {
    let stage = stage(&[]);
    stage.alone(
        "slow",
        "import { increment } from 'tidegate/storage';
         import { asyncSleep } from 'tidegate';
         export async function requestHandler(ctx) {
            console.log('it has begun');
            await asyncSleep('300ms');
            let sum = 0;
            for (let n = 0; n < 16; n++) sum += await increment(`k${n}`);
            ctx.response().send(String(sum));
         }",
    );
    // The other shard has nothing to do and would be gone long before.
    let [mut on, _] = both(&stage.node);
    on.send(request("GET", "/slow", &[], b""));
    stage.node.wait_log(&["it has begun"]);
    stage.node.signal(libc::SIGTERM);
    assert_eq!(on.response().text(), "16");
    let Stage { mut node, .. } = stage;
    assert!(node.wait_exit().success());
}

#[test]
fn a_flood_of_writes_takes_bounded_memory_and_loses_no_count() {
    let stage = stage(&[("--module-cpu-ms", "1000")]);
    stage.alone(
        "flood",
        "import { setCache, increment } from 'tidegate/storage';
         const large = 'x'.repeat(60_000);
         export async function requestHandler(ctx) {
            let refused = 0;
            for (let n = 0; n < 100; n++) {
                try { setCache(`flood${n}`, large); } catch (e) {
                    if (!e.message.includes('try again')) throw e;
                    refused++;
                }
            }
            ctx.response().json({ refused, sum: await increment('floods') });
         }",
    );
    let port = stage.node.proxy;
    let mut ends = both(&stage.node);
    let flood = move || {
        let mut on = client(port);
        let ask = |_| {
            let answer = on.get("/flood");
            assert_eq!(answer.status(), 200, "{answer:?}");
            serde_json::from_slice::<Value>(&answer.body).expect("JSON")["sum"].as_u64().expect("a sum")
        };
        (0..20).map(ask).collect::<Vec<_>>()
    };
    let threads: Vec<_> = (0..6).map(|_| std::thread::spawn(flood)).collect();
    let sums: BTreeSet<u64> = threads.into_iter().flat_map(|thread| thread.join().expect("floods")).collect();
    assert!(sums.iter().copied().eq(1..=120), "every sum was answered once");
    // 12,000 writes of 60 KB. Two replicas of 16 MiB, what is between the shards, the engines, the process.
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.node.pid())).expect("a process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak_kib < 250 << 10, "{peak_kib} KiB");
    value(&mut ends[0], "set&key=flood1&value=1");
    until("the other shard follows again", || value(&mut ends[1], "get&key=flood1") == 1);
}
