//! Upstreams that fail: which requests are sent again and which must not be, where to, for how long, and what the client
//! is told when nothing helps.

#[path = "../harness/mod.rs"]
mod harness;

mod addresses;
mod early;
mod retries;
