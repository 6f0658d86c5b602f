//! Kept connections that died, retries, waits and deadlines.

use super::harness::{
    Config, Gateway, Message, Upstream, answers_well, closes_at_reuse, closes_kept_connection,
    closes_without_an_answer, ok, refuses_connections, until,
};
use crate::on_both_runtimes;
use serde_json::json;
use std::net::TcpListener;
use std::time::{Duration, Instant};

on_both_runtimes!(
    a_connection_closed_while_idle_is_noticed,
    a_connection_closed_at_its_reuse_is_replaced_for_what_may_be_repeated,
    the_next_endpoint_is_asked_at_once,
    retries_wait_and_never_pass_the_deadline,
    what_is_not_idempotent_is_not_sent_twice,
    endpoints_take_turns,
    a_dead_upstream_is_a_502,
    a_slow_connect_takes_from_the_same_deadline,
);

const POST: &str = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

fn a_connection_closed_while_idle_is_noticed(runtime: &str) {
    let upstream = closes_kept_connection();
    let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
    let mut client = gateway.connect();
    for n in 1..=10 {
        // Both: it was closed before it was used again, so that nothing was sent on it.
        let request = if n % 2 == 0 { GET } else { POST };
        assert_eq!(client.ask(request).status(), 200, "{n}");
        until("the upstream has closed", || upstream.ends() == n);
    }
    assert_eq!(upstream.requests().len(), 10);
    assert_eq!(gateway.faults("upstream_closed"), 0);
}

fn a_connection_closed_at_its_reuse_is_replaced_for_what_may_be_repeated(runtime: &str) {
    for (method, body, is_repeated) in [
        ("GET", "", true),
        ("HEAD", "", true),
        ("PUT", "Content-Length: 3\r\n\r\nabc", true),
        ("DELETE", "", true),
        ("OPTIONS", "", true),
        ("POST", "Content-Length: 3\r\n\r\nabc", false),
        ("PATCH", "Content-Length: 3\r\n\r\nabc", false),
        ("POST", "Content-Length: 0\r\n\r\n", false),
    ] {
        let upstream = closes_at_reuse();
        // Without retries: a connection that was kept and has died is no failure of the service.
        let gateway = Gateway::start(runtime, &Config::new().serve("a", upstream.url()), &[]);
        let body = if body.is_empty() { "\r\n" } else { body };
        let request = format!("{method} /a HTTP/1.1\r\nHost: h\r\n{body}");
        let mut client = gateway.connect();
        assert_eq!(client.ask(&request).status(), 200, "{method}");
        let again = client.ask(&request);
        let seen: Vec<Message> = upstream.requests();
        if is_repeated {
            assert_eq!((again.status(), seen.len(), upstream.connections()), (200, 3, 2), "{method}");
            assert_eq!(seen[1].body, seen[2].body, "{method}");
        } else {
            assert_eq!((again.status(), seen.len(), upstream.connections()), (502, 2, 1), "{method}");
            // The body had come whole, so that the client's connection is as good as before.
            assert_eq!(client.get("/nowhere").status(), 404, "{method}");
        }
    }
}

fn the_next_endpoint_is_asked_at_once(runtime: &str) {
    let upstream = answers_well();
    let dead = [refuses_connections(), refuses_connections()];
    let urls = [dead[0].url(), upstream.url(), dead[1].url()];
    // A pause that no test could miss.
    let more = json!({"retries": 3, "retryTimeout": "15s"});
    let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &urls, more), &[]);
    let from = Instant::now();
    for n in 0..9 {
        let request = if n % 2 == 0 { GET } else { POST };
        assert_eq!(gateway.ask(request).status(), 200, "{n}");
    }
    assert!(from.elapsed() < Duration::from_secs(10), "{:?}", from.elapsed());
    assert_eq!(upstream.requests().len(), 9);
    until("retries are counted", || gateway.metric("tidegate_upstream_retries_total", "") > 0);
    // Turns 0, 1, 2 need 1, 0 and 2 more attempts.
    until("each retry once", || gateway.metric("tidegate_upstream_retries_total", "") == 9);
}

