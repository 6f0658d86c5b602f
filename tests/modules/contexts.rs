//! Contexts while the upstream is waited for: a module that remembers nothing holds none, one that does keeps its own.

use crate::Stage;
use crate::harness::Upstream;
use crate::operator::node::client;
use serde_json::json;
use std::sync::{Arc, Condvar, Mutex};

/// Opened once by the test.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        let closed = self.0.lock().expect("nobody panicked");
        drop(self.1.wait_while(closed, |open| !*open).expect("nobody panicked"));
    }

    fn open(&self) {
        *self.0.lock().expect("nobody panicked") = true;
        self.1.notify_all();
    }
}

fn source(top: &str) -> String {
    format!(
        "{top}
         export function requestModifier(ctx: any) {{ ctx.set('path', ctx.request().path); ctx.request().headers.set('X-Seen', '1') }}
         export function responseModifier(ctx: any) {{ ctx.upstream().headers.set('X-Path', ctx.get('path')) }}"
    )
}

#[test]
fn what_remembers_nothing_waits_without_a_context() {
    let stage = Stage::with(&[("--shards", "1"), ("--module-contexts", "1")]);
    for (name, top, is_held) in [("forgets", "const N = 1;", false), ("remembers", "const seen = [1];", true)]
    {
        let gate = Arc::new(Gate::default());
        let upstream = {
            let gate = gate.clone();
            Upstream::answering(move |_| {
                gate.wait();
                "HTTP/1.1 204 Done\r\n\r\n".into()
            })
        };
        stage.node.put("/api/v1/service", json!({ "name": name, "urls": [upstream.url()] }));
        stage.node.module(name, &source(top));
        stage.route(name, &[name], Some(name));
        let ask = |path: String| {
            let port = stage.node.proxy;
            std::thread::spawn(move || client(port).get(&path))
        };
        let first = ask(format!("/{name}/1/a"));
        upstream.wait_requests(1);
        let second = ask(format!("/{name}/2/b"));
        if is_held {
            let refused = second.join().expect("an answer");
            assert_eq!((refused.status(), upstream.requests().len()), (503, 1), "{refused:?}");
            gate.open();
        } else {
            upstream.wait_requests(2);
            gate.open();
            let answer = second.join().expect("an answer");
            assert_eq!((answer.status(), answer.get("x-path")), (204, Some("/forgets/2/b")));
        }
        let answer = first.join().expect("an answer");
        assert_eq!((answer.status(), answer.get("x-path")), (204, Some(format!("/{name}/1/a").as_str())));
    }
}
