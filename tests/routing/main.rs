//! Which route answers a request and what its upstream is asked for, as tables of configuration, request, status and
//! target through the real process.

#[path = "../harness/mod.rs"]
mod harness;

mod direct;
mod hosts;
mod paths;
mod rules;
