//! How it ends: readiness first, then listeners, then requests in flight, then the process; or at once when it is told
//! twice.

use crate::harness::{Client, Upstream, ok, until};
use crate::operator::node::{Node, Plan};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// An upstream that answers when it is told to.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }

    fn upstream(&self) -> Upstream {
        let gate = self.clone();
        Upstream::answering(move |_| {
            let open = gate.0.0.lock().expect("no panic");
            let _open = gate.0.1.wait_while(open, |open| !*open).expect("no panic");
            ok("late but whole")
        })
    }
}

/// A gateway with a request under way.
fn with_one_in_flight(flags: &[(&str, &str)]) -> (Node, Gate, Upstream, Client) {
    let plan =
        flags.iter().fold(Plan::new().flag("--shards", "2"), |plan, (name, value)| plan.flag(name, value));
    let (node, gate) = (plan.start(), Gate::default());
    let upstream = gate.upstream();
    let service = json!({ "name": "s", "urls": [upstream.url()], "retries": 0, "requestTimeout": "60s" });
    node.put("/api/v1/service", service);
    node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
    let mut client = node.client();
    client.send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    upstream.wait_requests(1);
    (node, gate, upstream, client)
}

/// Sockets of this host that listen on a port. Looking makes no connection, which could help a late close along.
fn listening(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    let (port, listen) = (format!(":{port:04X}"), "0A");
    let is_one = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&port)) && words.nth(1) == Some(listen)
    };
    table.lines().filter(is_one).count()
}

fn accepts(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn readiness_goes_first_then_listeners_and_requests_finish() {
    let (mut node, gate, _upstream, mut client) = with_one_in_flight(&[("--shutdown-delay", "600ms")]);
    let mut idle = node.client();
    idle.send("POST /404 HTTP/1.1\r\nHost: h\r\n");
    let mut kept = node.client();
    assert_eq!(kept.ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n").status(), 405);
    node.signal(libc::SIGTERM);
    let asked = Instant::now();
    until("/readyz says no", || node.admin("GET", "/readyz", &Value::Null).status() == 503);
    assert!(accepts(node.proxy), "it still serves while load balancers look");
    assert!(asked.elapsed() < Duration::from_millis(600), "readiness went down before the listeners");
    assert_eq!(listening(node.proxy), 2, "one for each shard");
    // Also that of the shard which has nothing left to do and is gone before the other.
    until("the proxy's listeners are closed", || listening(node.proxy) == 0);
    assert!(!accepts(node.proxy));
    assert!(asked.elapsed() >= Duration::from_millis(590), "the delay was kept: {:?}", asked.elapsed());
    kept.must_end();
    assert!(node.is_running(), "a request is under way");
    assert_eq!(node.admin("GET", "/healthz", &Value::Null).status(), 200, "the admin API ends last");
    gate.open();
    let answer = client.response();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "late but whole"));
    assert_eq!(answer.get("connection"), Some("close"), "{answer:?}");
    client.must_end();
    drop(idle);
    let status = node.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", node.log());
}

#[test]
fn the_drain_time_cuts_what_takes_longer() {
    let (mut node, _gate, _upstream, mut client) = with_one_in_flight(&[("--drain-timeout", "300ms")]);
    let begun = Instant::now();
    node.signal(libc::SIGINT);
    let status = node.wait_exit();
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert!(begun.elapsed() >= Duration::from_millis(300), "not before its time: {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(node.log().contains("--drain-timeout"), "{}", node.log());
    client.must_end();
}

#[test]
fn a_second_signal_ends_at_once() {
    for flags in [&[("--drain-timeout", "60s")][..], &[("--shutdown-delay", "60s")]] {
        let (mut node, _gate, _upstream, _client) = with_one_in_flight(flags);
        node.signal(libc::SIGTERM);
        until("/readyz says no", || node.admin("GET", "/readyz", &Value::Null).status() == 503);
        node.wait_log(&["ending"]);
        let begun = Instant::now();
        node.signal(libc::SIGTERM);
        let status = node.wait_exit();
        assert!(status.code().is_some_and(|code| code != 0), "{status}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn without_anything_under_way_it_ends_at_once() {
    let node = Plan::new().flag("--shards", "2").start();
    let mut kept = node.client();
    assert_eq!(kept.get("/").status(), 404);
    let begun = Instant::now();
    node.stop();
    kept.must_end();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
