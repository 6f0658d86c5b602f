//! Trying modules out without a gateway: a host in memory with a clock that only moves when it is told to, tests written in
//! TypeScript, and one request driven through all functions of a module as the gateway does it. Everything runs in the
//! real engine under the real budgets. It must never touch a file, a terminal or a socket: who calls it brings the sources.

mod bodies;
mod clock;
mod diff;
mod exchange;
mod library;
mod natives;
mod project;
mod runner;
mod store;
mod world;

pub use diff::{Change, diff};
pub use project::{Project, Source};
pub use runner::{Fault, FileReport, Settings, TestReport, Verdict, run_request, run_tests};
pub use world::{ConsoleLine, World};

pub(crate) use library::{PREFIX, bytecode};
pub(crate) use natives::fill;
#[cfg(test)]
pub(crate) use {exchange::MemoryExchange, world::KitHost};
