//! The flags that fit a gateway to a machine: what they change is seen from outside, what cannot be had is said.

use crate::harness::{Upstream, ok, until};
use crate::operator::node::{Node, Plan};
use crate::refused;
use serde_json::{Value, json};

/// The CPUs this process may use.
fn cpus() -> Vec<usize> {
    // SAFETY: the set is plain memory, filled by the call and read within its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set), 0);
        (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect()
    }
}

/// Connects so often from a CPU, on which the kernel then also handles the packets of the loopback interface.
fn connect_from(cpu: usize, node: &Node, times: usize) {
    std::thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            // SAFETY: a zeroed set is valid, and the call reads it only; it binds this thread alone.
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                libc::CPU_SET(cpu, &mut set);
                assert_eq!(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set), 0);
            }
            for _ in 0..times {
                assert_eq!(node.get("/nowhere").status(), 404);
            }
        });
        connecting.join().expect("no panic");
    });
}

/// Connections that each of two shards has accepted.
fn accepted(node: &Node) -> [u64; 2] {
    let metrics = node.admin("GET", "/metrics", &Value::Null).text();
    [0, 1].map(|shard| {
        let sample = format!("tidegate_connections_accepted_total{{shard=\"{shard}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&sample)).unwrap_or("0");
        value.parse().expect("a count")
    })
}

#[test]
fn a_connection_goes_to_the_shard_on_the_cpu_that_handles_its_packets() {
    const TIMES: u64 = 24;
    let cpus = cpus();
    let [first, second, ..] = cpus[..] else {
        println!("skipped: two CPUs are needed");
        return;
    };
    for steer in ["none", "cpu", "incoming-cpu"] {
        // The order of the shards is not that of the CPUs, so that the list is needed and not only the modulo.
        let plan = Plan::new().flag("--shards", "2").flag("--cpus", &format!("{second},{first}"));
        let node = plan.flag("--steer", steer).start();
        let line = node.wait_log(&["proxy on"]);
        assert!(line.contains(&format!("0:{second}@0 1:{first}@0")), "{line}");
        connect_from(first, &node, TIMES as usize);
        until("they are counted", || accepted(&node).iter().sum::<u64>() >= TIMES);
        let [there, here] = accepted(&node);
        match steer {
            "none" => assert!(there > 0 && here > 0, "{there} {here}"),
            _ => assert_eq!([there, here], [0, TIMES], "{steer}"),
        }
        connect_from(second, &node, TIMES as usize);
        until("they are counted", || accepted(&node).iter().sum::<u64>() >= 2 * TIMES);
        if steer != "none" {
            assert_eq!(accepted(&node), [TIMES, TIMES], "{steer}");
        }
        node.stop();
    }
}

#[test]
fn steering_that_cannot_be_is_left_out_and_said() {
    for (flags, why) in [(["any", "2"], "--cpus any"), (["0", "2"], "several shards share CPU 0")] {
        if flags[0] == "0" && !cpus().contains(&0) {
            continue;
        }
        let plan = Plan::new().flag("--cpus", flags[0]).flag("--shards", flags[1]);
        let node = plan.flag("--steer", "cpu").start();
        node.wait_log(&["--steer is left out", why]);
        assert_eq!(node.get("/nowhere").status(), 404);
    }
}

#[test]
fn every_ring_and_every_option_serves() {
    let upstream = Upstream::answering(|_| ok("fine"));
    for flags in [
        "--ring-mode defer --ring-entries 256 --ring-completions 4096",
        "--ring-mode cooperative --busy-poll-us 30",
        "--busy-poll-us 50",
        "--ring-mode kernel-thread --busy-poll-us 50",
        "--ring-mode interrupting",
        "--ring-mode kernel-thread --ring-thread-idle 5ms",
        "--cpus node:0,physical --numa-memory bound",
        "--numa-memory local",
        "--defer-accept 2s --tcp-fastopen 64 --tcp-keepalive 30s,5s,3 --upstream-tcp-keepalive 30s",
        "--upstream-source 127.0.0.2,127.0.0.3,::1",
        "--tcp-user-timeout 20s --tcp-unsent-bytes 16k --congestion-control reno --backlog 64",
    ] {
        let words = flags.split(' ').collect::<Vec<_>>();
        let plan = words.chunks(2).fold(Plan::new(), |plan, pair| plan.flag(pair[0], pair[1]));
        let node = plan.start();
        node.put("/api/v1/service", json!({ "name": "s", "urls": [upstream.url()] }));
        node.put("/api/v1/route", json!({ "name": "r", "paths": ["/*"], "methods": ["*"], "service": "s" }));
        for _ in 0..3 {
            assert_eq!(node.get("/x").text(), "fine", "{flags}");
        }
        let mut client = node.client();
        assert!((0..10).all(|_| client.get("/x").text() == "fine"), "{flags}");
        let log = node.stop();
        assert!(!log.contains("panicked"), "{flags}: {log}");
    }
}

#[test]
fn what_a_machine_has_not_is_refused_with_what_it_has() {
    for (flag, value, parts) in [
        ("--cpus", "node:99", &["no node '99'", "it has 0"][..]),
        ("--cpus", "4095", &["CPU 4095"]),
        ("--ring-thread-cpus", "4095", &["--ring-thread-cpus", "CPU 4095"]),
        ("--ring-completions", "256", &["--ring-completions 256", "--ring-entries 1024"]),
        ("--congestion-control", "no_such", &["no_such", "reno"]),
        ("--upstream-source", "192.0.2.77", &["192.0.2.77", "no address of this host"]),
        ("--numa-memory", "bound", &["--numa-memory", "--cpus any"]),
        ("--tcp-keepalive", "500ms", &["whole seconds"]),
        ("--defer-accept", "1500ms", &["whole seconds"]),
        ("--shards", "0", &["at least one"]),
    ] {
        // Flags of kernel threads have no effect without them, which is another refusal.
        let mode = if flag == "--ring-thread-cpus" { "kernel-thread" } else { "defer" };
        let (status, said) = Plan::new().flag("--ring-mode", mode).flag(flag, value).fails();
        assert!(status.code().is_some_and(|code| code != 0), "{flag} {value}: {status} {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{flag} {value}: {said}");
    }
    refused(Plan::new().flag("--congestion-control", "no_such"), &["no_such"]);
}
