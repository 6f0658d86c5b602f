//! Bounds on sizes and numbers: lines, heads, fields, bodies, connections.

use super::harness::{Client, Config, Gateway, Stream, Trouble, Upstream, answers_well, chunked, ok, until};
use crate::on_both_runtimes;
use serde_json::json;
use std::net::TcpStream;

on_both_runtimes!(
    heads_are_bounded,
    bodies_are_bounded,
    connections_are_bounded,
    upstream_connections_are_bounded,
    response_heads_are_bounded,
);

fn heads_are_bounded(runtime: &str) {
    let upstream = answers_well();
    let flags =
        ["--max-request-line-bytes", "1k", "--max-request-head-bytes", "4k", "--max-request-fields", "20"];
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &flags);
    let line = |length: usize| format!("GET /a?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(length));
    let field = |length: usize| format!("GET /a HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(length));
    let fields = |count: usize| format!("GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    for (request, status) in [
        (line(900), 200),
        (field(3_000), 200),
        (fields(20), 200),
        (line(1_100), 414),
        (line(100_000), 414),
        (field(5_000), 431),
        (field(100_000), 431),
        (fields(21), 431),
        (fields(3_000), 431),
        // Before the end of the head is there, too.
        (format!("GET /{}", "x".repeat(2_000)), 414),
        (format!("GET /a HTTP/1.1\r\nX: {}", "x".repeat(8_000)), 431),
        (format!("GET /a HTTP/1.1\r\nHost: h\r\nConnection: {}\r\n\r\n", "a,".repeat(40)), 431),
    ] {
        let mut client = gateway.connect();
        client.try_send(&request);
        let answer = client.response();
        assert_eq!(answer.status(), status, "{} bytes: {answer:?}", request.len());
        if status != 200 {
            assert_eq!(answer.get("connection"), Some("close"));
        }
    }
    gateway.must_tell("line_too_long", 3);
    gateway.must_tell("head_too_large", 3);
    gateway.must_tell("too_many_fields", 2);
    gateway.must_tell("too_many_connection_options", 1);
}

fn bodies_are_bounded(runtime: &str) {
    let upstream = Upstream::answering(|request| ok(&request.body.len().to_string()));
    let config = Config::new().serve("a", upstream.url()).add(
        "routes",
        json!({"name": "small", "paths": ["/small"], "methods": ["*"], "service": "a", "maxBodyBytes": 10}),
    );
    let gateway = Gateway::start(runtime, &config, &["--max-body-bytes", "100"]);
    let by_length = |length: usize| format!("Content-Length: {length}\r\n\r\n{}", "x".repeat(length));
    let by_chunks = |pieces: &[&str]| format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(pieces, &[]));
    let ten = "0123456789";
    for (path, body, status) in [
        ("/a", by_length(100), 200),
        ("/a", by_length(101), 413),
        ("/a", by_chunks(&[ten; 10]), 200),
        ("/a", by_chunks(&[ten; 11]), 413),
        ("/small", by_length(10), 200),
        ("/small", by_length(11), 413),
        ("/small", by_chunks(&[ten]), 200),
        ("/small", by_chunks(&["01234", "56789", "!"]), 413),
        // Refused for what is announced, before it comes.
        ("/small", "Content-Length: 9223372036854775807\r\n\r\n".into(), 413),
        ("/small", "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n".into(), 413),
    ] {
        let mut client = gateway.connect();
        let answer = client.ask(format!("POST {path} HTTP/1.1\r\nHost: h\r\n{body}"));
        assert_eq!(answer.status(), status, "{path} {body:?}");
        if status == 413 && answer.get("connection").is_some() {
            client.finish().must_end();
        } else {
            // A refused body that had come whole is out of the way.
            assert_eq!(client.get("/a").status(), 200, "{path} {body:?}");
        }
    }
    gateway.must_tell("body_too_large", 6);
    let bodies: Vec<usize> =
        upstream.requests().iter().map(|request| request.body.len()).filter(|n| *n > 0).collect();
    assert_eq!(bodies, [100, 100, 10, 10], "no part of a refused body arrives as a whole one");
}

