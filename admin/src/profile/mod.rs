//! The latency profile of the node: the last minute of every shard's intervals, kept small, and added up only when
//! somebody asks. Beside it what Prometheus wants to know of all of them, and for how long shards keep rows for somebody.

mod book;
mod cells;
mod figures;
mod kept;
mod lease;
mod merge;
mod phases;
mod show;
mod v2;

pub(crate) use book::{Book, KEPT_MS, Profiles, now_ms};
pub(crate) use merge::{By, Merge, Window};
pub(crate) use phases::BOUNDS;
pub(crate) use show::{Shown, Sort};
