//! The control plane: the admin API, Raft, LMDB, and the compiler from resources to snapshots. It alone turns what
//! users wrote into a [`tidegate_snapshot::Snapshot`]. It never touches a client's connection.

pub mod api;
pub mod change;
pub mod invalid;
pub mod metrics;
pub mod openapi;
pub mod raft;
pub mod resource;
pub mod store;
