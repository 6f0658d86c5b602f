//! Modules: QuickJS, TypeScript, budgets and the host interface.
//!
//! The admin plane calls [`compile`] and [`check_graph`] before it accepts a module; a shard makes one [`Runtime`]
//! per module graph and borrows a [`Lease`] from it for each exchange. Everything a module can reach outside the
//! engine goes through [`Host`] and [`Exchange`]. This package must never name a socket, a resource type or an
//! async runtime, and it is no boundary against a zero-day of the engine.

mod bridge;
mod bytecode;
mod call;
mod compile;
mod depth;
mod exports;
mod failure;
mod governor;
mod grants;
mod graph;
mod heap;
mod histogram;
mod host;
mod jobs;
pub mod kit;
mod lease;
mod limits;
mod loader;
mod module;
mod native;
mod no_request;
mod operations;
mod pipe;
mod positions;
mod prelude;
mod realm;
mod restraint;
mod runtime;
mod specifier;
mod stack;
mod streams;
mod tally;

pub use call::Call;
/// Types of everything a module can use, for editors and `tsc`: the text of `tidegate.d.ts`.
pub const TYPES: &str = include_str!("../types/tidegate.d.ts");

pub use compile::compile;
pub use failure::{Cause, ErrorInfo, Failure};
pub use grants::{DEFAULT_PERMISSIONS, Grants, Missing};
pub use graph::{Examined, check_graph, examine_graph};
pub use histogram::Histogram;
pub use host::{
    CacheScope, CacheUpdate, CacheValue, Chunks, ConsoleLevel, Described, Exchange, Host, HttpBody,
    HttpRequest, HttpResponse, Pending, Refused, RequestPart, Side, StateRead, StateWrite,
};
pub use jobs::{Job, JobRun, Per};
pub use lease::{Answer, Kept, Lease};
pub use limits::{Limits, RuntimeStats};
pub use module::{Compiled, Diagnostic, Function, Functions, Language, ModuleCode};
pub use no_request::NoRequest;
pub use runtime::Runtime;
pub use tally::{Calls, Outcome};
