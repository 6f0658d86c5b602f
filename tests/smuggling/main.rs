//! Request smuggling and response desynchronisation: other projects' corpora through the real process with a strict
//! upstream behind it. No damaged framing and no hidden second request may ever arrive, and no response may reach anybody
//! but the one who asked.

#[path = "../harness/mod.rs"]
mod harness;

mod oracle;
mod requests;
mod responses;