fn connections_are_bounded(runtime: &str) {
    let upstream = answers_well();
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--max-connections", "5"]);
    let mut kept: Vec<Client> = (0..5).map(|_| gateway.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.get("/a").status(), 200);
    }
    for _ in 0..3 {
        let mut sixth = gateway.connect();
        sixth.try_send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = sixth.response();
        assert_eq!((answer.status(), answer.get("connection")), (503, Some("close")));
        sixth.must_end();
    }
    gateway.must_tell("too_many_connections", 3);
    for client in &mut kept {
        assert_eq!(client.get("/a").status(), 200, "who was there stays");
    }
    kept.pop();
    until("the place is free again", || {
        let mut client = gateway.connect();
        client.try_send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        client.try_response().is_ok_and(|answer| answer.status() == 200)
    });
}

fn upstream_connections_are_bounded(runtime: &str) {
    let upstream = Upstream::new(|visit| {
        loop {
            let request = visit.request()?;
            if request.target() == "/a/slow" {
                return visit.wait_for_close();
            }
            visit.write(ok(""))?;
        }
    });
    let gateway = Gateway::start(
        runtime,
        &Config::new().serve("a", upstream.url()),
        &["--upstream-max-per-address", "3"],
    );
    let mut slow: Vec<Client> = (0..3).map(|_| gateway.connect()).collect();
    for client in &mut slow {
        client.send("GET /a/slow HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    upstream.wait_requests(3);
    assert_eq!(gateway.get("/a").status(), 503);
    gateway.must_tell("upstream_busy", 1);
    drop(slow);
    assert_eq!(upstream.connections(), 3);
    // Idle ones are kept up to their bound only.
    let upstream = Upstream::new(|visit| {
        loop {
            visit.request()?;
            visit.mark();
            visit.stream.socket.set_read_timeout(None).ok()?;
            visit.write(ok(""))?;
        }
    });
    let gateway = Gateway::start(
        runtime,
        &Config::new().serve("a", upstream.url()),
        &["--upstream-idle-per-address", "2"],
    );
    let mut clients: Vec<Client> = (0..8).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
    until("two are left", || gateway.metric("tidegate_upstream_idle", "") <= 2);
}

fn response_heads_are_bounded(runtime: &str) {
    let upstream = Upstream::answering(|request| {
        let size: usize =
            request.target().rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let fields = match request.target().contains("fields") {
            true => "X: y\r\n".repeat(size),
            false => format!("X: {}\r\n", "x".repeat(size)),
        };
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n")
    });
    let flags = ["--max-response-head-bytes", "16k", "--max-response-fields", "50"];
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &flags);
    for (path, status) in [
        ("/a/bytes/15000", 200),
        ("/a/bytes/17000", 502),
        ("/a/fields/49", 200),
        ("/a/fields/50", 502),
        ("/a/bytes/1", 200),
    ] {
        assert_eq!(gateway.get(path).status(), status, "{path}");
    }
}

#[test]
fn a_listener_of_ipv6_serves_and_the_admin_is_apart() {
    let upstream = answers_well();
    let config = Config::new().serve("a", upstream.url());
    let mut gateway = Gateway::start("auto", &config, &["--proxy-listen", "[::1]:0", "--shards", "2"]);
    gateway.proxy = std::net::SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, gateway.proxy.port()));
    let answer = gateway.ask("GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
    assert_eq!(answer.status(), 200);
    assert_eq!(upstream.last().get("x-forwarded-for"), Some("::1"));
    let mut admin = Stream::new(TcpStream::connect(gateway.admin).expect("the admin API accepts"));
    admin.write("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let head = admin.head();
    assert!(head.as_ref().is_ok_and(|head| head.status() == 404) || matches!(head, Err(Trouble::Damaged(_))));
}
