//! openraft's own suite for storages.

use crate::raft::log_store::{Fused, LogStore};
use crate::raft::state_machine::StateMachine;
use crate::raft::{StorageError, Types};
use crate::store::Store;
use openraft::testing::{StoreBuilder, Suite};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;

struct Builder;

impl StoreBuilder<Types, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let fused = Arc::new(Fused::default());
        let log = LogStore::new(store.clone(), Arc::new(()), 1, fused.clone());
        let state = StateMachine::new(store, Arc::new(()), fused, Arc::new(watch::Sender::new(0)));
        Ok((dir, log, state))
    }
}

#[test]
fn the_storage_passes_openrafts_suite() {
    Suite::test_all(Builder).unwrap();
}
