//! What the steady state may not do: a shard that serves request after request on kept connections allocates nothing
//! and takes no lock. Its thread runs under an allocator that counts, and is walked through instruction by instruction,
//! between a client and an upstream on threads of their own.
#![allow(clippy::disallowed_methods, reason = "the test's own threads are no shards")]

mod counting;
mod rig;
#[cfg(target_arch = "x86_64")]
mod steps;
#[cfg(target_arch = "x86_64")]
mod tracer;

use rig::{Client, Shard, Upstream};
use std::time::Instant;
use tidegate_shards::Limits;

/// Requests before anything counts: pools, rows and buffers are made.
const WARM_UP: usize = 300;
/// Requests of a window, few enough for most windows to see none of what a shard does a few times a second.
const WINDOW: usize = 50;
const WINDOWS: usize = 40;

const GET: &[u8] =
    b"GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nUser-Agent: steady\r\nAccept: */*\r\nCookie: a=b\r\n\r\n";

/// What the shard's clockwork (reports, timers) may allocate in a second and beside it. It goes by the clock and not by
/// requests: a slow machine sees more of it in a window.
const CLOCKWORK: (f64, f64) = (20.0, 10.0);
/// So many windows must be clean in a row.
const IN_A_ROW: usize = 3;

/// Serves windows of requests and says how many allocations each saw.
fn windows(client: &mut Client, request: &[u8], response_bytes: usize) -> Vec<u64> {
    for _ in 0..WARM_UP {
        client.exchange(request, response_bytes);
    }
    let mut seen = Vec::new();
    for _ in 0..WINDOWS {
        let before = counting::allocations();
        for _ in 0..WINDOW {
            client.exchange(request, response_bytes);
        }
        seen.push(counting::allocations() - before);
    }
    seen
}

/// Most windows are clean, some in a row, and what all saw together is no more than the clockwork's: a request that
/// allocates now and then, every hundredth, is more.
fn check(what: &str, upstream: Upstream, request: &[u8], body: usize) {
    check_shard(what, Shard::start(upstream, Limits::default()), request, body);
}

fn check_shard(what: &str, shard: Shard, request: &[u8], body: usize) {
    let began = Instant::now();
    let seen = windows(&mut Client::to(shard.address), request, body);
    let seconds = began.elapsed().as_secs_f64();
    let clean = seen.iter().filter(|count| **count == 0).count();
    println!(
        "{what}: {clean} of {WINDOWS} windows of {WINDOW} requests without an allocation; {seconds:.2} s; {seen:?}"
    );
    assert!(2 * clean > WINDOWS, "{what}: the steady state allocates: {seen:?}");
    let in_a_row = seen.split(|count| *count > 0).map(<[u64]>::len).max();
    assert!(in_a_row >= Some(IN_A_ROW), "{what}: never {IN_A_ROW} clean windows in a row: {seen:?}");
    let (most, total) = (CLOCKWORK.0 * seconds + CLOCKWORK.1, seen.iter().sum::<u64>());
    assert!((total as f64) < most, "{what}: {total} allocations, and the clockwork has {most:.0}: {seen:?}");
}

#[test]
fn nothing_is_allocated_for_a_request() {
    assert!(counting::is_counting(), "the allocator of this test counts");
    check("GET", Upstream::length(100), GET, 100);
    check("GET of 48 KiB", Upstream::length(48 << 10), GET, 48 << 10);
    check("GET, chunked", Upstream::chunked(5_000), GET, 5_000);
    let mut post = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 16384\r\n\r\n".to_vec();
    post.resize(post.len() + 16_384, b'x');
    check("POST of 16 KiB", Upstream::length(2), &post, 2);
    let profiling = Shard::profiling(Upstream::length(100));
    check_shard("GET, with rows and Server-Timing", profiling, GET, 100);
    for bytes in [100, 48 << 10] {
        check_shard(
            &format!("GET, answered by the route, {bytes} bytes"),
            Shard::answering(bytes),
            GET,
            bytes,
        );
    }
    for format in ["json", "combined", "%{query} %{req.cookie} %{resp.content-type}"] {
        check_shard(
            &format!("GET, logged: {format}"),
            Shard::logging(Upstream::length(100), format),
            GET,
            100,
        );
    }
}
