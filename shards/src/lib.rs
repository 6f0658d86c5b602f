//! The data plane: one complete proxy per core, sharing nothing. A request enters here, is routed by the snapshot the
//! shard holds, passes policies and modules, reaches an upstream and comes back, without crossing a thread.
//!
//! No mutex, no shared atomic per request, no file, no name resolution, no logging to a stream happens in here; the laws
//! are in DESIGN and checked by `tools/tidy` and clippy.

mod accept;
mod body;
mod cache;
mod connection;
mod counters;
mod exchange;
mod fault;
mod fetch;
mod install;
mod limits;
mod link;
mod local;
mod names;
mod outbox;
mod policy;
mod pool;
mod profile;
mod record;
mod reply;
mod respond;
mod route;
mod script;
mod secure;
mod shard;
mod surroundings;
mod tables;
mod tickets;
mod upstream;
mod wire;

pub use cache::{CachePeers, cache_mesh};
pub use limits::Limits;
pub use profile::{Profiling, ServerTiming};
pub use record::{Rate, RecordFormat, RecordRules, Redaction, Sampling};
pub use shard::{ShardOptions, spawn_shard};
pub use surroundings::Surroundings;
pub use tidegate_codec::HeadLimits;
pub use tidegate_reactor::{
    Driver, KeepAlive, Memory, RingMode, RingOptions, SocketOptions, WakeSource, probe, wakeups,
};
