//! Seeing inside modules from the outside: their log with levels, functions and stacks in the positions of the
//! TypeScript, following it, floods, and what their calls came to.

use crate::Stage;
use crate::harness::until;
use crate::operator::Json as _;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};

impl Stage {
    #[track_caller]
    pub(super) fn log(&self, module: &str, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/module/default/{module}/logs?{query}");
        let answer = self.node.admin("GET", &path, &Value::Null);
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.json()["data"].as_array().expect("entries").clone()
    }

    /// Waits until the log has so many entries.
    #[track_caller]
    pub(super) fn wait_log(&self, module: &str, count: usize) -> Vec<Value> {
        until("the log has the entries", || self.log(module, "").len() >= count);
        self.log(module, "")
    }

    #[track_caller]
    fn stats(&self, module: &str) -> Value {
        let answer = self.node.admin("GET", &format!("/api/v1/module/default/{module}/stats"), &Value::Null);
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.json()["data"].clone()
    }

    /// Lines of a log that is followed.
    fn follow(&self, module: &str) -> impl Iterator<Item = Value> + use<> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.node.admin)).expect("connects");
        stream.set_read_timeout(Some(crate::harness::DEADLINE)).expect("a time-out");
        let path = format!("/api/v1/module/default/{module}/logs?follow=true");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a request");
        // Sizes of chunks and the head are no JSON.
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.filter_map(|line| line.starts_with('{').then(|| serde_json::from_str(&line).expect("JSON")))
    }
}

fn columns(entries: &[Value], names: &[&str]) -> Vec<Vec<Value>> {
    entries.iter().map(|entry| names.iter().map(|name| entry[*name].clone()).collect()).collect()
}

