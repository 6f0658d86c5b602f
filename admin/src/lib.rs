//! The control plane: the admin API, Raft, LMDB, and the compiler from resources to snapshots. It alone turns what
//! users wrote into a [`tidegate_snapshot::Snapshot`]. It never touches a client's connection.

mod actor;
pub mod api;
pub mod change;
mod compile;
pub mod config;
pub mod invalid;
pub mod metrics;
mod module_log;
pub mod openapi;
mod profile;
pub mod raft;
mod resolver;
pub mod resource;
mod schedule;
pub mod store;
mod test_server;

pub use actor::{AdminHandle, Inbox, Options, ShardLink, StartError, inbox, start};
pub use module_log::Bounds as ModuleLogBounds;
pub use test_server::{TestServer, TestServerHandle, test_server};
