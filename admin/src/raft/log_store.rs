//! The log and the vote on the disk, as Raft's storage. An entry counts as written, and a vote as given, only after the
//! transaction that holds it is committed with its fsync; nothing here ever answers earlier.
//!
//! A voter that is alone has its quorum with its own disk, so an entry that it appends as leader is committed by being
//! written. Then the entry is applied in the transaction that appends it (`fused`), which saves one of two fsyncs.

use super::proposal::{Outcomes, apply_entries};
use super::{Entry, LogId, StorageError, StorageIoError, Types, Vote};
use crate::store::{Rules, StateRecord, Store, StoreError, Tables, WriteTxn};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, EntryPayload, OptionalSend, RaftLogReader};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, PoisonError};

const VOTE_KEY: &str = "vote";
const PURGED_KEY: &str = "purged";

/// Entries handed out for replication at a time, bytes of their text.
const READ_BYTES: usize = 4 << 20;

/// Outcomes of entries that were applied while they were appended, until Raft asks to apply them.
#[derive(Default)]
pub(super) struct Fused {
    outcomes: Mutex<BTreeMap<u64, Outcomes>>,
}

impl Fused {
    /// The outcomes of the entry `index`, if it was applied while it was appended.
    pub(super) fn take(&self, index: u64) -> Option<Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner).remove(&index)
    }

    fn keep(&self, entries: &[Entry], outcomes: Vec<Outcomes>) {
        let mut kept = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(entries.iter().map(|e| e.log_id.index).zip(outcomes));
    }
}

/// The log of one node.
#[derive(Clone)]
pub(super) struct LogStore {
    store: Store,
    rules: Arc<dyn Rules>,
    node_id: u64,
    fused: Arc<Fused>,
}

impl LogStore {
    /// The log in `store`.
    pub(super) fn new(store: Store, rules: Arc<dyn Rules>, node_id: u64, fused: Arc<Fused>) -> Self {
        Self { store, rules, node_id, fused }
    }

    /// Writes entries, and applies them when this node is the quorum.
    fn append_blocking(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let outcomes = self.store.write_with(|tables, txn| {
            for entry in entries {
                let text =
                    serde_json::to_vec(entry).map_err(|_| StoreError::corrupt("an entry to append"))?;
                tables.log.put(txn, &entry.log_id.index, &text)?;
            }
            let mut record = tables.record(txn)?;
            let vote = read_meta(tables, txn, VOTE_KEY)?;
            if !committed_by_writing(entries, &record, vote, self.node_id) {
                return Ok(None);
            }
            let outcomes =
                apply_entries(&self.store, tables, txn, &mut record, self.rules.as_ref(), entries)?;
            tables.put_record(txn, &record)?;
            Ok(Some(outcomes))
        })?;
        if let Some(outcomes) = outcomes {
            self.fused.keep(entries, outcomes);
        }
        Ok(())
    }
}

