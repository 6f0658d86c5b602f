//! What probes, Prometheus and tools read: health, readiness, changelog, metrics in strict text form, and the OpenAPI
//! document, against which the client's own table of fields is held.

use crate::harness::{Upstream, ok, until};
use crate::operator::Json as _;
use crate::operator::node::{Node, Plan};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn probes_and_the_changelog() {
    let node = Plan::new().start();
    let get = |path: &str| node.admin("GET", path, &Value::Null);
    for (path, word) in [("/healthz", "ok"), ("/readyz", "ok"), ("/health", "healthy")] {
        let answer = get(path);
        assert_eq!((answer.status(), &answer.json()["status"]), (200, &json!(word)), "{path}");
        assert!(answer.json()["version"].is_string(), "{path}");
    }
    assert_eq!(get("/readyz").get("x-raft-state"), Some("leader"));
    let root = get("/");
    assert_eq!(
        (root.status(), root.get("x-dgate-watchonly"), root.get("x-dgate-raft-state")),
        (200, Some("false"), Some("leader"))
    );
    let before = get("/changelog").json();
    assert_eq!(before["count"], 0, "{before}");
    node.put("/api/v1/namespace", json!({ "name": "n" }));
    let after = get("/changelog").json();
    assert_eq!(after["count"], 1);
    assert_ne!(after["hash"], before["hash"]);
    assert_eq!(get("/").get("x-dgate-changehash"), after["hash"].as_str());
    let entries = get("/api/v1/changelog").json();
    assert_eq!(
        (&entries["data"][0]["cmd"], &entries["data"][0]["name"]),
        (&json!("add_namespace"), &json!("n")),
        "{entries}"
    );
    // The same again changes nothing.
    node.put("/api/v1/namespace", json!({ "name": "n" }));
    assert_eq!(get("/changelog").json(), after);
    let status = get("/api/v1/cluster/status").json();
    assert_eq!(
        (&status["data"]["is_leader"], &status["data"]["can_write"]),
        (&json!(true), &json!(true)),
        "{status}"
    );
    assert_eq!(get("/api/v1/cluster/members").json()["count"], 1);
}

/// A metric's type and its samples by labels, of a text that breaks no rule of the format.
struct Metric {
    kind: String,
    samples: BTreeMap<String, f64>,
}

#[track_caller]
fn parse(text: &str) -> BTreeMap<String, Metric> {
    assert!(text.ends_with('\n'), "the last line ends");
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().enumerate().all(|(at, b)| {
                b.is_ascii_alphabetic() || b == b'_' || b == b':' || at > 0 && b.is_ascii_digit()
            })
    };
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let (mut helped, mut current) = (BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help");
            assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(helped.contains(name), "{name} has a type and no help before it");
            let new = Metric { kind: kind.into(), samples: BTreeMap::new() };
            assert!(metrics.insert(name.into(), new).is_none(), "{name} has two types");
            current = name.into();
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        let value: f64 = value.replace("+Inf", "inf").parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = match sample.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').unwrap_or_else(|| panic!("{line}"))),
            None => (sample, ""),
        };
        assert!(is_name(name), "{line}");
        let mut rest = labels;
        while !rest.is_empty() {
            let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(key), "{line}");
            let mut escaped = false;
            let end = after.char_indices().find(|(_, c)| {
                let ends = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                ends
            });
            let end = end.unwrap_or_else(|| panic!("an open quote: {line}")).0;
            rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
        }
        let metric = metrics.get_mut(&current).unwrap_or_else(|| panic!("a sample before its type: {line}"));
        let base = if metric.kind == "histogram" {
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
        } else {
            name
        };
        assert_eq!(base, current, "samples of a metric stand together: {line}");
        if metric.kind == "counter" {
            assert!(name.ends_with("_total") && value >= 0.0, "{line}");
        }
        assert!(metric.samples.insert(sample.to_owned(), value).is_none(), "twice: {line}");
    }
    metrics
}

fn sum(metrics: &BTreeMap<String, Metric>, name: &str, label: &str) -> f64 {
    let samples = metrics.get(name).map(|metric| metric.samples.iter()).into_iter().flatten();
    samples.filter(|(sample, _)| sample.contains(label)).map(|(_, value)| value).sum()
}

fn metrics(node: &Node) -> BTreeMap<String, Metric> {
    let answer = node.admin("GET", "/metrics", &Value::Null);
    assert!(
        answer.get("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")),
        "{:?}",
        answer.head
    );
    parse(&answer.text())
}