#[test]
fn every_level_of_the_console_with_where_it_came_from() {
    let stage = Stage::new();
    stage.node.module("deep", "export const speak = () => console.warn('from deep');");
    stage.node.module(
        "talks",
        "import { speak } from './deep';
        console.log('booted');
        export function requestModifier(ctx: any) { ctx.request().headers.set('X-Id', ctx.id); console.debug('d'); }
        export async function responseModifier(ctx: any) {
            console.info('i', { a: 1 }); await null; console.warn('w'); console.error('e'); speak();
        }",
    );
    stage.route("talks", &["talks"], Some("s"));
    let answer = stage.get("/talks");
    assert_eq!(answer.status(), 203);
    let id = answer.json()["fields"]["x-id"].clone();
    let entries = stage.wait_log("talks", 6);
    let told = columns(&entries, &["level", "text", "function", "source", "kind"]);
    let line = |level: &str, text: &str, function: &str, source: Value| {
        vec![json!(level), json!(text), json!(function), source, json!("console")]
    };
    assert_eq!(told[0], [json!("info"), json!("booted"), Value::Null, Value::Null, json!("console")]);
    assert_eq!(
        told[1..],
        [
            line("debug", "d", "requestModifier", Value::Null),
            line("info", "i { a: 1 }", "responseModifier", Value::Null),
            line("warn", "w", "responseModifier", Value::Null),
            line("error", "e", "responseModifier", Value::Null),
            line("warn", "from deep", "responseModifier", json!("deep")),
        ]
    );
    for entry in &entries[1..] {
        assert_eq!(
            (&entry["request_id"], &entry["route"], &entry["shard"]),
            (&id, &json!("default/talks"), &json!(0))
        );
    }
    let seqs: Vec<u64> = entries.iter().filter_map(|entry| entry["seq"].as_u64()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert_eq!(stage.log("talks", "level=warn&limit=2").len(), 2);
    assert_eq!(stage.log("talks", &format!("since={}", seqs[3])).len(), 2);
    assert!(stage.log("deep", "").is_empty(), "a log belongs to the module that a route runs");
    // The module's name stands in the process's own log too, and debugging is not for it.
    let line = stage.node.wait_log(&["from deep"]);
    assert!(
        line.contains("default/talks") && line.contains("deep") && line.contains("responseModifier"),
        "{line}"
    );
    assert_eq!(stage.node.admin("DELETE", "/api/v1/module/default/talks/logs", &Value::Null).status(), 200);
    assert!(stage.log("talks", "").is_empty());
}

#[test]
fn uncaught_errors_limits_and_rejections_have_their_stack() {
    let stage = Stage::new();
    stage.node.module(
        "fails",
        "interface Shape { side: number }\n\n\
         async function area(shape: Shape): Promise<number> {\n  await null;\n  return (shape as any).missing.side;\n}\n\n\
         const asked = (ctx: any): string => JSON.stringify(ctx.request().query);\n\
         export async function requestHandler(ctx: any): Promise<void> {\n\
         \x20 if (asked(ctx).includes('spin')) { for (;;) {} }\n\
         \x20 if (asked(ctx).includes('lost')) { Promise.reject(new Error('lost')); return; }\n\
         \x20 await area({ side: 1 });\n}\n",
    );
    stage.route("fails", &["fails"], None);
    assert_eq!(stage.get("/fails").status(), 500);
    let entry = stage.wait_log("fails", 1).remove(0);
    assert_eq!(
        (&entry["kind"], &entry["level"], &entry["what"], &entry["function"]),
        (&json!("error"), &json!("error"), &json!("module_error"), &json!("requestHandler")),
        "{entry}"
    );
    assert!(entry["text"].as_str().is_some_and(|text| text.starts_with("TypeError: ")), "{entry}");
    assert_eq!(entry["stack"][0], "at area (fails.ts:5:11)", "{entry}");
    assert!(entry["request_id"].as_str().is_some_and(|id| id.starts_with("0-")), "{entry}");
    assert_eq!(entry["route"], "default/fails");
    stage.get("/fails?spin");
    stage.get("/fails?lost");
    let entries = stage.wait_log("fails", 3);
    let told = columns(&entries[1..], &["kind", "what"]);
    assert_eq!(told, [["limit", "module_cpu_limit"], ["error", "module_rejection"]], "{entries:?}");
    let frame = entries[2]["stack"][0].as_str().unwrap_or_default();
    assert!(frame.contains("fails.ts:11:"), "{entries:?}");
}

#[test]
fn a_line_that_comes_later_reaches_who_follows() {
    let stage = Stage::new();
    stage.alone(
        "talks",
        "export function requestHandler(ctx: any) { console.log('said', JSON.stringify(ctx.request().query)); }",
    );
    stage.get("/talks?before");
    stage.wait_log("talks", 1);
    let mut lines = stage.follow("talks");
    assert_eq!(lines.next().expect("a line")["text"], r#"said {"before":[""]}"#);
    assert_eq!(lines.next().expect("a line")["kind"], "heartbeat");
    stage.get("/talks?later");
    assert_eq!(lines.next().expect("a line")["text"], r#"said {"later":[""]}"#);
    // Replacing the module keeps its log, and who follows it.
    stage.node.module("talks", "export function requestHandler(ctx: any) { console.log('replaced'); }");
    stage.get("/talks");
    assert_eq!(lines.next().expect("a line")["text"], "replaced");
    // Who follows does not keep the process from ending.
    let began = std::time::Instant::now();
    stage.node.stop();
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(lines.next().is_none());
}

#[test]
fn a_flood_is_cut_and_counted_and_others_keep_their_lines() {
    let stage = Stage::with(&[("--module-log-lines", "50"), ("--module-cpu-ms", "1000")]);
    stage.alone("quiet", "export function requestHandler(ctx: any) { console.log('still here'); }");
    stage.alone(
        "noisy",
        "export function requestHandler(ctx: any) { for (let i = 0; i < 20000; i++) console.log('flood', i); throw new Error('after the flood'); }",
    );
    stage.get("/quiet");
    for _ in 0..3 {
        assert_eq!(stage.get("/noisy").status(), 500);
    }
    let told = |entries: &[Value]| entries.iter().find(|entry| entry["what"] == "module_log_limit").cloned();
    until("it is told that lines were dropped", || told(&stage.log("noisy", "limit=1000")).is_some());
    let noisy = stage.log("noisy", "limit=1000");
    let line = told(&noisy).expect("found a moment ago");
    assert_eq!((&line["kind"], &line["level"]), (&json!("limit"), &json!("warn")));
    assert!(noisy.len() <= 50, "{}", noisy.len());
    let errors = || stage.log("noisy", "limit=1000").iter().filter(|entry| entry["kind"] == "error").count();
    until("the errors have outlived the flood", || errors() == 3);
    assert_eq!(stage.wait_log("quiet", 1)[0]["text"], "still here");
    assert!(stage.stats("noisy")["log"]["dropped"].as_u64().is_some_and(|dropped| dropped > 0));
    let lines = stage.node.log().lines().filter(|line| line.contains("flood")).count();
    assert!(lines <= 100, "{lines} lines of the process's log are the module's");
}

#[test]
fn stats_count_what_was_called() {
    let stage = Stage::with(&[("--module-cpu-ms", "20")]);
    stage.before(
        "counted",
        "const asked = (ctx: any) => JSON.stringify(ctx.request().query);
        export function requestModifier(ctx: any) { if (asked(ctx).includes('bad')) throw new Error('bad'); }
        export async function responseModifier(ctx: any) {
            if (asked(ctx).includes('spin')) for (;;) {}
            await new Promise((done) => setTimeout(done, 30));
        }",
    );
    for _ in 0..5 {
        assert_eq!(stage.get("/counted").status(), 203);
    }
    for query in ["bad", "bad", "spin"] {
        assert_eq!(stage.get(&format!("/counted?{query}")).status(), 500);
    }
    let count = |name: &str| stage.stats("counted")["functions"][name]["calls"].as_u64().unwrap_or(0);
    until("all calls are counted", || count("requestModifier") == 8 && count("responseModifier") == 6);
    let stats = stage.stats("counted");
    let (before, after) = (&stats["functions"]["requestModifier"], &stats["functions"]["responseModifier"]);
    assert_eq!(
        (&before["errors"], &after["errors"]),
        (&json!({ "thrown": 2 }), &json!({ "cpu_time": 1 })),
        "{stats}"
    );
    let us = |times: &Value, name: &str| times[name].as_f64().expect("a number");
    assert!(us(&after["wall"], "p50_us") >= 28_000.0 && us(&after["cpu"], "p50_us") < 20_000.0, "{stats}");
    assert!(us(&after["cpu"], "max_us") >= 20_000.0, "{stats}");
    assert!(us(&before["wall"], "p50_us") <= us(&before["wall"], "max_us"), "{stats}");
    assert_eq!(before["wall"]["count"], 8, "{stats}");
    assert!(stats["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{stats}");
    assert_eq!(
        (&stats["shards"][0]["shard"], &stats["limits"]["cpu_ms"]),
        (&json!(0), &json!(20)),
        "{stats}"
    );
    let metrics = stage.node.admin("GET", "/metrics", &Value::Null).text();
    for line in [
        "tidegate_module_calls_total{module=\"default/counted\",function=\"requestModifier\",outcome=\"thrown\"} 2",
        "tidegate_module_calls_total{module=\"default/counted\",function=\"responseModifier\",outcome=\"ok\"} 5",
        "tidegate_module_wall_seconds_bucket{module=\"default/counted\",function=\"responseModifier\",le=\"0.01\"} 0",
        "tidegate_module_wall_seconds_count{module=\"default/counted\",function=\"responseModifier\"} 6",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert_eq!(stage.node.admin("GET", "/api/v1/module/default/none/stats", &Value::Null).status(), 404);
}

#[test]
fn no_call_is_lost_when_a_module_is_replaced_or_its_client_leaves() {
    let stage = Stage::new();
    let source = |n: u32| format!("export const requestHandler = (ctx: any) => ctx.response().send('{n}');");
    for n in 0..10 {
        stage.node.module("swapped", &source(n));
        if n == 0 {
            stage.route("swapped", &["swapped"], None);
        }
        assert_eq!(stage.get("/swapped").text(), n.to_string());
    }
    let calls = || stage.stats("swapped")["functions"]["requestHandler"]["calls"].as_u64().unwrap_or(0);
    until("all ten calls are counted", || calls() == 10);
    assert_eq!(stage.stats("swapped")["calls"], 10);
}

#[test]
fn what_is_said_while_a_body_streams_has_its_function() {
    let stage = Stage::new();
    stage.before(
        "streams",
        "export function responseModifier(ctx: any) {
            const upstream = ctx.upstream();
            upstream.writeBody(upstream.body.pipeThrough(new TransformStream({
                transform(piece: any, to: any) {
                    console.log('a piece');
                    if (JSON.stringify(ctx.request().query).includes('bad')) throw new Error('half way');
                    to.enqueue(piece);
                },
            })));
        }",
    );
    let answer = stage.get("/streams");
    assert!(answer.status() == 203 && answer.text().contains("/streams"), "{answer:?}");
    let entry = stage.wait_log("streams", 1).remove(0);
    assert_eq!(
        (&entry["text"], &entry["function"]),
        (&json!("a piece"), &json!("responseModifier")),
        "{entry}"
    );
    assert_eq!(
        (&entry["route"], &entry["request_id"]),
        (&json!("default/streams"), &json!("0-1")),
        "{entry}"
    );
    let mut client = stage.node.client();
    client.send(b"GET /streams?bad HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let error = |stage: &Stage| stage.log("streams", "level=error").into_iter().next();
    until("the failure is in the log", || error(&stage).is_some());
    let entry = error(&stage).expect("found a moment ago");
    assert_eq!(entry["function"], "responseModifier", "{entry}");
    assert!(entry["text"].as_str().is_some_and(|text| text.contains("half way")), "{entry}");
}
