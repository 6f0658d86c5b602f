//! What an entry of the log carries: changes as their JSON text, verbatim. The text is written once, by the node that
//! proposes, and travels as it is: parsing and printing it again could change a number, and nodes would part. Its
//! `Debug` shows sizes only.

use super::{Entry, Membership};
use crate::change::{Change, Outcome};
use crate::store::{Rules, StateRecord, Store, StoreError, Tables, WriteTxn, apply_change};
use openraft::EntryPayload;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Changes that share an entry, so that they share a write to the disk. Each is all or none by itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// Compact JSON of each [`Change`].
    pub(super) changes: Vec<Box<RawValue>>,
}

/// What each change of an entry gave, in order; empty for entries without changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Outcomes(pub(super) Vec<Outcome>);

impl std::fmt::Debug for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes: usize = self.changes.iter().map(|c| c.get().len()).sum();
        write!(f, "Proposal({} changes, {bytes} bytes)", self.changes.len())
    }
}

/// The text of a change.
pub(super) fn text_of(change: &Change) -> Box<RawValue> {
    serde_json::value::to_raw_value(change).expect("a change has string keys only and always serializes")
}

/// Applies entries in order inside one transaction; moves `record`, which the caller writes. Errors end Raft.
pub(super) fn apply_entries(
    store: &Store,
    tables: &Tables,
    txn: &mut WriteTxn,
    record: &mut StateRecord,
    rules: &dyn Rules,
    entries: &[Entry],
) -> Result<Vec<Outcomes>, StoreError> {
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        let index = entry.log_id.index;
        let mut outcomes = Outcomes::default();
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(proposal) => {
                for change in &proposal.changes {
                    outcomes.0.push(apply_change(store, tables, txn, record, rules, index, change.get())?);
                }
            }
            EntryPayload::Membership(membership) => {
                record.membership = Membership::new(Some(entry.log_id), membership.clone());
            }
        }
        record.applied = Some(entry.log_id);
        results.push(outcomes);
    }
    Ok(results)
}
