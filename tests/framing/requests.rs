//! Requests on their way up: bodies of both framings, pipelining, `Expect`, methods and forms of the target.

use super::harness::{
    Config, Gateway, Message, Stream, Trouble, Upstream, answers_well, chunked, ok, refuses_connections,
};
use crate::on_both_runtimes;
use std::net::TcpListener;

on_both_runtimes!(
    bodies_arrive_whole_and_framed_anew,
    pipelined_requests_are_answered_in_order,
    a_request_may_come_in_any_pieces,
    expectations,
    continue_is_said_only_when_the_upstream_is_there,
    methods_that_no_route_answers,
    forms_of_the_target,
);

/// What the upstream saw for one request with that much behind its `Host` line.
fn seen(runtime: &str, cases: &[(&str, &str, &str, &str)]) {
    let upstream = Upstream::answering(|request| ok(&request.text()));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let mut kept = gateway.connect();
    for (name, rest, body, framing) in cases {
        let request = format!("POST /a HTTP/1.1\r\nHost: h\r\n{rest}");
        let answer = kept.ask(&request);
        assert_eq!((answer.status(), answer.text().as_str()), (200, *body), "{name}");
        let request = upstream.last();
        assert_eq!((request.text().as_str(), request.framing), (*body, *framing), "{name}");
    }
    assert_eq!(upstream.requests().len(), cases.len());
    assert_eq!(upstream.connections(), 1, "every request leaves the connection usable");
}

fn bodies_arrive_whole_and_framed_anew(runtime: &str) {
    let trailers = format!(
        "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{}",
        chunked(&["one ", "two"], &["X-Sum: 7", "X-Sum: 8"])
    );
    seen(
        runtime,
        &[
            ("none", "\r\n", "", "none"),
            ("length 0", "Content-Length: 0\r\n\r\n", "", "length"),
            ("length", "Content-Length: 5\r\n\r\nhello", "hello", "length"),
            ("leading zeros", "Content-Length: 005\r\n\r\nhello", "hello", "length"),
            (
                "chunks",
                "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                "abcde",
                "chunked",
            ),
            ("no chunk", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "chunked"),
            ("coding in capitals", "Transfer-Encoding: CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n", "a", "chunked"),
            (
                "extensions are dropped",
                "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1;x;y=\"q\"\r\nd\r\n0;last\r\n\r\n",
                "abcd",
                "chunked",
            ),
            (
                "sizes with zeros",
                "Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n",
                "abc",
                "chunked",
            ),
            ("trailers", &trailers, "one two", "chunked"),
        ],
    );
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    gateway.ask(format!("POST /a HTTP/1.1\r\nHost: h\r\n{trailers}"));
    let sums = upstream.last().trailers;
    assert_eq!(sums, [("X-Sum".into(), "7".into()), ("X-Sum".into(), "8".into())]);
    assert_eq!(upstream.last().get("Trailer"), Some("X-Sum"));
}

fn pipelined_requests_are_answered_in_order(runtime: &str) {
    let upstream = Upstream::answering(|request| ok(&format!("{} {}", request.target(), request.text())));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let mut client = gateway.connect();
    let mut all = String::new();
    for n in 0..40 {
        all += &match n % 4 {
            0 => format!("GET /a/{n} HTTP/1.1\r\nHost: h\r\n\r\n"),
            1 => format!("POST /a/{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"),
            2 => format!(
                "PUT /a/{n} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                chunked(&["x", "yz"], &[])
            ),
            _ => format!("GET /nowhere/{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nno"),
        };
    }
    client.send(all);
    for n in 0..40 {
        let answer = client.response();
        let expected = match n % 4 {
            0 => (200, format!("/a/{n} ")),
            1 => (200, format!("/a/{n} abc")),
            2 => (200, format!("/a/{n} xyz")),
            _ => (404, answer.text()),
        };
        assert_eq!((answer.status(), answer.text()), expected, "{n}");
    }
    assert_eq!(upstream.requests().len(), 30);
}

