//! The corpora of requests. Whatever the gateway takes for one request the upstream must take for one, too.

use super::harness::{Case, Config, Gateway, Upstream, corpus, service};
use super::oracle::{Verdict, framing_look_alike, judge, show, strict_upstream};
use crate::on_both_runtimes;
use serde_json::json;

on_both_runtimes!(
    llhttp_cases_hide_no_request,
    mutated_codings_are_read_one_way_or_refused,
    h2o_fuzz_cases_do_no_damage,
);

/// Everything goes to the upstream, whatever its path and method.
fn gateway_before(runtime: &str, upstream: &Upstream) -> Gateway {
    let all = json!({"name": "all", "paths": ["/*"], "methods": ["*"], "service": "all", "allowEncodedSlash": true});
    let config = Config::new().add("services", service("all", &[upstream.url()])).add("routes", all);
    Gateway::start(runtime, &config, &["--linger-timeout", "200ms"])
}

/// Runs one case; answers the requests that arrived for it.
fn run(gateway: &Gateway, upstream: &Upstream, id: &str, bytes: &[u8]) -> Verdict {
    let verdict = judge(gateway, id, bytes);
    let arrived = upstream.take();
    assert_eq!(arrived.len(), verdict.proxied, "{id}: answers and requests differ\n{}", show(bytes));
    for request in &arrived {
        let look_alike = framing_look_alike(&request.head);
        assert!(look_alike.is_none(), "{id}: {look_alike:?} went upstream\n{}", show(bytes));
    }
    let damage = upstream.damage();
    assert!(damage.is_empty(), "{id}: {damage:?}\n{}", show(bytes));
    verdict
}

fn llhttp_cases_hide_no_request(runtime: &str) {
    let cases =
        corpus("tests/smuggling/corpora/llhttp.jsonl", "raw_b64").expect("it stands beside this file");
    let upstream = strict_upstream();
    let gateway = gateway_before(runtime, &upstream);
    let (mut proxied, mut refused) = (0, 0);
    for Case { id, bytes, json } in &cases {
        let verdict = run(&gateway, &upstream, id, bytes);
        proxied += verdict.proxied;
        refused += verdict.refused.len();
        let is_strict = json["type"] == "request";
        let messages = json["messages"].as_u64().unwrap_or_default() as usize;
        // Which methods go with HTTP and whether a path may hold UTF-8 is not about framing.
        let is_taste = json["error"].as_str().is_some_and(|error| {
            error.starts_with("Invalid method for HTTP") || error.starts_with("Invalid char in url path")
        });
        if is_strict && !is_taste && json["expect"] == "reject" {
            assert!(verdict.proxied <= messages, "{id}: {verdict:?}, {messages} expected\n{}", show(bytes));
        }
    }
    // llhttp lets pass what has no Host; with one, its good cases must reach the upstream.
    let mut good = 0;
    for Case { id, bytes, json } in &cases {
        let text = String::from_utf8_lossy(bytes);
        let is_plain = json["type"] == "request" && json["expect"] == "accept" && json["messages"] == 1;
        let (Some(at), true) = (text.find("\r\n"), is_plain) else { continue };
        if text.to_ascii_lowercase().contains("host:") || !text[..at].ends_with("HTTP/1.1") {
            continue;
        }
        let with_host = format!("{}\r\nHost: h{}", &text[..at], &text[at..]);
        good += run(&gateway, &upstream, id, with_host.as_bytes()).proxied;
    }
    println!("{} cases: {proxied} requests proxied, {refused} refused; with a Host {good} more", cases.len());
    assert!(refused > 50 && good > 20, "the corpus says nothing any more");
}

fn mutated_codings_are_read_one_way_or_refused(runtime: &str) {
    let cases = corpus("tests/smuggling/corpora/te-mutations.jsonl", "head_template_b64")
        .expect("it stands beside this file");
    let hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let bodies = [
        // CL.TE: whoever counts stops before whoever reads chunks does.
        ("1\r\nZ\r\nQ".to_string(), 6),
        // TE.CL: the other way round.
        ("0\r\n\r\nX".to_string(), 6),
        // A request behind the last chunk, inside the length.
        (format!("0\r\n\r\n{hidden}"), 5 + hidden.len()),
        // A whole body in chunks of which the length counts a part.
        ("1\r\nZ\r\n0\r\n\r\n".to_string(), 4),
    ];
    let upstream = strict_upstream();
    let gateway = gateway_before(runtime, &upstream);
    let (mut proxied, mut refused) = (0, 0);
    for (n, Case { id, bytes, .. }) in cases.iter().enumerate() {
        for (body, length) in &bodies {
            let head: Vec<u8> = fill(bytes, n, *length);
            let whole = [&head[..], b"\r\n", body.as_bytes()].concat();
            let verdict = judge(&gateway, id, &whole);
            let arrived = upstream.take();
            assert_eq!(arrived.len(), verdict.proxied, "{id}\n{}", show(&whole));
            assert!(arrived.len() < 2, "{id}: a second request went upstream\n{}", show(&whole));
            for request in &arrived {
                let look_alike = framing_look_alike(&request.head);
                assert!(look_alike.is_none(), "{id}: {look_alike:?} went upstream\n{}", show(&whole));
                assert!(request.target().starts_with(&format!("/case/{n}?")), "{id}: {request:?}");
                let counted = &body.as_bytes()[..*length];
                assert!(
                    request.framing != "length" || request.body == counted,
                    "{id}: neither reading\n{}",
                    show(&whole)
                );
            }
            proxied += verdict.proxied;
            refused += verdict.refused.len();
        }
    }
    assert!(upstream.damage().is_empty(), "{:?}", upstream.damage());
    println!(
        "{} cases in {} forms: {proxied} proxied by length, {refused} refused",
        cases.len(),
        bodies.len()
    );
    assert!(refused > cases.len(), "most of these must be refused");
}

fn fill(template: &[u8], n: usize, length: usize) -> Vec<u8> {
    let mut head = template.to_vec();
    for (name, value) in [
        ("__METHOD__", "POST".to_string()),
        ("__ENDPOINT__", format!("/case/{n}")),
        ("__RANDOM__", "1".into()),
        ("__HOST__", "h".into()),
        ("__REPLACE_CL__", length.to_string()),
    ] {
        while let Some(at) = head.windows(name.len()).position(|window| window == name.as_bytes()) {
            head.splice(at..at + name.len(), value.bytes());
        }
    }
    head
}

fn h2o_fuzz_cases_do_no_damage(runtime: &str) {
    let Some(cases) = corpus("../shared/corpora/h1-h2o-fuzz/cases.jsonl", "raw_b64") else { return };
    let upstream = strict_upstream();
    let gateway = gateway_before(runtime, &upstream);
    let (mut proxied, mut refused) = (0, 0);
    for Case { id, bytes, .. } in &cases {
        let verdict = run(&gateway, &upstream, id, bytes);
        proxied += verdict.proxied;
        refused += verdict.refused.len();
    }
    println!("{} cases: {proxied} requests proxied, {refused} refused", cases.len());
    assert_eq!(gateway.get("/alive").status(), 204);
}
