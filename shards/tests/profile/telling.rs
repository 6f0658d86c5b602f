//! `Server-Timing`: who is told, and what; and that intervals go on while others hold them.

use crate::rig::{Client, Rig, SLOW, Wanted, upstream};
use crate::{OK, each};
use std::sync::mpsc;
use std::time::Duration;
use tidegate_shards::{Limits, ServerTiming};
use tidegate_snapshot::Phase;

/// Milliseconds of a metric in a response's last `Server-Timing` line.
fn told(response: &str, metric: &str) -> Option<f64> {
    let line = response.lines().rfind(|line| line.starts_with("Server-Timing: "))?;
    let mut metrics = line.trim_start_matches("Server-Timing: ").split(", ");
    metrics.find_map(|found| found.strip_prefix(metric)?.strip_prefix(";dur=")?.parse().ok())
}

#[test]
fn who_asks_is_told_and_nobody_else() {
    for (server_timing, ask, is_told) in [
        (ServerTiming::Never, "X-Server-Timing: 1\r\n", false),
        (ServerTiming::Asked, "", false),
        (ServerTiming::Asked, "X-Server-Timing: 0\r\n", false),
        (ServerTiming::Asked, "x-server-timing: 1\r\n", true),
        (ServerTiming::Always, "", true),
    ] {
        let (tell, seen) = mpsc::channel();
        let upstream = upstream(move |client: &mut Client| {
            let request = client.read_to("\r\n\r\n");
            tell.send(request).expect("the test waits");
            std::thread::sleep(SLOW);
            client.send("HTTP/1.1 200 OK\r\nServer-Timing: db;dur=7\r\nContent-Length: 2\r\n\r\nok");
        });
        let rig = Rig::start(Some(upstream), Wanted { server_timing, ..Wanted::default() });
        let mut client = rig.connect();
        client.send(&format!("GET / HTTP/1.1\r\nHost: a\r\n{ask}\r\n"));
        let response = client.read_to("ok");
        assert!(response.contains("Server-Timing: db;dur=7\r\n"), "{response}");
        let gateway = told(&response, "gateway");
        assert_eq!(gateway.is_some(), is_told, "{server_timing:?}, {ask:?}: {response}");
        if is_told {
            let slow = SLOW.as_secs_f64() * 1e3;
            assert!(gateway < Some(slow), "{response}");
            assert!(told(&response, "connect") > Some(0.0), "{response}");
            assert!(told(&response, "upstream") > Some(slow - 1.0), "{response}");
            assert_eq!(told(&response, "module"), None, "{response}");
        }
        let request = seen.recv().expect("a request").to_lowercase();
        let is_forwarded = request.contains("x-server-timing");
        assert_eq!(is_forwarded, server_timing == ServerTiming::Never, "{request}");
    }
}

#[test]
fn an_answer_of_ours_is_told_of_too() {
    let rig = Rig::start(None, Wanted { server_timing: ServerTiming::Always, ..Wanted::default() });
    let response = rig.connect().get("}\n");
    assert!(response.starts_with("HTTP/1.1 501") && told(&response, "gateway").is_some(), "{response}");
}

#[test]
fn nothing_is_lost_while_others_hold_every_set() {
    let limits = Limits { hdr_interval: Duration::from_millis(5), ..Limits::default() };
    let upstream = upstream(|client| each(client, "\r\n\r\n", |client| client.send(OK)));
    let rig = Rig::start(Some(upstream), Wanted { limits, ..Wanted::default() });
    let mut client = rig.connect();
    // The rig takes nothing before the end, and every request would have had an interval of its own.
    for _ in 0..20 {
        client.get("ok");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(client);
    let intervals = rig.end();
    assert!((2..=4).contains(&intervals.len()), "as many as there are sets, and the last");
    let count: u64 = intervals.iter().map(|interval| interval.times.of(Phase::Total).len()).sum();
    assert_eq!(count, 20);
    assert!(intervals.windows(2).all(|pair| pair[0].ended_ms <= pair[1].began_ms));
}
