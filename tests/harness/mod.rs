//! What every black-box test stands on: a gateway process of its own on ephemeral ports (`gateway`), a client that sends
//! exactly the bytes it is told (`http`), and upstreams that run in the test (`upstream`). It never uses a fixed port, never
//! sleeps for a fixed time, and ends only processes that it started.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub mod gateway;
pub mod http;
pub mod upstream;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Far above what it takes, so that a loaded machine fails nothing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer, and fails with what was waited for.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
