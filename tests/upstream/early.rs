//! Answers that come before the request has ended, and answers that end before they should.

use super::harness::{Config, Gateway, Trouble, Upstream, answers_early, answers_well, says, until};
use crate::on_both_runtimes;
use std::io::Write;

on_both_runtimes!(
    an_early_refusal_reaches_the_uploading_client,
    an_echo_works_in_both_directions_at_once,
    a_truncated_response_is_an_error_to_the_client,
    a_broken_upload_never_arrives_whole,
    a_broken_upload_ends_an_early_answer,
);

fn an_early_refusal_reaches_the_uploading_client(runtime: &str) {
    let upstream = answers_early();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for head in [
        "Content-Length: 8000000",
        "Transfer-Encoding: chunked",
        "Content-Length: 8000000\r\nExpect: 100-continue",
    ] {
        let mut client = gateway.connect();
        client.send(format!("POST /a HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n"));
        let is_chunked = head.starts_with("Transfer");
        // Sends on until the answer is here or nobody takes any more; then reads.
        let mut socket = client.stream.socket.try_clone().expect("a handle");
        let sending = std::thread::spawn(move || {
            let piece =
                if is_chunked { format!("2710\r\n{}\r\n", "x".repeat(10_000)) } else { "x".repeat(10_000) };
            for _ in 0..700 {
                if socket.write_all(piece.as_bytes()).is_err() {
                    return;
                }
            }
        });
        let answer = client.response();
        assert_eq!(
            (answer.status(), answer.text().as_str(), answer.get("connection")),
            (413, "large", Some("close")),
            "{head}"
        );
        let _ = client.stream.socket.shutdown(std::net::Shutdown::Both);
        sending.join().expect("no panic");
    }
    // The upstream's connections were dropped, not kept with half a request on them.
    until("all are closed", || upstream.ends() == upstream.connections());
}

fn an_echo_works_in_both_directions_at_once(runtime: &str) {
    let upstream = Upstream::new(|visit| {
        visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let mut out = visit.stream.socket.try_clone().ok()?;
        let trailers = visit.stream.chunks(|data| {
            let _ = write!(out, "{:x}\r\n", data.len());
            let _ = out.write_all(data);
            let _ = out.write_all(b"\r\n");
        });
        assert!(trailers.is_ok());
        visit.write("0\r\n\r\n")
    });
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    // Each piece comes back before the next is sent.
    for n in 0..200 {
        let piece = format!("piece {n}");
        client.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        while !String::from_utf8_lossy(client.stream.rest()).ends_with(&format!("{piece}\r\n")) {
            assert_eq!(client.stream.fill(), Ok(true));
        }
    }
    client.send("0\r\n\r\n");
    let mut echoed = Vec::new();
    client.stream.chunks(|data| echoed.extend_from_slice(data)).expect("a whole body");
    let expected: String = (0..200).map(|n| format!("piece {n}")).collect();
    assert_eq!(String::from_utf8_lossy(&echoed), expected);
}

fn a_truncated_response_is_an_error_to_the_client(runtime: &str) {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc", 200),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 200),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", 200),
        ("HTTP/1.1 200 OK\r\nContent-Le", 502),
        ("", 502),
    ] {
        let upstream = says(answer);
        let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
        let mut client = gateway.connect();
        client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        let outcome = client.try_response();
        let is_seen = match &outcome {
            Ok(answer) => answer.status() == 502,
            Err(trouble) => status == 200 && matches!(trouble, Trouble::Cut(_)),
        };
        assert!(is_seen, "{answer:?}: {outcome:?}");
        gateway.must_tell("upstream_closed", 1);
    }
}

fn a_broken_upload_never_arrives_whole(runtime: &str) {
    let upstream = answers_well();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    for (n, body) in [
        "Content-Length: 100000\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = gateway.connect();
        client.send(format!("POST /a HTTP/1.1\r\nHost: h\r\n{body}"));
        client.finish();
        while matches!(client.stream.fill(), Ok(true)) {}
        until("the upstream sees the cut", || upstream.ends() == n + 1);
    }
    // A small body is gathered first: the upstream never hears of one that is cut.
    let seen = upstream.ends();
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    client.finish();
    while matches!(client.stream.fill(), Ok(true)) {}
    assert_eq!((upstream.ends(), upstream.requests().len()), (seen, 0));
    assert_eq!(gateway.get("/a").status(), 200);
}

fn a_broken_upload_ends_an_early_answer(runtime: &str) {
    let upstream = Upstream::new(|visit| {
        visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")?;
        visit.wait_for_close()?;
        visit.mark();
        Some(())
    });
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--body-timeout", "60s"]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n");
    assert_eq!(client.head().status(), 200);
    client.send("no chunk size\r\n");
    // Both ends are let go at once, not when a time-out comes.
    until("the upstream is let go", || upstream.marks() == 1);
    while matches!(client.stream.fill(), Ok(true)) {}
    gateway.must_tell("chunk_size", 1);
}