fn a_request_may_come_in_any_pieces(runtime: &str) {
    let upstream = Upstream::answering(|request| ok(&request.text()));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let body = chunked(&["abc", "defg"], &["X-T: 1"]);
    let whole = format!("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let mut client = gateway.connect();
    for piece in [1, 2, 3, 7, 31] {
        for bytes in whole.as_bytes().chunks(piece) {
            client.send(bytes);
        }
        assert_eq!(client.response().text(), "abcdefg", "pieces of {piece}");
    }
    // An empty line before a request is a habit of old clients (RFC 9112 section 2.2).
    assert_eq!(client.ask(format!("\r\n{whole}")).status(), 200);
}

fn expectations(runtime: &str) {
    let upstream = Upstream::answering(|request| ok(&request.text()));
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let ask = |version: &str, field: &str, more: &str| {
        format!("POST /a HTTP/{version}\r\nHost: h\r\nExpect: {field}\r\nContent-Length: 5\r\n{more}\r\n")
    };
    // The body waits for the 100, and upstream there is no Expect.
    let mut client = gateway.connect();
    for field in ["100-continue", "100-Continue"] {
        client.send(ask("1.1", field, ""));
        assert_eq!(client.head().line, "HTTP/1.1 100 Continue");
        client.send("hello");
        assert_eq!(client.response().text(), "hello");
        assert_eq!(upstream.last().values("expect"), Vec::<&str>::new());
    }
    // A body that came along needs no 100.
    client.send(ask("1.1", "100-continue", "") + "hello");
    assert_eq!(client.head().status(), 200);
    // Neither does a client that cannot know it (RFC 9110 section 10.1.1).
    let mut old = gateway.connect();
    old.send(ask("1.0", "100-continue", ""));
    old.send("hello");
    assert_eq!(old.head().status(), 200);
    for field in ["200-ok", "100-continue, 100-continue", "\"100-continue\"", "x"] {
        let mut client = gateway.connect();
        let answer = client.ask(ask("1.1", field, ""));
        assert_eq!(answer.status(), 417, "{field}");
        client.must_end();
    }
    // A final answer instead of a 100: the body was never asked for and may come or not, so the connection ends.
    let mut client = gateway.connect();
    let answer =
        client.ask("POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!((answer.status(), answer.get("connection")), (404, Some("close")));
    client.must_end();
    let asked = upstream.requests().len();
    assert_eq!(asked, 4);
}

fn continue_is_said_only_when_the_upstream_is_there(runtime: &str) {
    let nobody = refuses_connections();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", nobody.url()), &[]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let head = client.head();
    assert_eq!((head.status(), head.get("connection")), (502, Some("close")));
}

fn methods_that_no_route_answers(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for request in [
        "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
        "TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        let answer = gateway.ask(request);
        assert_eq!(answer.status(), 405, "{request}");
    }
    for method in ["GET", "DELETE", "PATCH", "PURGE", "M-SEARCH", "get"] {
        let answer = gateway.ask(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!((answer.status(), upstream.last().method()), (200, method));
    }
}

fn forms_of_the_target(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for (line, host, expected) in [
        ("GET http://h/a/1?x=y HTTP/1.1", "h", Ok("/a/1?x=y")),
        ("GET HTTP://H:80/a HTTP/1.1", "h:80", Ok("/a")),
        ("GET http://h/a HTTP/1.1", "other", Err(400)),
        ("GET http://u@h/a HTTP/1.1", "h", Err(400)),
        ("GET ftp://h/a HTTP/1.1", "h", Err(400)),
        ("GET a HTTP/1.1", "h", Err(400)),
        ("GET * HTTP/1.1", "h", Err(400)),
        ("GET h:80 HTTP/1.1", "h:80", Err(400)),
        ("GET /a#f HTTP/1.1", "h", Err(400)),
        ("GET /a HTTP/2.0", "h", Err(505)),
        ("GET /a HTTP/1.2", "h", Err(505)),
        ("GET /a HTTP/1.10", "h", Err(400)),
        ("GET /a http/1.1", "h", Err(400)),
        ("GET  /a HTTP/1.1", "h", Err(400)),
        ("GET /a", "h", Err(400)),
        ("GET\t/a HTTP/1.1", "h", Err(400)),
    ] {
        let mut client = gateway.connect();
        let answer = client.ask(format!("{line}\r\nHost: {host}\r\n\r\n"));
        match expected {
            Ok(target) => assert_eq!((answer.status(), upstream.last().target()), (200, target), "{line}"),
            Err(status) => {
                assert_eq!((answer.status(), answer.get("connection")), (status, Some("close")), "{line}");
                client.must_end();
            }
        }
    }
    for hosts in [
        "",
        "Host: h\r\nHost: h\r\n",
        "Host: h\r\nhost: i\r\n",
        "Host: a b\r\n",
        "Host: h:x\r\n",
        "Host: u@h\r\n",
    ] {
        let answer = gateway.ask(format!("GET /a HTTP/1.1\r\n{hosts}\r\n"));
        assert_eq!(answer.status(), 400, "{hosts:?}");
    }
}

#[test]
fn the_reader_of_these_tests_is_strict() {
    let check = |bytes: &'static str, is_good: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let writer = std::thread::spawn(move || {
            use std::io::Write;
            let (mut socket, _) = listener.accept().expect("a visitor");
            socket.write_all(bytes.as_bytes()).expect("sent");
        });
        let mut stream = Stream::new(std::net::TcpStream::connect(address).expect("connects"));
        let read = stream.head().and_then(|head| stream.body(head, false));
        let message: Result<Message, Trouble> = read;
        assert_eq!(message.is_ok(), is_good, "{bytes:?}: {message:?}");
        writer.join().expect("no panic");
    };
    check("GET / HTTP/1.1\r\nA: b\r\n\r\n", true);
    check("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\na", true);
    check("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", true);
    for bad in [
        "GET / HTTP/1.1\r\nA:b\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\rB: c\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
        "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\na",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ] {
        check(bad, false);
    }
}
