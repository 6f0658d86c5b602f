//! HTTP/1.1 framing through the real process, on both runtimes: what goes up is what the client said, written anew; what
//! comes down is what the upstream said; and the connection is kept exactly where both sides know where a message ends.

#[path = "../harness/mod.rs"]
mod harness;

mod connection;
mod fields;
mod requests;
mod responses;
