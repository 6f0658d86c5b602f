//! The state as Raft's state machine: entries are applied in log order, a batch in one transaction that also says how
//! far the log is applied. What was applied while it was appended is only answered. It never applies an entry twice.

use super::log_store::{Fused, blocking};
use super::proposal::{Outcomes, apply_entries};
use super::{Entry, LogId, Membership, RaftSnapshotMeta, StorageError, StorageIoError, Types, raft_snapshot};
use crate::store::{Rules, Store, StoreError};
use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{AnyError, OptionalSend, RaftSnapshotBuilder};
use std::io::Cursor;
use std::sync::Arc;
use tokio::sync::watch;

/// The state of one node.
#[derive(Clone)]
pub(super) struct StateMachine {
    store: Store,
    rules: Arc<dyn Rules>,
    fused: Arc<Fused>,
    applied: Arc<watch::Sender<u64>>,
}

impl StateMachine {
    /// The state in `store`; `applied` is told every new revision.
    pub(super) fn new(
        store: Store,
        rules: Arc<dyn Rules>,
        fused: Arc<Fused>,
        applied: Arc<watch::Sender<u64>>,
    ) -> Self {
        Self { store, rules, fused, applied }
    }

    fn apply_blocking(&self, entries: &[Entry]) -> Result<Vec<Outcomes>, StoreError> {
        self.store.write_with(|tables, txn| {
            let mut record = tables.record(txn)?;
            if let (Some(applied), Some(first)) = (record.applied, entries.first())
                && first.log_id.index <= applied.index
            {
                return Err(StoreError::corrupt(format!(
                    "log entry {} (it is applied already)",
                    first.log_id.index
                )));
            }
            let outcomes =
                apply_entries(&self.store, tables, txn, &mut record, self.rules.as_ref(), entries)?;
            tables.put_record(txn, &record)?;
            Ok(outcomes)
        })
    }
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError> {
        let store = self.store.clone();
        let record = blocking(move || store.read_with(|tables, txn| tables.record(txn)))
            .await
            .map_err(|e| StorageIoError::read_state_machine(AnyError::error(e)))?;
        Ok((record.applied, record.membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcomes>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut entries: Vec<_> = entries.into_iter().collect();
        let Some(last) = entries.last().map(|e| e.log_id) else { return Ok(Vec::new()) };
        let mut outcomes: Vec<_> =
            entries.iter().map_while(|entry| self.fused.take(entry.log_id.index)).collect();
        let rest = entries.split_off(outcomes.len());
        if !rest.is_empty() {
            let this = self.clone();
            let applied = blocking(move || this.apply_blocking(&rest)).await;
            outcomes.extend(applied.map_err(|e| StorageIoError::apply(last, AnyError::error(e)))?);
        }
        self.applied.send_replace(last.index);
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &RaftSnapshotMeta,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        let (store, kept) = (self.store.clone(), meta.clone());
        blocking(move || raft_snapshot::install(&store, &kept, snapshot.get_ref()))
            .await
            .map_err(|e| StorageIoError::write_snapshot(Some(meta.signature()), AnyError::error(e)))?;
        self.applied.send_replace(meta.last_log_id.map_or(0, |id| id.index));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        let store = self.store.clone();
        let kept = blocking(move || raft_snapshot::load(&store))
            .await
            .map_err(|e| StorageIoError::read_snapshot(None, AnyError::error(e)))?;
        Ok(kept.map(|(meta, stream)| Snapshot { meta, snapshot: Box::new(Cursor::new(stream)) }))
    }
}

impl RaftSnapshotBuilder<Types> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        let store = self.store.clone();
        let (meta, stream) = blocking(move || raft_snapshot::build(&store))
            .await
            .map_err(|e| StorageIoError::write_snapshot(None, AnyError::error(e)))?;
        // An entry that was applied while it was appended may be in the snapshot before Raft has asked to apply it. Raft
        // must not hear of a snapshot that is ahead of what it knows to be applied.
        let upto = meta.last_log_id.map_or(0, |id| id.index);
        // The sender lives as long as the cluster: an error means that nobody waits for this snapshot.
        let _ = self.applied.subscribe().wait_for(|applied| *applied >= upto).await;
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(stream)) })
    }
}
