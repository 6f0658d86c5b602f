//! Counters of the node for Prometheus: what shards report is added up here, on the admin side, so that a scrape touches
//! no shard. Memory is bounded: so many routes and scripts, and those that are deleted go.

mod functions;
mod others;
mod phases;
mod registry;
mod text;

pub use others::{OtherMetrics, Sample};
pub use registry::Registry;
pub(crate) use registry::{Scrape, limits};
