//! Clients that write to an admin API until it goes away, and know afterwards what must be there: the last answered
//! value of every resource, or the one whose answer never came.

use crate::harness::Client;
use crate::operator::node::{Node, client, module};
use crate::operator::{Json as _, request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a resource may be: its last answered state, and the one that was under way.
#[derive(Debug, Default, Clone)]
struct Expected {
    /// `None` within: it was deleted, or never there.
    answered: Option<String>,
    under_way: Option<Option<String>>,
}

/// One client's own resources.
#[derive(Default)]
struct Writer {
    count: u64,
    resources: BTreeMap<String, Expected>,
}

pub struct Writers {
    writers: Vec<Mutex<Writer>>,
    answered: AtomicU64,
}

impl Writers {
    pub fn new(count: usize) -> Self {
        Self { writers: (0..count).map(|_| Mutex::default()).collect(), answered: AtomicU64::new(0) }
    }

    /// Writes that were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Lets all of them write until `is_over` says so; then they stop at the next answer, or when the node is gone.
    pub fn run_until(&self, admin: u16, mut is_over: impl FnMut() -> bool) {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for (index, writer) in self.writers.iter().enumerate() {
                let stop = &stop;
                threads.push(scope.spawn(move || {
                    let writer = &mut *writer.lock().expect("no panic");
                    let mut client = client(admin);
                    while !stop.load(Ordering::SeqCst) && writer.write(index, &mut client) {
                        self.answered.fetch_add(1, Ordering::SeqCst);
                    }
                }));
            }
            while !is_over() {
                assert!(!threads.iter().any(|thread| thread.is_finished()), "a writer ended by itself");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            stop.store(true, Ordering::SeqCst);
        });
    }

    /// Everything that was answered is there; what was under way is there wholly or not at all.
    #[track_caller]
    pub fn check(&self, node: &Node, when: &str) {
        let mut client = client(node.admin);
        for writer in &self.writers {
            let mut writer = writer.lock().expect("no panic");
            for (path, expected) in &mut writer.resources {
                let got = client.ask(request("GET", path, &[], b""));
                let mark = match got.status() {
                    200 => Some(mark_of(path, &got.json()["data"])),
                    404 => None,
                    status => panic!("{when}: GET {path}: {status}"),
                };
                let is_right =
                    mark == expected.answered || expected.under_way.take().is_some_and(|other| other == mark);
                assert!(is_right, "{when}: {path} is {mark:?}, and should be {expected:?}");
                *expected = Expected { answered: mark, under_way: None };
            }
        }
    }
}

/// What tells one version of a resource from another.
fn mark_of(path: &str, data: &Value) -> String {
    if path.contains("/document/") { data["data"]["n"].to_string() } else { data["tags"][0].to_string() }
}

impl Writer {
    /// One write; whether it was answered.
    fn write(&mut self, index: usize, client: &mut Client) -> bool {
        self.count += 1;
        let n = self.count;
        let (kind, name) = (n % 4, format!("w{index}-{}", n % 12));
        let (path, mut body) = match kind {
            0 => (format!("/api/v1/service/default/{name}"), json!({ "urls": ["http://127.0.0.1:1"] })),
            1 => (
                format!("/api/v1/route/default/{name}"),
                json!({ "paths": ["/x"], "methods": ["GET"], "service": "s" }),
            ),
            2 => (format!("/api/v1/document/default/c/{name}"), json!({})),
            _ => {
                let source = format!("export function requestHandler(ctx) {{ return {n}; }}");
                (format!("/api/v1/module/default/{name}"), module(&name, &source))
            }
        };
        let mark = if kind == 2 {
            body["n"] = n.into();
            Value::from(n).to_string()
        } else {
            body["tags"] = json!([n.to_string()]);
            Value::from(n.to_string()).to_string()
        };
        let is_there = self.resources.get(&path).is_some_and(|known| known.answered.is_some());
        let deletes = n.is_multiple_of(5) && is_there;
        let under_way = if deletes { None } else { Some(mark) };
        let expected = self.resources.entry(path.clone()).or_default();
        expected.under_way = Some(under_way.clone());
        let text = body.to_string();
        let bytes = match deletes {
            true => request("DELETE", &path, &[], b""),
            false => request("PUT", &path, &[("Content-Type", "application/json")], text.as_bytes()),
        };
        if !client.try_send(bytes) {
            return false;
        }
        match client.try_response() {
            Ok(answer) if answer.status() == 200 => {
                *expected = Expected { answered: under_way, under_way: None };
                true
            }
            // A node that ends may say so; whether the write took effect is then not known.
            Ok(answer) if answer.status() >= 500 => false,
            Ok(answer) => panic!("{path}: {answer:?}"),
            Err(_) => false,
        }
    }
}
