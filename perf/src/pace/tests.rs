//! The load at a fixed rate against servers with known vices: what is told must be what they did.

use super::{Outcome, Plan, Request, run_plan};
use crate::workload::Workload;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// A server with a thread per connection; `answer` writes what the request with that number, from 0, gets, and tells
/// whether the connection is kept.
fn server(answer: impl Fn(&mut TcpStream, u64) -> bool + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let shared = std::sync::Arc::new((answer, AtomicU64::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, shared) = (stream.expect("a client"), shared.clone());
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        if !shared.0(&mut stream, shared.1.fetch_add(1, Ordering::SeqCst)) {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

fn ok(stream: &mut TcpStream) -> bool {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
}

fn plan(address: SocketAddr, rate: f64, connections: u32, ms: u64) -> Plan {
    Plan {
        address,
        request: Request::new(&Workload::SmallGet.exchange(), false),
        rate,
        seed: None,
        connections,
        length: Duration::from_millis(ms),
        timeout: Duration::from_secs(20),
        cpu: None,
        spin: false,
    }
}

fn load(plan: &Plan) -> Outcome {
    run_plan(plan).expect("an outcome")
}

const MS: u64 = 1_000_000;

#[test]
fn a_stall_is_charged_for_every_request_it_kept_waiting() {
    let stalls_once = server(|stream, number| {
        if number == 100 {
            thread::sleep(Duration::from_millis(200));
        }
        ok(stream)
    });
    // One connection: 200 ms at 500 a second keep about 100 of 500 requests waiting, the first of them for 200 ms.
    let outcome = load(&plan(stalls_once, 500.0, 1, 1000));
    assert_eq!((outcome.due, outcome.answered, outcome.errors.sum()), (500, 500, 0));
    let corrected = |at| outcome.corrected.value_at_quantile(at);
    assert!(corrected(0.99) > 150 * MS, "p99 {}", corrected(0.99));
    assert!(corrected(0.90) > 80 * MS, "p90 {}", corrected(0.90));
    // Without the correction one request of 500 shows it, which is beyond the 99.7th percentile.
    let above = outcome.service.count_between(150 * MS, u64::MAX / 2);
    assert!((1..=3).contains(&above), "{above}");
    assert!(outcome.service.value_at_quantile(0.9) < corrected(0.9) / 2);
    assert!(outcome.waited >= 50, "{}", outcome.waited);
    assert!(outcome.warnings().iter().any(|said| said.contains("no free connection")));
}

#[test]
fn with_connections_to_spare_a_slow_answer_holds_up_nobody_else() {
    let stalls_once = server(|stream, number| {
        if number == 50 {
            thread::sleep(Duration::from_millis(300));
        }
        ok(stream)
    });
    let outcome = load(&plan(stalls_once, 200.0, 8, 1000));
    assert_eq!(outcome.answered, 200);
    assert!(outcome.corrected.max() >= 300 * MS);
    assert_eq!(outcome.corrected.count_between(250 * MS, u64::MAX / 2), 1);
}

#[test]
fn faults_are_counted_by_their_kind() {
    let check = |answer: fn(&mut TcpStream, u64) -> bool, told: fn(&Outcome) -> u64| {
        let outcome =
            load(&Plan { timeout: Duration::from_millis(300), ..plan(server(answer), 100.0, 2, 200) });
        assert!(told(&outcome) > 0, "{outcome:?}");
        assert_eq!(outcome.due, 20);
        let kinds = outcome.errors;
        assert_eq!(outcome.answered + kinds.closed + kinds.not_http + kinds.timeout, 20, "{outcome:?}");
    };
    check(
        |stream, _| stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n").is_ok(),
        |o| o.errors.status,
    );
    check(|_, _| false, |o| o.errors.closed);
    check(|stream, _| stream.write_all(b"nonsense\r\n\r\n").is_ok(), |o| o.errors.not_http);
    check(
        |_, number| {
            number != 3 || {
                thread::sleep(Duration::from_secs(5));
                false
            }
        },
        |o| o.errors.timeout,
    );
    check(
        |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            false
        },
        |o| o.reconnected,
    );
}

#[test]
fn nobody_there_is_an_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let why = run_plan(&plan(address, 10.0, 2, 100)).expect_err("nobody listens");
    assert!(why.contains("0 of 2 connections"), "{why}");
}
