//! What is said between the planes: plain immutable data, the messages of the mailboxes, and the pure look-ups over
//! that data (hosts and paths), so that what the admin compiles and what a shard runs cannot differ.
//!
//! Nothing here does I/O, knows a runtime, a storage engine or a wire format, or has an `Option` that stands for a
//! default: whoever makes a value has resolved it.

mod cache;
mod direct;
mod document;
mod domain;
mod host_pattern;
mod job;
mod literals;
mod message;
mod method_set;
mod path_pattern;
mod path_tree;
mod profile;
mod records;
mod report;
mod route;
mod settings;

pub use cache::{CacheUpdate, CacheValue};
pub use direct::DirectResponse;
pub use document::{DocumentQuery, DocumentReader, DocumentWrite};
pub use domain::{Domain, DomainTable};
pub use host_pattern::{HostPattern, PatternError};
pub use job::{JobOrder, JobOutcome, JobReport};
pub use message::{Event, EventKind, EventLevel, ToAdmin, ToShard};
pub use method_set::MethodSet;
pub use path_pattern::{PathPattern, PathPatternError, Piece};
pub use path_tree::{Found, MAX_PARAMS, Match, Params, PathTree};
pub use profile::{
    IntervalProfile, OTHERS, Phase, ProfileOrder, ProfileRow, ProfileSink, Scope, Scopes, Times,
};
pub use records::RecordSink;
pub use report::{
    FunctionReport, LATENCY_BOUNDS_US, RouteReport, ScriptNow, ScriptReport, ShardReport, ShardTotals,
    StatusClass, TimesReport,
};
pub use route::{
    Condition, Endpoint, ModuleCode, ModuleLimits, Namespace, Pipeline, Revision, Route, Script,
    ScriptFunctions, Service, Share, Snapshot, Stage, Sticky, Subject, Variant,
};
pub use settings::{ForwardedRule, ProxySettings};
