//! Responses on their way down: framing by length, by chunks and by close, those without a body, interim ones, and what
//! an HTTP/1.0 client gets of each.

use super::harness::{
    Client, Config, Gateway, Trouble, Upstream, answers_well, chunked, says, says_and_stays,
};
use crate::on_both_runtimes;

on_both_runtimes!(
    bodies_come_down_whole,
    http10_clients_get_what_they_can_read,
    http10_upstreams_are_understood,
    head_and_statuses_without_a_body,
    interim_responses,
    statuses_and_reasons_are_kept,
);

fn gateway_before(runtime: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[])
}

fn bodies_come_down_whole(runtime: &str) {
    let big = "x".repeat(300_000);
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{big}", big.len());
    let pieces: Vec<&str> = (0..3).map(|n| &big[n * 100_000..][..100_000]).collect();
    let chunks = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunked(&pieces, &[]));
    for (name, answer, closes, body, framing) in [
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, "abc", "length"),
        ("length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "", "length"),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            false,
            "abc",
            "chunked",
        ),
        (
            "extensions",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n",
            false,
            "a",
            "chunked",
        ),
        ("close", "HTTP/1.1 200 OK\r\n\r\nabc", true, "abc", "chunked"),
        ("nothing till close", "HTTP/1.1 200 OK\r\n\r\n", true, "", "chunked"),
        ("long", long.leak(), false, big.as_str(), "length"),
        ("long chunks", chunks.leak(), false, big.as_str(), "chunked"),
    ] {
        let upstream = if closes { says(answer) } else { says_and_stays(answer) };
        let gateway = gateway_before(runtime, &upstream);
        let mut client = gateway.connect();
        for _ in 0..3 {
            let response = client.get("/a");
            assert_eq!((response.status(), response.framing), (200, framing), "{name}");
            assert!(response.text() == body, "{name}: {} bytes", response.body.len());
        }
        assert_eq!(upstream.connections(), if closes { 3 } else { 1 }, "{name}");
    }
    let upstream = says_and_stays(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nx-other: 2\r\n\r\n",
    );
    let gateway = gateway_before(runtime, &upstream);
    let response = gateway.get("/a");
    assert_eq!(response.get("trailer"), Some("X-Sum"));
    assert_eq!(response.trailers, [("X-Sum".into(), "1".into()), ("x-other".into(), "2".into())]);
}

fn http10_clients_get_what_they_can_read(runtime: &str) {
    for (answer, framing) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "length"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n",
            "close",
        ),
    ] {
        let upstream = says_and_stays(answer);
        let gateway = gateway_before(runtime, &upstream);
        for keep in ["", "Connection: keep-alive\r\n"] {
            let mut client = gateway.connect();
            let response = client.ask(format!("GET /a HTTP/1.0\r\nHost: h\r\n{keep}\r\n"));
            assert_eq!((response.text().as_str(), response.framing), ("abc", framing), "{answer} {keep}");
            assert!(response.trailers.is_empty());
            if keep.is_empty() || framing == "close" {
                assert_eq!(response.get("connection"), Some("close"));
                client.must_end();
            } else {
                assert_eq!(response.get("connection"), Some("keep-alive"));
                assert_eq!(client.get("/a").text(), "abc");
            }
        }
    }
    // Without a Host, which HTTP/1.0 does not ask for.
    let upstream = answers_well();
    let gateway = gateway_before(runtime, &upstream);
    assert_eq!(gateway.ask("GET /a HTTP/1.0\r\n\r\n").status(), 200);
    assert_eq!(upstream.last().get("host"), Some(upstream.address.to_string().as_str()));
}

