//! With the kernel's stamps a latency begins when the packet came, however long the shard was busy with others.

use crate::modules::pipeline;
use crate::rig::{Rig, SLOW, Wanted, seen, upstream};
use crate::{OK, check, each};
use tidegate_shards::{Limits, RingOptions, SocketOptions, probe};
use tidegate_snapshot::Phase;

/// A shard that stamps, where there is io_uring to do it.
fn start(upstream: Option<std::net::SocketAddr>, wanted: Wanted) -> Option<Rig> {
    probe(RingOptions { arrival_stamps: true, ..RingOptions::default() }).ok()?;
    let socket = SocketOptions { arrival_stamps: true, ..SocketOptions::default() };
    let limits = Limits { client_socket: socket, upstream_socket: socket, ..Limits::default() };
    Some(Rig::start(upstream, Wanted { limits, is_stamped: true, ..wanted }))
}

#[test]
fn what_a_busy_shard_lets_wait_is_its_own_time() {
    // The first request of a pair keeps the shard busy; the second comes meanwhile.
    let handler = "export function requestHandler(ctx) {
        const end = Date.now() + (ctx.request().path === '/spin' ? 50 : 0);
        while (Date.now() < end);
        return new Response('ok');
    }";
    let Some(rig) = start(None, Wanted { pipeline: pipeline(handler), ..Wanted::default() }) else { return };
    let (mut busy, mut late) = (rig.connect(), rig.connect());
    // Both are accepted, and the engine is made.
    busy.get("ok");
    late.get("ok");
    for _ in 0..4 {
        busy.send("GET /spin HTTP/1.1\r\nHost: a\r\n\r\n");
        late.get("ok");
        busy.read_to("ok");
    }
    let times = rig.sum();
    // The two kinds are half of ten each: those that spun have it as the module's time, the others as the gateway's.
    let longest = times.of(Phase::Tax).max() as f64 / 1e6;
    let (requests, _) = seen(&times, Phase::Total);
    assert!(requests == 10 && longest >= SLOW.as_secs_f64() * 1e3 / 2.0, "{requests} requests, {longest} ms");
}

#[test]
fn stamped_phases_are_where_they_were() {
    let upstream = upstream(|client| {
        each(client, "\r\n\r\n", |client| {
            std::thread::sleep(SLOW);
            client.send(OK);
        })
    });
    let Some(rig) = start(Some(upstream), Wanted::default()) else { return };
    let mut client = rig.connect();
    for _ in 0..3 {
        client.get("ok");
    }
    check(&rig.sum(), 3, &[Phase::Total, Phase::FirstByte], &[Phase::Transfer, Phase::Module]);
}
