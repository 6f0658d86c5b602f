//! Responses that lie about where they end: 502 and never a second use of the connection; and the poisoning of the next
//! client's response, which must not be possible.

use super::harness::{
    Config, Gateway, Trouble, Upstream, chunked, ok, says_and_stays, sends_two_responses, speaks_unasked,
    until,
};
use crate::on_both_runtimes;
use std::sync::Mutex;
use std::sync::mpsc::channel;

on_both_runtimes!(
    bad_heads_become_502_and_are_never_reused,
    bad_bodies_become_502_or_a_reset,
    a_cut_body_is_never_whole,
    a_second_response_reaches_nobody,
    a_response_to_nothing_reaches_nobody,
    trailing_bytes_reach_nobody,
);

fn gateway_before(runtime: &str, upstream: &Upstream) -> Gateway {
    gateway_before_all(runtime, std::slice::from_ref(upstream))
}

/// `/a` and below goes to the first upstream, `/a1` to the second, and so on.
fn gateway_before_all(runtime: &str, upstreams: &[Upstream]) -> Gateway {
    let mut config = Config::new();
    for (n, upstream) in upstreams.iter().enumerate() {
        config = config.serve(&path(n)[1..], upstream.url());
    }
    Gateway::start(runtime, &config, &[])
}

fn path(n: usize) -> String {
    if n == 0 { "/a".into() } else { format!("/a{n}") }
}

fn bad_heads_become_502_and_are_never_reused(runtime: &str) {
    let bad = [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\nX: y\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\n Content-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
        "HTTP/3.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
        "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "garbage\r\n\r\n",
        "\0\0\0\0\0\0\r\n\r\n",
    ];
    let upstreams = bad.map(says_and_stays);
    let gateway = gateway_before_all(runtime, &upstreams);
    let mut client = gateway.connect();
    for (n, (bad, upstream)) in bad.iter().zip(&upstreams).enumerate() {
        for round in 1..=2 {
            assert_eq!(client.get(&path(n)).status(), 502, "{bad:?}");
            assert_eq!(upstream.connections(), round, "{bad:?}: used again");
        }
    }
    gateway.must_tell("upstream_malformed", 2 * bad.len() as u64);
}

fn bad_bodies_become_502_or_a_reset(runtime: &str) {
    let bad = [
        "1\nabc\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "g\r\na\r\n0\r\n\r\n",
        "\r\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1;\na\r\n0\r\n\r\n",
        "1;x=\"\r\na\r\n0\r\n\r\n",
        "fffffffffffffffff\r\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\r\nbad trailer\r\n\r\n",
        "1\r\na\r\n0\r\nX : y\r\n\r\n",
        "1\r\na\r\n0\r\n X: y\r\n\r\n",
        "1\r\na\r\n0\r\nX: y\n\r\n",
    ];
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n";
    let upstreams = bad.map(|bad| says_and_stays(format!("{head}{bad}").leak()));
    let gateway = gateway_before_all(runtime, &upstreams);
    let mut client = gateway.connect();
    for (n, (bad, upstream)) in bad.iter().zip(&upstreams).enumerate() {
        for round in 1..=2 {
            // The head has not left yet, so there is still a proper answer.
            assert_eq!(client.get(&path(n)).status(), 502, "{bad:?}");
            assert_eq!(upstream.connections(), round, "{bad:?}: used again");
        }
    }
    gateway.must_tell("upstream_malformed", 2 * bad.len() as u64);
}

/// What the client reads of a body that breaks after its head has left.
fn a_cut_body_is_never_whole(runtime: &str) {
    for (name, head, piece, bad) in [
        ("length", "Content-Length: 10", "abc", ""),
        ("chunks", "Transfer-Encoding: chunked", "3\r\nabc\r\n", ""),
        ("inside a chunk", "Transfer-Encoding: chunked", "5\r\nabc", ""),
        ("bad chunk", "Transfer-Encoding: chunked", "3\r\nabc\r\n", "x\r\n"),
        ("bad trailer", "Transfer-Encoding: chunked", "3\r\nabc\r\n", "0\r\nX : y\r\n\r\n"),
    ] {
        let (go_on, told) = channel::<()>();
        let told = Mutex::new(told);
        let upstream = Upstream::new(move |visit| {
            visit.request()?;
            visit.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{piece}"))?;
            // The client has this much before the rest comes.
            told.lock().expect("a lock").recv().ok()?;
            visit.write(bad)
        });
        let gateway = gateway_before(runtime, &upstream);
        for version in ["1.1", "1.0"] {
            let mut client = gateway.connect();
            client.send(format!("GET /a HTTP/{version}\r\nHost: h\r\n\r\n"));
            let answer = client.head();
            assert_eq!(answer.status(), 200);
            while !String::from_utf8_lossy(client.stream.rest()).contains("abc") {
                assert_eq!(client.stream.fill(), Ok(true), "{name}");
            }
            go_on.send(()).expect("the upstream waits");
            // An end without a reset would be the end of the body to a client of HTTP/1.0.
            let end = loop {
                match client.stream.fill() {
                    Ok(true) => {}
                    other => break other,
                }
            };
            assert!(matches!(end, Err(Trouble::Cut(_))), "{name} to HTTP/{version}: {end:?}");
        }
    }
}

/// Every request gets the answer to itself, on connections of its own and on one that is kept.
fn nobody_is_poisoned(gateway: &Gateway, settle: impl Fn(usize)) {
    let mut kept = gateway.connect();
    for n in 0..20 {
        let path = format!("/a/{n}");
        let answer = if n % 2 == 0 { kept.get(&path) } else { gateway.get(&path) };
        assert_eq!((answer.status(), answer.text()), (200, path), "somebody else's answer");
        settle(n);
    }
}

fn a_second_response_reaches_nobody(runtime: &str) {
    let upstream = sends_two_responses();
    let gateway = gateway_before(runtime, &upstream);
    nobody_is_poisoned(&gateway, |_| ());
    assert_eq!(upstream.connections(), 20);
}

fn a_response_to_nothing_reaches_nobody(runtime: &str) {
    let upstream = speaks_unasked();
    let gateway = gateway_before(runtime, &upstream);
    // It has spoken, and the gateway may or may not have looked at it yet.
    nobody_is_poisoned(&gateway, |n| until("the upstream has spoken", || upstream.marks() > n));
    // Nobody asks again, and the connection is dropped all the same.
    until("the connection is dropped", || upstream.ends() == upstream.connections());
    assert_eq!(upstream.connections(), 20);
}

fn trailing_bytes_reach_nobody(runtime: &str) {
    for answer in [
        |path: &str| ok(path) + "x",
        |path: &str| ok(path) + "\r\n",
        |path: &str| ok(path) + "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        |path: &str| {
            let body = chunked(&[path], &[]);
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}{}", ok("poison"))
        },
    ] {
        let upstream = Upstream::answering(move |request| answer(request.target()));
        let gateway = gateway_before(runtime, &upstream);
        nobody_is_poisoned(&gateway, |_| ());
        assert_eq!(upstream.connections(), 20);
    }
    // A body where none may be: HEAD, 204, 304.
    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\npoison"),
        ("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison"),
    ] {
        let upstream = says_and_stays(answer);
        let gateway = gateway_before(runtime, &upstream);
        let mut client = gateway.connect();
        for round in 1..=3 {
            let answer = client.ask(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"));
            assert!(answer.body.is_empty());
            assert_eq!(upstream.connections(), round);
        }
        assert_eq!(client.finish().end(), Trouble::Ended);
    }
}