#[test]
fn metrics_are_strict_and_bounded() {
    let node = Plan::new().flag("--shards", "2").start();
    let upstream = Upstream::answering(|_| ok("fine"));
    node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()] }));
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/r/*"], "methods": ["*"], "service": "s" }));
    for n in 0..20 {
        assert_eq!(node.get(&format!("/r/{n}")).status(), 200);
        assert_eq!(node.get(&format!("/none/{n}")).status(), 404);
    }
    until("the shards have reported", || {
        let all = metrics(&node);
        all.iter().any(|(name, metric)| {
            name.contains("request") && metric.kind == "counter" && sum(&all, name, "default/r") >= 20.0
        })
    });
    let all = metrics(&node);
    // What a scrape needs: connections, requests by route and class, latency, upstream errors, per shard.
    for part in ["connections", "requests", "duration", "upstream", "shard", "revision"] {
        let found = all.iter().any(|(name, metric)| {
            name.contains(part) || metric.samples.keys().any(|sample| sample.contains(&format!("{part}=")))
        });
        assert!(found, "nothing tells of {part}: {:?}", all.keys());
    }
    for (name, metric) in all.iter().filter(|(_, metric)| metric.kind == "histogram") {
        // Buckets grow, and the last holds everything.
        let mut by_labels: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (sample, value) in &metric.samples {
            let Some(at) = sample.find("le=\"") else { continue };
            let bound = sample[at + 4..].split('"').next().unwrap_or_default().replace("+Inf", "inf");
            let labels =
                sample.replace(&sample[at..at + 4 + sample[at + 4..].find('"').unwrap_or(0) + 1], "");
            by_labels.entry(labels).or_default().push((bound.parse().expect("a bound"), *value));
        }
        // No module has run here: its families are announced and empty.
        assert!(!by_labels.is_empty() || name.starts_with("tidegate_module_"), "{name}");
        for (labels, mut buckets) in by_labels {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {labels}: {buckets:?}");
            assert!(buckets.last().is_some_and(|last| last.0.is_infinite()), "{name} {labels}");
        }
    }
    // Paths and hosts that clients choose are no labels.
    let samples: usize = all.values().map(|metric| metric.samples.len()).sum();
    for n in 0..50 {
        node.client().ask(crate::operator::request(
            "GET",
            &format!("/other/{n}"),
            &[("Host", &format!("h{n}"))],
            b"",
        ));
    }
    let shown = node.admin("GET", "/metrics", &Value::Null).text();
    assert!(!shown.contains("/other") && !shown.contains("h49"), "{shown}");
    let now: usize = parse(&shown).values().map(|metric| metric.samples.len()).sum();
    assert!(now <= samples + 40, "{samples} samples became {now}");
    // A route that is gone has no rows for long, and one with quotes in its name could not be made.
    let off = Plan::yaml("disable_metrics: true\n").start();
    assert_eq!(off.admin("GET", "/metrics", &Value::Null).status(), 404);
}

#[test]
fn the_openapi_document_is_what_answers() {
    let node = Plan::new().start();
    let document = node.admin("GET", "/openapi.json", &Value::Null).json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("methods").keys() {
            let filled = path
                .replace("{node_id}", "7")
                .replace("{namespace}", "default")
                .replace("{collection}", "c")
                .replace("{name}", "n")
                .replace("{id}", "i");
            let answer = node.admin(&method.to_ascii_uppercase(), &filled, &Value::Null);
            assert_ne!(answer.status(), 405, "{method} {path}");
            let is_there = answer.status() != 404
                || answer.json()["error"].as_str().is_some_and(|e| !e.contains("nothing at this path"));
            assert!(is_there, "{method} {path}: {answer:?}");
            assert!(answer.status() < 500, "{method} {path}: {answer:?}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| match value.as_str() {
                Some(target) if name == "$ref" => found.push(target),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    for target in &found {
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
    assert!(found.len() > 20);
    // The client's table says the same as the gateway's own description.
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for kind in tidegate_ctl::fields() {
        let (_, schema) = schemas
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(kind.name))
            .unwrap_or_else(|| panic!("{} has no schema", kind.name));
        let ours: BTreeSet<&str> = kind.fields.iter().map(|field| field.key).collect();
        // What only the gateway writes cannot be given.
        let written =
            |(name, schema): (&'_ String, &Value)| (schema["readOnly"] != true).then(|| name.clone());
        let theirs: BTreeSet<String> = schema["properties"]
            .as_object()
            .expect("properties")
            .iter()
            .filter_map(written)
            .filter(|name| !["createdAt", "updatedAt"].contains(&name.as_str()))
            .collect();
        assert_eq!(ours, theirs.iter().map(String::as_str).collect(), "{}", kind.name);
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for field in kind.fields {
            let needed = required.contains(field.key) && field.key != "namespace";
            assert!(!needed || field.required, "{}.{} is required by the gateway", kind.name, field.key);
        }
    }
}