fn retries_wait_and_never_pass_the_deadline(runtime: &str) {
    let dead = refuses_connections();
    let config = Config::new()
        .serve_with(
            "a",
            &[dead.url()],
            json!({"retries": 2, "retryTimeout": "150ms", "requestTimeout": "10s"}),
        )
        .serve_with(
            "b",
            &[dead.url()],
            json!({"retries": 100, "retryTimeout": "100ms", "requestTimeout": "500ms"}),
        )
        .serve_with("c", &[dead.url()], json!({"retries": 0, "retryTimeout": "10s"}));
    let gateway = Gateway::start(runtime, &config, &[]);
    let timed = |path: &str| {
        let from = Instant::now();
        assert_eq!(gateway.get(path).status(), 502, "{path}");
        from.elapsed()
    };
    let took = timed("/a");
    assert!(took >= Duration::from_millis(290) && took < Duration::from_secs(3), "two waits: {took:?}");
    let took = timed("/b");
    assert!(
        took >= Duration::from_millis(290) && took <= Duration::from_millis(800),
        "the deadline: {took:?}"
    );
    assert!(timed("/c") < Duration::from_secs(3));
    until("retries are counted", || gateway.metric("tidegate_upstream_retries_total", "") >= 5);
    assert!(gateway.metric("tidegate_upstream_retries_total", "") <= 6);
    gateway.must_tell("connect_failed", 3);
}

fn what_is_not_idempotent_is_not_sent_twice(runtime: &str) {
    for (method, times) in
        [("GET", 3), ("HEAD", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1), ("PURGE", 1)]
    {
        let upstream = closes_without_an_answer();
        let more = json!({"retries": 2, "retryTimeout": "1ms"});
        let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &[upstream.url()], more), &[]);
        let answer = gateway.ask(format!("{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"));
        assert_eq!((answer.status(), upstream.requests().len()), (502, times), "{method}");
        assert!(upstream.requests().iter().all(|request| request.body == b"ab"));
    }
    // Never again after a byte of a response, whatever the method.
    let upstream = super::harness::says("HTTP/1.1 200 OK\r\nContent-Le");
    let more = json!({"retries": 5, "retryTimeout": "1ms"});
    let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &[upstream.url()], more), &[]);
    assert_eq!(gateway.get("/a").status(), 502);
    assert_eq!(upstream.requests().len(), 1);
    // Nor a body that streams: it is gone.
    let upstream = closes_without_an_answer();
    let more = json!({"retries": 5, "retryTimeout": "1ms"});
    let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &[upstream.url()], more), &[]);
    let answer =
        gateway.ask("PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
    assert_eq!((answer.status(), upstream.requests().len()), (502, 1));
}

fn endpoints_take_turns(runtime: &str) {
    let upstreams = [0, 1, 2].map(|n| Upstream::answering(move |_| ok(&n.to_string())));
    let urls: Vec<String> = upstreams.iter().map(Upstream::url).collect();
    let gateway = Gateway::start(runtime, &Config::new().serve_with("a", &urls, json!({})), &[]);
    let mut client = gateway.connect();
    let turns: String = (0..9).map(|_| client.get("/a").text()).collect();
    assert_eq!(turns, "012012012");
}

fn a_dead_upstream_is_a_502(runtime: &str) {
    let dead = refuses_connections();
    let config = Config::new().serve("a", dead.url()).serve("b", "http://name.invalid:1".into());
    let gateway = Gateway::start(runtime, &config, &[]);
    let mut client = gateway.connect();
    for path in ["/a", "/b"] {
        let answer = client.get(path);
        assert_eq!(answer.status(), 502, "{path}");
        assert!(!answer.text().contains("127.0.0.1"), "nothing of the inside is told: {}", answer.text());
    }
    gateway.must_tell("connect_failed", 1);
    gateway.must_tell("upstream_unresolved", 1);
}

fn a_slow_connect_takes_from_the_same_deadline(runtime: &str) {
    // A full queue that has room again after a while: the kernel's next SYN comes a second after the first.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open; listening again only shortens the queue.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let mut fillers = Vec::new();
    while let Ok(filler) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        fillers.push(filler);
    }
    let more = json!({"connectTimeout": "10s", "requestTimeout": "1500ms"});
    let config = Config::new().serve_with("a", &[format!("http://{address}")], more);
    let gateway = Gateway::start(runtime, &config, &[]);
    let mut client = gateway.connect();
    client.send(GET);
    let from = Instant::now();
    // Accepts everybody from now on, and answers nobody.
    let accepting = std::thread::spawn(move || {
        listener.set_nonblocking(true).expect("set");
        let mut kept = Vec::new();
        while from.elapsed() < Duration::from_secs(3) {
            match listener.accept() {
                Ok(one) => kept.push(one),
                Err(_) => std::thread::sleep(Duration::from_millis(5)), // How often it looks.
            }
        }
        kept.len()
    });
    assert_eq!(client.response().status(), 504);
    let took = from.elapsed();
    assert!(took < Duration::from_millis(2_200), "the deadline began again behind the connect: {took:?}");
    accepting.join().expect("no panic");
}
