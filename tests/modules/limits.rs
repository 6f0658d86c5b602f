//! A module that loops, eats memory or recurses costs its own request and nobody else anything but a time slice.

use crate::Stage;
use crate::harness::until;
use crate::operator::Json as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is bounded, by the module's source; the fault that the log names.
const HOGS: [(&str, &str, &str); 9] = [
    ("loops", "for (;;) {}", "module_cpu_limit"),
    ("matches", "/^(a+)+$/.test('a'.repeat(40) + 'b'); for (;;) {}", "module_cpu_limit"),
    (
        "promises",
        "const again = (): any => Promise.resolve().then(again); await again();",
        "module_cpu_limit",
    ),
    (
        "eats",
        "const all: any[] = []; for (;;) all.push('x'.repeat(100000) + all.length);",
        "module_memory_limit",
    ),
    (
        "allocates",
        "const all: any[] = []; for (;;) all.push(new Uint8Array(1 << 20));",
        "module_memory_limit",
    ),
    ("recurses", "const f = (n: number): number => f(n + 1) + 1; f(0);", "module_stack_limit"),
    ("waits", "await new Promise(() => {});", "module_pending_limit"),
    ("catches", "for (;;) { try { for (;;) {} } catch {} }", "module_cpu_limit"),
    ("finally", "try { for (;;) {} } finally { for (;;) {} }", "module_cpu_limit"),
];

#[test]
fn every_budget_ends_its_own_request_only() {
    let stage = Stage::with(&[("--module-memory-bytes", "16m")]);
    stage.alone("fine", "export const requestHandler = (ctx: any) => ctx.response().send('fine');");
    for (name, body, fault) in HOGS {
        stage.alone(name, &format!("export async function requestHandler(ctx: any) {{ {body} }}"));
        let begun = Instant::now();
        let answer = stage.get(&format!("/{name}"));
        assert_eq!(answer.status(), 500, "{name}: {answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
        let line = stage.node.wait_log(&[fault]);
        assert!(line.contains("limit"), "{line}");
        assert_eq!(stage.get("/fine").text(), "fine", "after {name}");
        // Its own errorHandler gets a context that lives.
        let handler = "export const errorHandler = (ctx: any, e: any) => ctx.response().status(299).json({ code: e.code });";
        stage.alone(name, &format!("{handler} export async function requestHandler(ctx: any) {{ {body} }}"));
        let answer = stage.get(&format!("/{name}"));
        assert_eq!(answer.status(), 299, "{name}: {answer:?}");
        assert!(answer.json()["code"].is_string(), "{name}: {answer:?}");
    }
}

/// Requests of other connections on the same shard while one loops without end: each may wait for a slice or two.
#[test]
fn neighbours_on_the_shard_go_on() {
    let stage = Stage::new();
    stage.alone("loops", "export const requestHandler = (ctx: any) => { for (;;) {} };");
    stage.alone("fine", "export const requestHandler = (ctx: any) => ctx.response().send('fine');");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looping = scope.spawn(|| {
            let (mut client, mut times) = (stage.node.client(), Vec::new());
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let answer = client.get("/loops");
                assert_eq!(answer.status(), 500, "{answer:?}");
                times.push(begun.elapsed());
                if answer.get("connection") == Some("close") {
                    client = stage.node.client();
                }
            }
            times
        });
        let (mut client, mut times) = (stage.node.client(), Vec::new());
        until("neighbours were served", || {
            let begun = Instant::now();
            assert_eq!(client.get("/fine").text(), "fine");
            times.push(begun.elapsed());
            times.len() >= 200
        });
        over.store(true, Ordering::Relaxed);
        times.sort();
        let mut loops = looping.join().expect("no panic");
        loops.sort();
        let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "neighbours: median {middle:?}, worst {worst:?} over {}; loops: median {:?} over {}",
            times.len(),
            loops[loops.len() / 2],
            loops.len()
        );
        assert!(loops.len() > 5, "the loop went on meanwhile");
        // 10 ms of CPU for the loop's call; the rest is a slow machine with other work.
        assert!(middle < Duration::from_millis(200), "the median neighbour waited {middle:?}");
        assert!(worst < Duration::from_secs(3), "a neighbour waited {worst:?}");
    });
}
