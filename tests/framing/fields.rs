//! Header fields: order and case kept, what belongs to one connection removed, what says where a request came from
//! written by the gateway alone.

use super::harness::{Config, Gateway, Message, Upstream, answers_well, says_and_stays};
use crate::on_both_runtimes;
use serde_json::json;

on_both_runtimes!(
    order_and_case_are_kept,
    hop_by_hop_fields_are_removed,
    response_fields_are_kept_and_cleaned,
    forwarding_fields_follow_the_trusted_depth,
);

/// What the upstream saw of a request with these lines behind `Host`.
fn seen(gateway: &Gateway, upstream: &Upstream, lines: &str) -> Message {
    let answer = gateway.ask(format!("GET /a HTTP/1.1\r\nHost: h:81\r\n{lines}\r\n"));
    assert_eq!(answer.status(), 200, "{lines}");
    upstream.last()
}

/// The fields that are not the gateway's own.
fn plain(message: &Message) -> Vec<String> {
    let own = ["host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    let foreign = |(name, _): &&(String, String)| !own.contains(&name.to_lowercase().as_str());
    message.fields.iter().filter(foreign).map(|(name, value)| format!("{name}: {value}")).collect()
}

fn order_and_case_are_kept(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let lines = "X-b: 1\r\naccept: */*\r\nX-A: 2\r\nCOOKIE: a=1\r\nx-B: 3\r\nCookie: b=2\r\nEmpty:\r\nx-tab: a\tb\r\nX-Obs: \u{e9}\r\n";
    let request = seen(&gateway, &upstream, lines);
    let expected = [
        "X-b: 1",
        "accept: */*",
        "X-A: 2",
        "COOKIE: a=1",
        "x-B: 3",
        "Cookie: b=2",
        "Empty: ",
        "x-tab: a\tb",
        "X-Obs: \u{e9}",
    ];
    assert_eq!(plain(&request), expected);
    // White space around a value is no part of it.
    assert_eq!(plain(&seen(&gateway, &upstream, "X: \t a b \t \r\n")), ["X: a b"]);
    // Host keeps its place and its case, and is the endpoint's.
    gateway.ask("GET /a HTTP/1.1\r\nX-1: a\r\nhOST: h\r\nX-2: b\r\n\r\n");
    let request = upstream.last();
    assert_eq!(request.names()[..3], ["X-1", "hOST", "X-2"]);
    assert_eq!(request.get("host"), Some(upstream.address.to_string().as_str()));
}

fn hop_by_hop_fields_are_removed(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for (lines, expected) in [
        ("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nX: 1\r\n", vec!["X: 1"]),
        ("Proxy-Connection: close\r\nProxy-Authorization: Basic x\r\nX: 1\r\n", vec!["X: 1"]),
        ("X-Mine: 1\r\nConnection: x-mine, X-Other\r\nx-other: 2\r\nX: 1\r\n", vec!["X: 1"]),
        (
            "Connection: Authorization, Cookie\r\nAuthorization: a\r\nCookie: b\r\n",
            vec!["Authorization: a", "Cookie: b"],
        ),
        ("TE: gzip\r\nX: 1\r\n", vec!["X: 1"]),
        ("TE: trailers, gzip\r\nConnection: TE\r\nX: 1\r\n", vec!["X: 1", "TE: trailers", "Connection: TE"]),
        (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
            vec!["Sec-WebSocket-Version: 13"],
        ),
        (
            "Upgrade: h2c\r\nHTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\nX: 1\r\n",
            vec!["X: 1"],
        ),
        ("Expect: 100-continue\r\nX: 1\r\n", vec!["X: 1"]),
        ("Connection: host, content-length, transfer-encoding\r\nX: 1\r\n", vec!["X: 1"]),
    ] {
        assert_eq!(plain(&seen(&gateway, &upstream, lines)), expected, "{lines}");
    }
    // The list cannot take away what the gateway adds.
    let request = seen(
        &gateway,
        &upstream,
        "Connection: X-Forwarded-For, X-Real-IP, Via\r\nX-Forwarded-For: 9.9.9.9\r\n",
    );
    assert_eq!(request.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!((request.get("x-real-ip"), request.get("via")), (Some("127.0.0.1"), Some("1.1 tidegate")));
    // Neither can it take fields out of the trailers, or framing out of the head.
    let body = "Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n\r\n1\r\na\r\n0\r\n\r\n";
    gateway.ask(format!("POST /a HTTP/1.1\r\nHost: h\r\n{body}"));
    assert_eq!((upstream.last().framing, upstream.last().text().as_str()), ("chunked", "a"));
}

fn response_fields_are_kept_and_cleaned(runtime: &str) {
    let upstream = says_and_stays(
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nX-B: 1\r\nServer: s\r\nDate: d\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\
         Keep-Alive: timeout=5\r\nX-Hop: 1\r\nConnection: X-Hop\r\nUpgrade: h2c\r\nX-A: 2\r\nVia: 1.1 deep\r\n\r\n",
    );
    let config = Config::new().serve("a", upstream.url()).serve_with(
        "hidden",
        &[upstream.url()],
        json!({"hideDGateHeaders": true}),
    );
    let gateway = Gateway::start(runtime, &config, &[]);
    let expected = [
        "set-cookie: a=1",
        "X-B: 1",
        "Server: s",
        "Date: d",
        "Set-Cookie: b=2",
        "Content-Length: 0",
        "X-A: 2",
        "Via: 1.1 deep",
    ];
    let lines = |path: &str| -> Vec<String> {
        let answer = gateway.get(path);
        answer.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    };
    assert_eq!(lines("/hidden"), expected);
    assert_eq!(lines("/a"), [&expected[..], &["Via: 1.1 tidegate"]].concat());
}

fn forwarding_fields_follow_the_trusted_depth(runtime: &str) {
    let sent = "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: public\r\nX-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nX-Forwarded-Port: 1\r\n\
                X-Forwarded-Prefix: /x\r\nX-Forwarded-Anything: y\r\n";
    let names = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
    let some = |values: [&str; 4]| values.map(|value| Some(value.to_string()));
    for (key, value, said, unsaid) in [
        (
            "x_forwarded_for_depth",
            json!(0),
            some(["127.0.0.1", "h:81", "http", "127.0.0.1"]),
            some(["127.0.0.1", "h:81", "http", "127.0.0.1"]),
        ),
        (
            "x_forwarded_for_depth",
            json!(1),
            some(["3.3.3.3, 127.0.0.1", "public", "https", "3.3.3.3"]),
            some(["127.0.0.1", "h:81", "http", "127.0.0.1"]),
        ),
        (
            "x_forwarded_for_depth",
            json!(2),
            some(["2.2.2.2, 3.3.3.3, 127.0.0.1", "public", "https", "2.2.2.2"]),
            some(["127.0.0.1", "h:81", "http", "127.0.0.1"]),
        ),
        (
            "x_forwarded_for_depth",
            json!(9),
            some(["1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1", "public", "https", "1.1.1.1"]),
            some(["127.0.0.1", "h:81", "http", "127.0.0.1"]),
        ),
        ("disable_x_forwarded_headers", json!(true), [const { None }; 4], [const { None }; 4]),
    ] {
        let upstream = answers_well();
        let config = Config::new().serve("a", upstream.url()).proxy(key, value.clone());
        let gateway = Gateway::start(runtime, &config, &[]);
        for (lines, expected) in [(sent, said), ("", unsaid)] {
            let request = seen(&gateway, &upstream, lines);
            let got = names.map(|name| request.get(name).map(str::to_string));
            assert_eq!(got, expected, "{key} {value} {lines:?}");
            for name in ["forwarded", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-anything"] {
                assert!(request.get(name).is_none(), "{key} {value}: {name}");
            }
        }
    }
}
