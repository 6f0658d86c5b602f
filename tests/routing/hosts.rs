//! Hosts to namespaces: exact names, stars, expressions and priorities, and what no domain knows.

use super::harness::{Config, Gateway, Upstream, answers_well, ok, route, service};
use serde_json::{Value, json};

/// A namespace with one catch-all route to an upstream that answers with the namespace's name.
fn with(mut config: Config, upstreams: &mut Vec<Upstream>, namespaces: &[&str]) -> Config {
    for name in namespaces {
        let said = name.to_string();
        let upstream = Upstream::answering(move |_| ok(&said));
        let place = |mut resource: Value| {
            resource["namespace"] = json!(name);
            resource
        };
        if *name != "default" {
            config = config.add("namespaces", json!({"name": name}));
        }
        config = config
            .add("services", place(service("all", &[upstream.url()])))
            .add("routes", place(route("all", "/*")));
        upstreams.push(upstream);
    }
    config
}

fn domain(name: &str, namespace: &str, patterns: &[&str], priority: i64) -> Value {
    json!({"name": name, "namespace": namespace, "patterns": patterns, "priority": priority})
}

/// The namespace that answered, or the status.
fn asked(gateway: &Gateway, host: &str) -> String {
    let answer = gateway.ask(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    if answer.status() == 200 { answer.text() } else { answer.status().to_string() }
}

#[test]
fn domains_lead_into_namespaces() {
    let mut upstreams = Vec::new();
    let config = with(Config::new(), &mut upstreams, &["one", "two", "three", "four"])
        .add("domains", domain("exact", "one", &["a.example", "b.example"], 0))
        .add("domains", domain("suffix", "two", &["*.example"], 0))
        .add("domains", domain("prefix", "three", &["api.*", "*mid*"], 0))
        .add("domains", domain("regex", "four", &["/v[0-9]+\\.test/"], 5))
        .add("domains", domain("first", "three", &["urgent.example"], 10));
    let gateway = Gateway::start("auto", &config, &["--shards", "2"]);
    for (host, expected) in [
        ("a.example", "one"),
        ("A.Example", "one"),
        ("a.example:8080", "one"),
        ("a.example.", "one"),
        ("c.example", "two"),
        ("x.y.example", "two"),
        ("urgent.example", "three"),
        ("api.anything", "three"),
        ("has-mid-inside", "three"),
        ("v1.test", "four"),
        ("v12.test", "four"),
        // Expressions are anchored.
        ("xv1.test", "404"),
        ("v1.test.evil", "404"),
        ("v1xtest", "404"),
        ("example", "404"),
        ("aXexample", "404"),
        ("other", "404"),
        ("127.0.0.1", "404"),
        ("[::1]:80", "404"),
    ] {
        assert_eq!(asked(&gateway, host), expected, "{host}");
    }
    // One connection may ask for one host after another.
    let mut client = gateway.connect();
    for (host, expected) in
        [("a.example", "one"), ("c.example", "two"), ("v1.test", "four"), ("a.example", "one")]
    {
        let answer = client.ask(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.text(), expected, "{host}");
    }
}

#[test]
fn priorities_decide_and_then_the_closer_pattern() {
    let mut upstreams = Vec::new();
    let config = with(Config::new(), &mut upstreams, &["low", "high", "same"])
        .add("domains", domain("low", "low", &["*"], 0))
        .add("domains", domain("high", "high", &["*.example"], 1))
        .add("domains", domain("same", "same", &["deep.*", "exact.example"], 0));
    let gateway = Gateway::start("auto", &config, &[]);
    for (host, expected) in [
        ("x", "low"),
        ("x.example", "high"),
        ("exact.example", "high"),
        ("deep.x", "same"),
        ("deep.example", "high"),
    ] {
        assert_eq!(asked(&gateway, host), expected, "{host}");
    }
}

#[test]
fn hosts_without_a_domain_go_to_the_default_namespace() {
    let mut upstreams = Vec::new();
    let config = with(Config::new(), &mut upstreams, &["default", "other"])
        .add("domains", domain("other", "other", &["other.example"], 0));
    let gateway = Gateway::start("auto", &config, &[]);
    for (host, expected) in [("other.example", "other"), ("anything", "default")] {
        assert_eq!(asked(&gateway, host), expected, "{host}");
    }
    // Unless that has domains of its own.
    let config = with(Config::new(), &mut upstreams, &["default"])
        .add("domains", domain("own", "default", &["own.example"], 0));
    let gateway = Gateway::start("auto", &config, &[]);
    for (host, expected) in [("own.example", "default"), ("anything", "404")] {
        assert_eq!(asked(&gateway, host), expected, "{host}");
    }
}

#[test]
fn strict_mode_closes_without_a_word() {
    let upstream = answers_well();
    let config = Config::new()
        .proxy("strict_mode", json!(true))
        .serve("a", upstream.url())
        .add("domains", domain("own", "default", &["own.example"], 0));
    let gateway = Gateway::start("auto", &config, &[]);
    let mut client = gateway.connect();
    assert_eq!(client.ask("GET /a HTTP/1.1\r\nHost: own.example\r\n\r\n").status(), 200);
    // A path that no route answers is told all the same.
    assert_eq!(client.ask("GET /b HTTP/1.1\r\nHost: own.example\r\n\r\n").status(), 404);
    client.send("GET /a HTTP/1.1\r\nHost: other\r\n\r\n");
    client.must_end();
}
