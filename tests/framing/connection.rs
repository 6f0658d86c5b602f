//! What keeps a client's connection and what ends it: keep-alive, `Connection`, half-close, refusals, and leaving.

use super::harness::{Config, Gateway, Trouble, Upstream, answers_well, never_answers, ok, until};
use crate::on_both_runtimes;

on_both_runtimes!(
    kept_or_closed_as_the_client_asked,
    a_half_closed_client_is_answered,
    a_refused_request_ends_the_connection,
    clients_may_leave_at_any_time,
    unread_bodies_end_the_connection,
    the_last_answer_arrives_whole,
);

fn kept_or_closed_as_the_client_asked(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for (version, field, is_kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Proxy-Connection: close\r\n", true),
    ] {
        for path in ["/a", "/nowhere"] {
            let mut client = gateway.connect();
            let request = format!("GET {path} HTTP/{version}\r\nHost: h\r\n{field}\r\n");
            let answer = client.ask(&request);
            let said = if is_kept { (version == "1.0").then_some("keep-alive") } else { Some("close") };
            assert_eq!(answer.get("connection"), said, "{request}");
            if is_kept {
                assert_eq!(client.ask(&request).status(), answer.status(), "{request}");
            } else {
                assert_eq!(client.end(), Trouble::Ended, "{request}");
            }
        }
    }
    // What a client asks of its connection says nothing about ours.
    let seen = upstream.requests();
    assert!(seen.iter().all(|request| request.get("connection").is_none()));
    assert_eq!(upstream.connections(), 1);
}

fn a_half_closed_client_is_answered(runtime: &str) {
    let upstream = Upstream::answering(|request| ok(&request.text()));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for request in [
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = gateway.connect();
        client.send(request).finish();
        assert_eq!(client.response().status(), 200, "{request}");
        assert_eq!(client.end(), Trouble::Ended, "{request}");
    }
    let mut client = gateway.connect();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(5)).finish();
    for _ in 0..5 {
        assert_eq!(client.response().status(), 200);
    }
    assert_eq!(client.end(), Trouble::Ended);
}

/// Also where the gateway closes at once, because the client said that it sends nothing more, and where the client then
/// sends more all the same.
fn the_last_answer_arrives_whole(runtime: &str) {
    let text = "0123456789abcdef".repeat(1 << 18);
    let body = text.clone();
    let upstream = Upstream::answering(move |_| ok(&body));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let last = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    for request in [
        last,
        "GET /a HTTP/1.0\r\nHost: h\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        &format!("{last}GET /a HTTP/1.1\r\nHost: h\r\n\r\n"),
        &format!("{last}{}", "x".repeat(100_000)),
    ] {
        let mut client = gateway.connect();
        client.send(request);
        let answer = client.response();
        assert!(answer.text() == text, "{} bytes", answer.body.len());
        assert_eq!(client.end(), Trouble::Ended);
    }
    assert_eq!(upstream.requests().len(), 5);
}

fn a_refused_request_ends_the_connection(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let mut refused = 0;
    for (bad, status) in [
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3,3\r\n\r\nabc", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n", 400),
        (
            "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (
            "GET /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("GET /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
        ("GET /a HTTP/1.1\nHost: h\n\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nX_Forwarded_For: 1.1.1.1\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400),
        (
            "GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na",
            400,
        ),
        ("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\nabc", 400),
        ("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
        ("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
        ("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
        ("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;\na\r\n0\r\n\r\n", 400),
    ] {
        let mut client = gateway.connect();
        // A good request first: the refusal is of this one message and ends what was a good connection.
        client.send(format!(
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n{bad}GET /a/hidden HTTP/1.1\r\nHost: h\r\n\r\n"
        ));
        assert_eq!(client.response().status(), 200);
        let answer = client.response();
        assert_eq!((answer.status(), answer.get("connection")), (status, Some("close")), "{bad:?}");
        client.must_end();
        refused += u64::from(status < 500);
    }
    assert!(upstream.requests().iter().all(|request| request.target() == "/a"));
    until("every refusal is counted", || {
        gateway.metric("tidegate_requests_total", "route=\"\",status_class=\"4xx\"")
            + gateway.metric("tidegate_requests_total", "route=\"default/a\",status_class=\"4xx\"")
            == refused
    });
}

fn clients_may_leave_at_any_time(runtime: &str) {
    let upstream = answers_well();
    let silent = never_answers();
    let config = Config::new().serve("a", upstream.url()).serve("silent", silent.url());
    let gateway = Gateway::start(runtime, &config, &[]);
    let request = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    for cut in 0..request.len() {
        gateway.connect().send(&request[..cut]);
    }
    gateway.connect().send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = gateway.get("/a");
    assert_eq!(answer.status(), 200);
    assert!(
        upstream.requests().iter().all(|request| request.method() == "GET"),
        "no cut request arrives whole"
    );
}

fn unread_bodies_end_the_connection(runtime: &str) {
    let gateway = Gateway::start(runtime, &Config::new(), &[]);
    // All of the body is here: it is skipped and the connection goes on.
    let mut client = gateway.connect();
    assert_eq!(client.ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").status(), 404);
    assert_eq!(
        client
            .ask("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
            .status(),
        404
    );
    // Some of it is not: nobody waits for it, and nothing behind it is taken for a request.
    for part in ["Content-Length: 500\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"] {
        let mut client = gateway.connect();
        let answer = client.ask(format!("POST /x HTTP/1.1\r\nHost: h\r\n{part}"));
        assert_eq!((answer.status(), answer.get("connection")), (404, Some("close")));
        client.try_send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
        client.finish();
        client.must_end();
    }
}
