//! The latency profile of a real shard: what is slow shows in its own phase and in no other, and nothing of it in the
//! gateway's own part.
#![allow(clippy::disallowed_methods, reason = "the test's own threads are no shards")]

mod arrival;
mod modules;
mod rig;
mod telling;

use rig::{Client, Rig, SLOW, Wanted, ring, seen, upstream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidegate_shards::{Limits, SocketOptions};
use tidegate_snapshot::{Phase, Times};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers every request of a connection that ends so.
fn each(client: &mut Client, end: &str, answer: impl Fn(&mut Client)) {
    while client.has_read_to(end) {
        answer(client);
    }
}

/// Phases that must be slow, and phases that must not have been; the tax is fast in any case.
fn check(times: &Times, count: u64, slow: &[Phase], absent: &[Phase]) {
    let at_least = SLOW.as_secs_f64() * 1e3 - 1.0;
    for phase in slow {
        let (seen, median) = seen(times, *phase);
        assert!(seen == count && median >= at_least, "{phase:?}: {seen} times, {median} ms");
    }
    for phase in absent {
        assert_eq!(seen(times, *phase).0, 0, "{phase:?}");
    }
    let (total, (taxed, tax)) = (seen(times, Phase::Total), seen(times, Phase::Tax));
    assert!(total.0 == count && taxed == count, "{total:?} {taxed}");
    assert!(tax < at_least / 2.0, "the gateway's own part has taken {tax} ms");
}

#[test]
fn an_upstream_that_thinks_shows_in_its_first_byte() {
    let upstream = upstream(|client| {
        each(client, "\r\n\r\n", |client| {
            std::thread::sleep(SLOW);
            client.send(OK);
        })
    });
    let rig = Rig::start(Some(upstream), Wanted::default());
    let mut client = rig.connect();
    for _ in 0..3 {
        client.get("ok");
    }
    let times = rig.sum();
    check(&times, 3, &[Phase::Total, Phase::FirstByte], &[Phase::Transfer, Phase::Module]);
    let (connects, median) = seen(&times, Phase::Connect);
    assert!(connects == 1 && median > 0.001, "one connection for three requests: {connects}, {median} ms");
}

#[test]
fn a_body_that_trickles_shows_in_the_transfer() {
    let upstream = upstream(|client| {
        each(client, "\r\n\r\n", |client| {
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
            std::thread::sleep(SLOW);
            client.send("a");
            std::thread::sleep(SLOW);
            client.send("end");
        })
    });
    let rig = Rig::start(Some(upstream), Wanted::default());
    rig.connect().get("aend");
    let times = rig.sum();
    check(&times, 1, &[Phase::Total, Phase::Transfer], &[Phase::Module]);
    let (count, first) = seen(&times, Phase::FirstByte);
    assert!(count == 1 && first < SLOW.as_secs_f64() * 500.0, "{first} ms");
}

#[test]
fn a_client_that_sends_slowly_is_a_wait() {
    // Short enough to be gathered; and chunked, which streams.
    for (fields, pieces, end) in [
        ("Content-Length: 4", ["ab", "cd"], "abcd"),
        ("Transfer-Encoding: chunked", ["2\r\nab\r\n", "2\r\ncd\r\n0\r\n\r\n"], "\r\n0\r\n\r\n"),
    ] {
        let upstream = upstream(move |client| each(client, end, |client| client.send(OK)));
        let rig = Rig::start(Some(upstream), Wanted::default());
        let mut client = rig.connect();
        client.send(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        for piece in pieces {
            std::thread::sleep(SLOW);
            client.send(piece);
        }
        client.read_to("ok");
        let times = rig.sum();
        check(&times, 1, &[Phase::Total, Phase::Wait], &[Phase::Module, Phase::Transfer]);
        let (_, first) = seen(&times, Phase::FirstByte);
        assert!(first < SLOW.as_secs_f64() * 500.0, "{fields}: {first} ms");
    }
}

#[test]
fn a_client_that_has_gone_is_no_success() {
    // Whether it resets, whether it still reads, for how long it is answered, and the class of the status.
    for (resets, still_reads, wait, class) in [
        (true, false, 4 * SLOW, 4),
        (false, false, 22 * SLOW, 4),
        (false, true, 22 * SLOW, 2),
        (false, true, SLOW, 2),
    ] {
        let (tell, asked) = std::sync::mpsc::channel();
        let gone = Arc::new(AtomicBool::new(false));
        let is_gone = gone.clone();
        let upstream = upstream(move |client| {
            each(client, "\r\n\r\n", |client| {
                tell.send(()).expect("the test waits");
                while !is_gone.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                std::thread::sleep(wait);
                client.send(OK);
            })
        });
        let rig = Rig::start(Some(upstream), Wanted::default());
        let mut client = rig.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        asked.recv().expect("it was asked");
        client.0.shutdown(std::net::Shutdown::Write).expect("a half");
        if resets {
            client.reset();
            gone.store(true, Ordering::Release);
        } else if still_reads {
            gone.store(true, Ordering::Release);
            client.read_to("ok");
        } else {
            drop(client);
            gone.store(true, Ordering::Release);
        }
        let mut expected = [0; 5];
        expected[class - 1] = 1;
        assert_eq!(rig.responses(), expected, "{resets} {still_reads} {wait:?}");
    }
}

#[test]
fn what_was_no_request_is_all_tax() {
    let rig = Rig::start(None, Wanted::default());
    let mut client = rig.connect();
    client.send("NO REQUEST\r\n\r\n");
    client.read_to("}\n");
    let times = rig.sum();
    for phase in Phase::ALL {
        let is_there = matches!(phase, Phase::Total | Phase::Tax);
        assert_eq!(times.of(phase).len(), u64::from(is_there), "{phase:?}");
    }
}

#[test]
fn a_client_that_reads_slowly_is_no_transfer() {
    const BYTES: usize = 16 << 20;
    // With a pause before the first byte, and one in the middle.
    for is_on_ring in [false, true] {
        if is_on_ring && tidegate_shards::probe(ring()).is_err() {
            println!("skipped: there is no io_uring here");
            continue;
        }
        let upstream = upstream(|client| {
            each(client, "\r\n\r\n", |client| {
                client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n"));
                client.send(&(".".repeat(BYTES - 1) + "!"));
            })
        });
        let client_socket = SocketOptions { send_buffer: 64 << 10, ..SocketOptions::default() };
        let limits = Limits { client_socket, ..Limits::default() };
        let rig = Rig::start(Some(upstream), Wanted { limits, is_on_ring, ..Wanted::default() });
        let mut client = rig.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        std::thread::sleep(10 * SLOW);
        client.read_some(BYTES / 2);
        std::thread::sleep(10 * SLOW);
        client.read_to("!");
        let times = rig.sum();
        let (slow, of) = (SLOW.as_secs_f64() * 1e3, |phase| seen(&times, phase).1);
        let (total, transfer, wait) = (of(Phase::Total), of(Phase::Transfer), of(Phase::Wait));
        assert!(wait > 15.0 * slow, "on a ring {is_on_ring}: {wait} of {total} ms, transfer {transfer}");
        assert!(transfer < total / 2.0, "on a ring {is_on_ring}: transfer {transfer} of {total} ms");
    }
}

#[test]
fn a_retry_adds_up_and_its_pause_is_no_tax() {
    // Every other request is read and answered by nothing but a close.
    let count = std::sync::atomic::AtomicUsize::new(0);
    let upstream = upstream(move |client| {
        let fails = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2);
        client.read_to("\r\n\r\n");
        std::thread::sleep(SLOW);
        client.send(if fails { "" } else { OK });
    });
    let rig = Rig::start(Some(upstream), Wanted { retries: 1, ..Wanted::default() });
    rig.connect().get("ok");
    let times = rig.sum();
    check(&times, 1, &[Phase::Total, Phase::FirstByte, Phase::Wait], &[Phase::Transfer, Phase::Module]);
    let slow = SLOW.as_secs_f64() * 1e3;
    let (total, first_byte) = (seen(&times, Phase::Total).1, seen(&times, Phase::FirstByte).1);
    assert!(first_byte > 2.0 * slow - 2.0, "both attempts: {first_byte} ms");
    assert!(total > first_byte + slow - 2.0, "and the pause between them: {total} ms");
    assert_eq!(seen(&times, Phase::Connect).0, 1, "both connections in one time");
}
