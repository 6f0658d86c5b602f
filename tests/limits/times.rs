//! Bounds on time. Each is set short for its test; that it fires is seen, and that it fires neither early nor very late.

use super::harness::{
    Client, Config, Gateway, Trouble, Upstream, answers_well, never_answers, stalls_after_head,
};
use crate::on_both_runtimes;
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

on_both_runtimes!(
    heads_have_a_deadline_that_bytes_do_not_move,
    idle_connections_are_closed,
    stalled_request_bodies_are_given_up,
    stalled_response_bodies_are_given_up,
    both_bodies_of_one_exchange_have_their_own_time,
    clients_that_do_not_read_are_given_up,
    upstreams_that_do_not_answer_are_given_up,
    upstreams_that_do_not_accept_are_given_up,
    idle_upstream_connections_are_closed,
);

/// What the short limits are set to, and how much later than that is still in time on a busy machine.
const SHORT: Duration = Duration::from_millis(400);
const GRACE: Duration = Duration::from_secs(3);

/// Panics unless what took `from` till now was the short limit.
#[track_caller]
fn was_short(from: Instant) {
    let took = from.elapsed();
    assert!(took >= SHORT - Duration::from_millis(20), "early: {took:?}");
    assert!(took < SHORT + GRACE, "late: {took:?}");
}

fn heads_have_a_deadline_that_bytes_do_not_move(runtime: &str) {
    let upstream = answers_well();
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--header-timeout", "400ms"]);
    let drip = |mut client: Client| {
        let from = Instant::now();
        client.send("GET /a HTTP/1.1\r\nX: ");
        client.stream.socket.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        // One byte whenever a read has been in vain: never silent, never done.
        let answer = loop {
            match client.try_head() {
                Err(Trouble::Silent) => drop(client.try_send("x")),
                other => break other.expect("an answer"),
            }
            assert!(from.elapsed() < SHORT + GRACE, "bytes move the deadline");
        };
        was_short(from);
        assert_eq!((answer.status(), answer.get("connection")), (408, Some("close")));
    };
    drip(gateway.connect());
    // The same on a connection that was good before.
    let mut kept = gateway.connect();
    assert_eq!(kept.get("/a").status(), 200);
    drip(kept);
    gateway.must_tell("header_timeout", 2);
    // Without a byte there is nothing to answer.
    let from = Instant::now();
    assert_eq!(gateway.connect().end(), Trouble::Ended);
    was_short(from);
}

fn idle_connections_are_closed(runtime: &str) {
    let upstream = answers_well();
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--idle-timeout", "400ms"]);
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/a").status(), 200);
    }
    let from = Instant::now();
    assert_eq!(client.end(), Trouble::Ended);
    was_short(from);
}

fn stalled_request_bodies_are_given_up(runtime: &str) {
    let upstream = answers_well();
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--body-timeout", "400ms"]);
    for body in [
        "Content-Length: 10\r\n\r\nabc",
        "Content-Length: 10\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\na",
    ] {
        let mut client = gateway.connect();
        let from = Instant::now();
        client.send(format!("POST /a HTTP/1.1\r\nHost: h\r\n{body}"));
        let answer = client.response();
        was_short(from);
        assert_eq!((answer.status(), answer.get("connection")), (408, Some("close")), "{body}");
        client.must_end();
    }
    gateway.must_tell("body_timeout", 3);
    assert_eq!(upstream.requests().len(), 0);
}

fn stalled_response_bodies_are_given_up(runtime: &str) {
    let upstream = stalls_after_head();
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--body-timeout", "400ms"]);
    let mut client = gateway.connect();
    let from = Instant::now();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    let end = loop {
        match client.stream.fill() {
            Ok(true) => {}
            other => break other,
        }
    };
    was_short(from);
    assert!(matches!(end, Err(Trouble::Cut(_))), "{end:?}");
    gateway.must_tell("upstream_body_timeout", 1);
}

