//! What modules said and how they failed: a bounded log per module in memory, read and followed through the admin API. It
//! is no store: it does not survive the process, and the oldest entries make room for new ones. Shards send events, and
//! whatever runs modules on this side can add entries of its own.

mod book;
mod entry;
mod ring;

pub use book::Bounds;
pub(crate) use book::{Batch, Follower, ModuleLogs};
pub(crate) use entry::Level;
pub(crate) use ring::Wanted;
