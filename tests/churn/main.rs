//! A thousand writes under load: no request and no connection is dropped, each write is visible to the very next
//! request, and each response comes from exactly one version of a module.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../operator/mod.rs"]
mod operator;

use harness::{Client, Upstream, ok};
use operator::node::{Node, Plan, client, module};
use operator::request;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Keep-alive connections of load.
const CONNECTIONS: usize = 64;
/// Writes under that load.
const WRITES: u64 = 1000;

/// Routes that nobody touches while it runs: one to an upstream, one answered by a module.
fn prepare(node: &Node, upstream: &Upstream) {
    node.put("/api/v1/service", json!({ "name": "steady", "urls": [upstream.url()], "retries": 0 }));
    let steady = json!({ "name": "steady", "paths": ["/steady/*"], "methods": ["*"], "service": "steady" });
    node.put("/api/v1/route", steady);
    node.module("versions", &version(0));
    let versions = json!({ "name": "v", "paths": ["/version"], "methods": ["GET"], "modules": ["versions"] });
    node.put("/api/v1/route", versions);
}

/// A module whose field, body and shared constant all carry its version; it waits in between.
fn version(n: u64) -> String {
    format!(
        "import {{ asyncSleep }} from 'dgate';
         const version: number = {n};
         export async function requestHandler(ctx: any) {{
            ctx.response().headers.set('X-Version', String(version));
            await asyncSleep('1ms');
            ctx.response().status({}).send('v{n} ' + version);
         }}",
        200 + n % 2
    )
}

/// One request of the load; panics if anything about the answer is not as it should be.
fn ask(client: &mut Client, turn: u64) {
    if turn.is_multiple_of(4) {
        let answer = client.get("/version");
        let n = answer.get("x-version").unwrap_or_default().to_owned();
        assert_eq!(answer.text(), format!("v{n} {n}"), "two versions in one answer: {answer:?}");
        assert_eq!(u64::from(answer.status()), 200 + n.parse::<u64>().expect("a number") % 2, "{answer:?}");
    } else {
        let answer = client.get("/steady/x");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "steady"), "{answer:?}");
    }
}

/// Load on connections that stay open, for as long as `work` takes. Answers how many requests were served.
fn under_load(node: &Node, work: impl FnOnce()) -> u64 {
    let (over, served) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for at in 0..CONNECTIONS as u64 {
            let (over, served) = (&over, &served);
            threads.push(scope.spawn(move || {
                let mut client = client(node.proxy);
                let mut turn = at;
                while !over.load(Ordering::Relaxed) {
                    ask(&mut client, turn);
                    served.fetch_add(1, Ordering::Relaxed);
                    turn += 1;
                    // The writer and the gateway share the test's two cores with all of these.
                    std::thread::sleep(Duration::from_millis(60));
                }
            }));
        }
        harness::until("the load is on", || served.load(Ordering::Relaxed) > 2 * CONNECTIONS as u64);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("no request and no connection was dropped");
        }
        outcome.expect("every write is visible");
    });
    served.load(Ordering::Relaxed)
}

/// A client that writes, and looks at once through connections to every shard.
struct Writer {
    admin: Client,
    proxy: Vec<Client>,
}

impl Writer {
    fn write(&mut self, method: &str, path: &str, body: &serde_json::Value) {
        let bytes =
            request(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes());
        let answer = self.admin.ask(bytes);
        assert!((200..300).contains(&answer.status()), "{method} {path}: {answer:?}");
    }

    #[track_caller]
    fn sees(&mut self, path: &str, status: u16, text: &str) {
        for client in &mut self.proxy {
            let answer = client.get(path);
            assert_eq!((answer.status(), answer.text().as_str()), (status, text), "{path}: {answer:?}");
        }
    }

    /// One of the kinds of writes that operators make, and the look after it.
    fn step(&mut self, n: u64, urls: &[String; 2]) {
        let (slot, path) = (n % 7, format!("/churn-{}", n % 7));
        let name = format!("churn-{slot}");
        match n % 5 {
            0 => {
                let source =
                    format!("export const requestHandler = (ctx: any) => ctx.response().send('m{n}');");
                self.write("PUT", "/api/v1/module", &module(&name, &source));
                let route = json!({ "name": name, "paths": [path], "methods": ["GET"], "modules": [name] });
                self.write("PUT", "/api/v1/route", &route);
                self.sees(&path, 200, &format!("m{n}"));
            }
            1 => {
                let url = &urls[(n / 5 % 2) as usize];
                self.write("PUT", "/api/v1/service", &json!({ "name": name, "urls": [url] }));
                let route = json!({ "name": name, "paths": [path], "methods": ["GET"], "service": name });
                self.write("PUT", "/api/v1/route", &route);
                self.sees(&path, 200, if (n / 5).is_multiple_of(2) { "left" } else { "right" });
            }
            2 => {
                self.write("PUT", "/api/v1/module", &module("versions", &version(n)));
                for client in &mut self.proxy {
                    let answer = client.get("/version");
                    assert_eq!(answer.get("x-version"), Some(n.to_string().as_str()), "{answer:?}");
                }
            }
            3 => {
                let route = json!({ "name": "gone", "paths": [path.clone() + "/gone"], "methods": ["GET"],
                    "service": "steady" });
                self.write("PUT", "/api/v1/route", &route);
                self.sees(&(path.clone() + "/gone"), 200, "steady");
                self.write("DELETE", "/api/v1/route/default/gone", &serde_json::Value::Null);
                for client in &mut self.proxy {
                    assert_eq!(client.get(&(path.clone() + "/gone")).status(), 404);
                }
            }
            _ => {
                let service = json!({ "name": "flips", "urls": [urls[(n / 5 % 2) as usize]] });
                self.write("PUT", "/api/v1/service", &service);
                let route =
                    json!({ "name": "flips", "paths": ["/flips"], "methods": ["GET"], "service": "flips" });
                self.write("PUT", "/api/v1/route", &route);
                self.sees("/flips", 200, if (n / 5).is_multiple_of(2) { "left" } else { "right" });
            }
        }
    }
}

#[test]
fn a_thousand_writes_under_load_drop_nothing_and_are_seen_at_once() {
    let [steady, left, right] =
        ["steady", "left", "right"].map(|text| Upstream::answering(move |_| ok(text)));
    let node = Plan::new().flag("--shards", "2").flag("--log-level", "warn").start();
    prepare(&node, &steady);
    let urls = [left.url(), right.url()];
    let mut writer =
        Writer { admin: client(node.admin), proxy: (0..4).map(|_| client(node.proxy)).collect() };
    let started = Instant::now();
    let mut steps = 0;
    let served = under_load(&node, || {
        // Most steps write twice.
        let mut writes = 0;
        while writes < WRITES {
            writer.step(steps, &urls);
            writes += if steps % 5 == 2 { 1 } else { 2 };
            steps += 1;
        }
    });
    println!("{WRITES} writes, {served} requests on {CONNECTIONS} connections in {:?}", started.elapsed());
    assert!(served > WRITES, "there was load: {served}");
    let log = node.stop();
    assert!(!log.contains(" ERROR ") && !log.contains("panicked"), "{log}");
}
