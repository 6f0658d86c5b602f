//! The latest changes as the changelog shows them: which resources were touched, when, and under which log index. Never
//! a value: what was written may be secret.

use super::error::StoreError;
use super::tables::{Tables, WriteTxn};
use crate::change::{Change, Key, Kind, Op};
use serde::{Deserialize, Serialize};

/// Changes kept.
const KEPT: u64 = 128;

/// Operations listed of one change.
const OPS_LISTED: usize = 32;

/// One applied change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSummary {
    /// Raft log index.
    pub index: u64,
    /// The proposer's clock, milliseconds since the epoch.
    pub at_ms: u64,
    /// The first operations.
    pub ops: Vec<OpSummary>,
    /// How many operations it had.
    pub ops_total: usize,
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpName {
    /// Created or replaced.
    Put,
    /// Deleted.
    Delete,
    /// Deleted all documents of a collection.
    DeleteDocuments,
}

/// One operation, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpSummary {
    /// What it did.
    pub op: OpName,
    /// To which kind.
    pub kind: Kind,
    /// In which namespace.
    pub namespace: String,
    /// In which collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// To which resource; none when it did it to all of a collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl OpSummary {
    fn of(op: &Op) -> Option<Self> {
        let one = |op, key: &Key| Self {
            op,
            kind: key.kind,
            namespace: key.namespace.clone(),
            collection: key.collection.clone(),
            name: Some(key.name.clone()),
        };
        Some(match op {
            Op::Put { key, .. } => one(OpName::Put, key),
            Op::Delete { key } => one(OpName::Delete, key),
            Op::MarkRun(mark) => one(OpName::Put, &mark.module),
            Op::DeleteDocuments { namespace, collection } => Self {
                op: OpName::DeleteDocuments,
                kind: Kind::Document,
                namespace: namespace.clone(),
                collection: Some(collection.clone()),
                name: None,
            },
            // What modules count is no configuration.
            Op::Cache { .. } => return None,
        })
    }
}

/// Writes down the `number`th applied change and forgets the one that is too old.
pub(crate) fn remember(
    tables: &Tables,
    txn: &mut WriteTxn,
    number: u64,
    index: u64,
    change: &Change,
) -> Result<(), StoreError> {
    let summary = ChangeSummary {
        index,
        at_ms: change.at_ms,
        ops: change.ops.iter().take(OPS_LISTED).filter_map(OpSummary::of).collect(),
        ops_total: change.ops.len(),
    };
    tables.changes.put(txn, &number, &to_json(&summary))?;
    if let Some(old) = number.checked_sub(KEPT) {
        tables.changes.delete(txn, &old)?;
    }
    Ok(())
}

/// The latest `limit` changes, newest first.
pub(crate) fn latest(
    tables: &Tables,
    txn: &heed::RoTxn,
    limit: usize,
) -> Result<Vec<ChangeSummary>, StoreError> {
    let mut found = Vec::new();
    for row in tables.changes.rev_iter(txn)?.take(limit) {
        let (number, bytes) = row?;
        let summary =
            serde_json::from_slice(bytes).map_err(|_| StoreError::corrupt(format!("change {number}")))?;
        found.push(summary);
    }
    Ok(found)
}

/// Compact JSON of a record of ours.
pub(crate) fn to_json<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(record).expect("records of plain fields and string keys always serialize")
}
