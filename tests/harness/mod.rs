//! What every black-box test stands on: the built binary as a process of its own, upstreams that are threads and record
//! exactly what they got, and clients on raw sockets. Everything has a deadline, nothing has a fixed port, and nothing
//! waits by sleeping for a time that was guessed.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod client;
mod config;
mod corpus;
mod gateway;
mod message;
mod upstream;
mod vices;

pub use client::{Client, until};
pub use config::{Config, route, service};
pub use corpus::{Case, corpus};
pub use gateway::{Gateway, RUNTIMES};
pub use message::{Head, Message, Stream, Trouble, chunked};
pub use upstream::{Upstream, Visit, ok};
pub use vices::*;

use std::time::Duration;

/// How long anything may take before a test calls it stuck. Long, because machines of CI are slow; a test that passes
/// never waits for it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Makes one test of each function for io_uring (or what `auto` chooses) and one for epoll.
#[macro_export]
macro_rules! on_both_runtimes {
    ($($name:ident),* $(,)?) => {
        mod on_auto { $(#[test] fn $name() { super::$name("auto"); })* }
        mod on_epoll { $(#[test] fn $name() { super::$name("epoll"); })* }
    };
}