fn http10_upstreams_are_understood(runtime: &str) {
    for (answer, stays) in [
        ("HTTP/1.0 200 OK\r\n\r\nabc", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", true),
    ] {
        let upstream = if stays { says_and_stays(answer) } else { says(answer) };
        let gateway = gateway_before(runtime, &upstream);
        let mut client = gateway.connect();
        for _ in 0..2 {
            let response = client.get("/a");
            assert_eq!((response.line.as_str(), response.text().as_str()), ("HTTP/1.1 200 OK", "abc"));
        }
        assert_eq!(upstream.connections(), if stays { 1 } else { 2 }, "{answer}");
    }
}

fn head_and_statuses_without_a_body(runtime: &str) {
    for (name, method, answer, length) in [
        ("HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", Some("1000")),
        ("HEAD without", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", None),
        ("HEAD with a coding", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        (
            "304 with a length",
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"a\"\r\n\r\n",
            Some("9"),
        ),
        ("304 without", "GET", "HTTP/1.1 304 Not Modified\r\n\r\n", None),
    ] {
        let upstream = says_and_stays(answer);
        let gateway = gateway_before(runtime, &upstream);
        let mut client = gateway.connect();
        for _ in 0..2 {
            let response = client.ask(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert_eq!(response.get("content-length"), length, "{name}");
            assert!(response.body.is_empty() && response.get("connection").is_none(), "{name}: {response:?}");
        }
        assert_eq!(upstream.connections(), 1, "{name}");
    }
    // A refusal of our own to HEAD has a length and no body either.
    let upstream = answers_well();
    let gateway = gateway_before(runtime, &upstream);
    let mut client = gateway.connect();
    let refused = client.ask("HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(refused.status(), 404);
    assert!(refused.get("content-length").is_some_and(|length| length != "0"));
    assert_eq!(client.get("/a").status(), 200);
}

fn interim_responses(runtime: &str) {
    let with = |interim: &str| format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX: 1\r\nConnection: x\r\n\r\n";
    for (name, answer, lines) in [
        ("103", with(hints), vec!["HTTP/1.1 103 Early Hints", "HTTP/1.1 200 OK"]),
        (
            "two",
            with(&hints.repeat(2)),
            vec!["HTTP/1.1 103 Early Hints", "HTTP/1.1 103 Early Hints", "HTTP/1.1 200 OK"],
        ),
        ("102", with("HTTP/1.1 102 Processing\r\n\r\n"), vec!["HTTP/1.1 102 Processing", "HTTP/1.1 200 OK"]),
        ("100 is ours", with("HTTP/1.1 100 Continue\r\n\r\n"), vec!["HTTP/1.1 200 OK"]),
        (
            "switched",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".into(),
            vec!["HTTP/1.1 502 Bad Gateway"],
        ),
        ("too many", hints.repeat(40), vec!["HTTP/1.1 103 Early Hints"; 16]),
    ] {
        let upstream = says_and_stays(answer.leak());
        let gateway = gateway_before(runtime, &upstream);
        let mut client = gateway.connect();
        client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        for line in &lines {
            let head = client.head();
            assert_eq!(&head.line, line, "{name}");
            if head.status() == 103 {
                assert_eq!(head.names(), ["Link"], "{name}: what Connection lists is not forwarded");
            }
        }
        if name == "too many" {
            assert_eq!(client.head().status(), 502);
        }
        drop(client);
        // HTTP/1.0 knows no interim responses (RFC 9110 section 15.2).
        let old = gateway.ask("GET /a HTTP/1.0\r\nHost: h\r\n\r\n");
        assert_eq!(old.status(), if lines.len() < 4 && name != "switched" { 200 } else { 502 }, "{name}");
    }
}

fn statuses_and_reasons_are_kept(runtime: &str) {
    let upstream = Upstream::answering(|request| {
        let line = request.target().trim_start_matches("/a/").replace('_', " ");
        format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n")
    });
    let gateway = gateway_before(runtime, &upstream);
    let mut client: Client = gateway.connect();
    for line in [
        "200 OK",
        "200 Fine",
        "418 I'm a teapot",
        "599 Odd",
        "999 Odder",
        "206 Partial Content",
        "451 ",
        "500 Own words",
    ] {
        let response = client.get(&format!("/a/{}", line.replace(' ', "_")));
        let expected = if line == "451 " { "451 Unavailable For Legal Reasons" } else { line };
        assert_eq!(response.line, format!("HTTP/1.1 {expected}"));
    }
    client.finish();
    assert_eq!(client.end(), Trouble::Ended);
}