/// Whether writing `entries` commits them (Raft §5.4.2: an entry of the leader's own term that is stored on a majority).
/// The node must be the elected leader of the entries' term, and the state must be at the entry right before them: then
/// no membership that is newer than the applied one can be in the log, so the applied one is in force, and in it the
/// node must be the only voter. Entries that change the membership go the long way.
fn committed_by_writing(entries: &[Entry], record: &StateRecord, vote: Option<Vote>, node_id: u64) -> bool {
    let (Some(first), Some(vote)) = (entries.first(), vote) else { return false };
    let configs = record.membership.membership().get_joint_config();
    vote.committed
        && vote.leader_id.voted_for() == Some(node_id)
        && record.applied.is_some_and(|id| id.index + 1 == first.log_id.index)
        && matches!(configs.as_slice(), [voters] if voters.len() == 1 && voters.contains(&node_id))
        && entries.iter().all(|e| {
            !matches!(e.payload, EntryPayload::Membership(_)) && e.log_id.leader_id == vote.leader_id
        })
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let store = self.store.clone();
        blocking(move || store.read_with(|tables, txn| read_entries(tables, txn, range, usize::MAX)))
            .await
            .map_err(|e| StorageIoError::read_logs(AnyError::error(e)).into())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        let store = self.store.clone();
        blocking(move || store.read_with(|tables, txn| read_entries(tables, txn, range, READ_BYTES)))
            .await
            .map_err(|e| StorageIoError::read_logs(AnyError::error(e)).into())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        /// The part of an entry that says where it is.
        #[derive(Deserialize)]
        struct Place {
            log_id: LogId,
        }
        let store = self.store.clone();
        let read = blocking(move || {
            store.read_with(|tables, txn| {
                let last_purged_log_id = read_meta(tables, txn, PURGED_KEY)?;
                let last = match tables.log.last(txn)? {
                    Some((index, text)) => Some(parse_entry::<Place>(index, text)?.log_id),
                    None => last_purged_log_id,
                };
                Ok(LogState { last_purged_log_id, last_log_id: last })
            })
        });
        read.await.map_err(|e| StorageIoError::read_logs(AnyError::error(e)).into())
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let (store, vote) = (self.store.clone(), *vote);
        blocking(move || store.write_with(|tables, txn| write_meta(tables, txn, VOTE_KEY, &vote)))
            .await
            .map_err(|e| StorageIoError::write_vote(AnyError::error(e)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let store = self.store.clone();
        blocking(move || store.read_with(|tables, txn| read_meta(tables, txn, VOTE_KEY)))
            .await
            .map_err(|e| StorageIoError::read_vote(AnyError::error(e)).into())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let this = self.clone();
        let written = blocking(move || this.append_blocking(&entries)).await;
        written.map_err(|e| StorageIoError::write_logs(AnyError::error(e)))?;
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let store = self.store.clone();
        blocking(move || {
            store.write_with(|tables, txn| {
                tables.log.delete_range(txn, &(log_id.index..))?;
                Ok(())
            })
        })
        .await
        .map_err(|e| StorageIoError::write_logs(AnyError::error(e)).into())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let store = self.store.clone();
        blocking(move || {
            store.write_with(|tables, txn| {
                let before: Option<LogId> = read_meta(tables, txn, PURGED_KEY)?;
                if before.is_none_or(|before| before < log_id) {
                    write_meta(tables, txn, PURGED_KEY, &log_id)?;
                }
                tables.log.delete_range(txn, &(..=log_id.index))?;
                Ok(())
            })
        })
        .await
        .map_err(|e| StorageIoError::write_logs(AnyError::error(e)).into())
    }
}

/// Runs database work on a thread that may block. A panic in it is a broken database record, not a lost process.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(StoreError::corrupt(format!("a record (the storage panicked: {e})"))),
    }
}

/// The entries of a range, in order, until `limit` bytes are reached; at least one.
pub(super) fn read_entries(
    tables: &Tables,
    txn: &heed::RoTxn,
    range: (Bound<u64>, Bound<u64>),
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    if let (Bound::Included(start), Bound::Excluded(end)) = range
        && start >= end
    {
        return Ok(entries);
    }
    for row in tables.log.range(txn, &range)? {
        let (index, text) = row?;
        entries.push(parse_entry(index, text)?);
        bytes += text.len();
        if bytes >= limit {
            break;
        }
    }
    Ok(entries)
}

fn parse_entry<'t, T: Deserialize<'t>>(index: u64, text: &'t [u8]) -> Result<T, StoreError> {
    serde_json::from_slice(text).map_err(|_| StoreError::corrupt(format!("log entry {index}")))
}

/// A small record of Raft's in `meta`.
pub(super) fn read_meta<T: serde::de::DeserializeOwned>(
    tables: &Tables,
    txn: &heed::RoTxn,
    key: &str,
) -> Result<Option<T>, StoreError> {
    tables
        .meta
        .get(txn, key)?
        .map(|text| {
            serde_json::from_slice(text).map_err(|_| StoreError::corrupt(format!("the record {key:?}")))
        })
        .transpose()
}

/// Writes a small record of Raft's into `meta`.
pub(super) fn write_meta<T: serde::Serialize>(
    tables: &Tables,
    txn: &mut WriteTxn,
    key: &str,
    value: &T,
) -> Result<(), StoreError> {
    let text = serde_json::to_vec(value).map_err(|_| StoreError::corrupt(format!("the record {key:?}")))?;
    Ok(tables.meta.put(txn, key, &text)?)
}
