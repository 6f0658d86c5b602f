//! Checking a data folder that no process uses: the state against its hash, and the state against its log. The log is
//! applied again, by the code that applied it, in a transaction of which nothing remains.

use super::log_store::read_entries;
use super::proposal::apply_entries;
use super::raft_snapshot;
use crate::store::{Digest, Rules, StateRecord, Store, StoreError, Tables, WriteTxn};
use serde::Serialize;
use std::ops::Bound;
use std::path::Path;

/// Entries applied at a time, bytes of their text.
const BATCH_BYTES: usize = 16 << 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Log index of the last applied entry.
    pub revision: u64,
    /// Changes applied, as stored.
    pub changes: u64,
    /// The stored hash of the state.
    pub state_hash: Digest,
    /// The hash of the records that are there.
    pub scanned_hash: Digest,
    /// The hash after applying the log again: from the `RaftSnapshot`, or from the beginning if there is none.
    pub replayed_hash: Digest,
    /// Index of the last entry of the `RaftSnapshot` that the replay started from.
    pub replayed_from: Option<u64>,
    /// Whether everything agrees.
    pub ok: bool,
}

/// Checks the store in `dir` with the rules it was written under. Errors: it is in use, is not a store, or cannot be
/// read; a store that can be read and disagrees with itself is a report that is not `ok`.
pub fn verify(dir: &Path, rules: &dyn Rules) -> Result<Report, StoreError> {
    let store = Store::open_existing(dir)?;
    let (record, scanned) = store.read_with(|tables, txn| {
        let mut scanned = Digest::default();
        for row in tables.state.iter(txn)?.chain(tables.cache.iter(txn)?) {
            let (key, value) = row?;
            scanned.add_record(key, value);
        }
        Ok((tables.record(txn)?, scanned))
    })?;
    let (replayed, replayed_from) =
        store.rehearse(|tables, txn| replay(&store, tables, txn, rules, &record))?;
    let stored = record.totals;
    Ok(Report {
        revision: record.revision(),
        changes: stored.changes,
        state_hash: stored.state_hash,
        scanned_hash: scanned,
        replayed_hash: replayed.totals.state_hash,
        replayed_from,
        ok: scanned == stored.state_hash && replayed.totals == stored && replayed.applied == record.applied,
    })
}

/// Applies the log again up to where `goal` is; answers where that led, and from where.
fn replay(
    store: &Store,
    tables: &Tables,
    txn: &mut WriteTxn,
    rules: &dyn Rules,
    goal: &StateRecord,
) -> Result<(StateRecord, Option<u64>), StoreError> {
    let mut record = match raft_snapshot::load_in(tables, txn)? {
        Some((meta, stream)) => {
            let mut record = raft_snapshot::restore(tables, txn, &stream)?;
            record.applied = meta.last_log_id;
            record
        }
        None => {
            tables.clear_state(txn)?;
            StateRecord::default()
        }
    };
    let from = record.applied.map(|id| id.index);
    let Some(end) = goal.applied.map(|id| id.index) else { return Ok((record, from)) };
    loop {
        let next = record.applied.map_or(0, |id| id.index + 1);
        let entries =
            read_entries(tables, txn, (Bound::Included(next), Bound::Excluded(end + 1)), BATCH_BYTES)?;
        let Some(first) = entries.first() else { return Ok((record, from)) };
        if first.log_id.index != next {
            return Err(StoreError::corrupt(format!("log entry {next} (it is missing)")));
        }
        apply_entries(store, tables, txn, &mut record, rules, &entries)?;
    }
}
