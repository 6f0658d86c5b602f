//! The store: one LMDB environment that holds the state (every resource and document), the Raft log and vote, and the
//! last Raft snapshot. Anybody may read through a [`View`]; only `raft` writes, in transactions that are on the disk
//! before they count. It never decides what a resource means: that is the [`Rules`]' business.
//!
//! A document is written as `Op::Put` with a value that is an object with `data`; what is stored and read back is
//! `{collection, createdAt, data, id, namespace, updatedAt}`, the rest made from the key and the change's clock. Every
//! other resource is stored as given. Values are canonical: compact JSON with sorted keys.

mod apply;
mod cache;
mod changes;
mod digest;
mod documents;
mod environment;
mod error;
mod key_bytes;
mod lock;
mod marks;
mod record;
mod rules;
mod tables;
mod timestamp;
mod view;

pub use changes::{ChangeSummary, OpName, OpSummary};
pub use digest::Digest;
pub use environment::Store;
pub use error::StoreError;
pub use rules::{Rules, StateView};
pub use view::{StateMeta, View};

pub use crate::raft::verify::{Report, verify};

pub(crate) use apply::apply_change;
pub(crate) use cache::check_size;
pub(crate) use marks::LastRun;
pub(crate) use record::{StateRecord, Totals};
pub(crate) use tables::{Tables, WriteTxn};
pub(crate) use timestamp::rfc3339;

#[cfg(test)]
mod tests;