/// A full-duplex exchange in which first everything moves and then one side stalls.
fn both_bodies_of_one_exchange_have_their_own_time(runtime: &str) {
    // The upstream answers early, reads all of the request, and never ends its answer.
    let upstream = Upstream::new(|visit| {
        let head = visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")?;
        visit.body(head)?;
        visit.wait_for_close()
    });
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--body-timeout", "400ms"]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n");
    assert_eq!(client.head().status(), 200);
    let from = Instant::now();
    client.send("0\r\n\r\n");
    while matches!(client.stream.fill(), Ok(true)) {}
    was_short(from);
    gateway.must_tell("upstream_body_timeout", 1);
    drop(gateway);
    // The client stalls while the answer goes on for ever.
    let upstream = Upstream::new(|visit| {
        visit.head()?;
        visit.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            visit.write("1\r\na\r\n")?;
            std::thread::sleep(Duration::from_millis(20)); // A slow source, not a wait.
        }
    });
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--body-timeout", "400ms"]);
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nb");
    assert_eq!(client.head().status(), 200);
    let from = Instant::now();
    while matches!(client.stream.fill(), Ok(true)) {}
    was_short(from + Duration::from_millis(1));
    gateway.must_tell("body_timeout", 1);
}

fn clients_that_do_not_read_are_given_up(runtime: &str) {
    let upstream = Upstream::new(|visit| {
        visit.request()?;
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        let piece = vec![b'x'; 1 << 20];
        while visit.write(&piece).is_some() {}
        visit.mark();
        Some(())
    });
    let gateway =
        Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &["--write-timeout", "400ms"]);
    let mut client = gateway.connect();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    gateway.must_tell("write_timeout", 1);
    super::harness::until("the upstream is let go", || upstream.marks() == 1);
}

fn upstreams_that_do_not_answer_are_given_up(runtime: &str) {
    let upstream = never_answers();
    let patient = json!({"requestTimeout": "400ms", "retries": 5, "retryTimeout": "1ms"});
    let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &[upstream.url()], patient), &[]);
    for request in
        ["GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"]
    {
        let mut client = gateway.connect();
        let from = Instant::now();
        assert_eq!(client.ask(request).status(), 504);
        was_short(from);
        // The exchange is over and clean on the client's side.
        client.send("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().status(), 404);
    }
    // An upload whose end has come counts from there.
    let from = Instant::now();
    let mut client = gateway.connect();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n");
    client.send("a\r\n0\r\n\r\n");
    assert_eq!(client.response().status(), 504);
    was_short(from);
    gateway.must_tell("request_timeout", 3);
    assert_eq!(upstream.requests().len(), 3, "a request that was not answered is not sent again");
}

/// A listener whose queue is full: the kernel drops what knocks. The clients that fill it are part of it.
fn full_listener() -> (TcpListener, Vec<std::net::TcpStream>) {
    let socket = socket();
    let address = socket.local_addr().expect("an address");
    let mut fillers = Vec::new();
    while let Ok(filler) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        fillers.push(filler);
    }
    (socket, fillers)
}

fn socket() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open; listening again only shortens the queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    listener
}

fn upstreams_that_do_not_accept_are_given_up(runtime: &str) {
    let (listener, _fillers) = full_listener();
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let config = Config::new()
        .serve_with("connect", std::slice::from_ref(&url), json!({"connectTimeout": "400ms"}))
        .serve_with("request", &[url], json!({"connectTimeout": "10s", "requestTimeout": "400ms"}));
    let gateway = Gateway::start(runtime, &config, &[]);
    for path in ["/connect", "/request"] {
        let from = Instant::now();
        assert_eq!(gateway.get(path).status(), 504, "{path}");
        was_short(from);
    }
    gateway.must_tell("connect_timeout", 2);
}

fn idle_upstream_connections_are_closed(runtime: &str) {
    let upstream = answers_well();
    let flags = ["--upstream-idle-timeout", "400ms"];
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &flags);
    let from = Instant::now();
    assert_eq!(gateway.get("/a").status(), 200);
    super::harness::until("the pool closes it", || upstream.ends() == 1);
    was_short(from);
    assert_eq!(gateway.get("/a").status(), 200);
    assert_eq!(upstream.connections(), 2);
}
