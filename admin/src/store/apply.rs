//! Applying one change to the state inside a write transaction: every operation or none. It is deterministic: what it
//! does depends on the change's text, the state and the rules alone, never on a clock, a random number or the node.

use super::cache;
use super::changes;
use super::environment::Store;
use super::error::StoreError;
use super::key_bytes::{encode, prefix};
use super::marks;
use super::record::{StateRecord, Totals};
use super::rules::{Rules, StateView};
use super::tables::{Tables, WriteTxn, parse};
use super::timestamp::rfc3339;
use crate::change::{CacheValue, Change, Key, Kind, Op, Outcome};
use crate::invalid::Invalid;
use heed::RoTxn;
use serde_json::{Value, json};
use std::cell::Cell;

/// Applies the change with the JSON text `text` as part of the entry `index`; moves `record`'s totals. Errors end Raft:
/// the database failed, or the text is of a newer build.
pub(crate) fn apply_change(
    store: &Store,
    tables: &Tables,
    txn: &mut WriteTxn,
    record: &mut StateRecord,
    rules: &dyn Rules,
    index: u64,
    text: &str,
) -> Result<Outcome, StoreError> {
    let change: Change = serde_json::from_str(text)
        .map_err(|_| StoreError::corrupt(format!("log entry {index} (from a newer build?)")))?;
    let mut totals = record.totals;
    let mut part = store.nested(txn)?;
    let mut faults = Vec::new();
    let of_cache = change.ops.iter().any(|op| matches!(op, Op::Cache { .. }));
    if of_cache && change.ops.len() > 1 {
        faults.push(Invalid::new("", "an operation on the cluster's cache stands alone in its change"));
    }
    let mut answer = None;
    for op in &change.ops {
        let view = Looking { tables, txn: &part, failed: Cell::new(None) };
        let found = rules.check(&view, op);
        if let Some(e) = view.failed.into_inner() {
            return Err(e);
        }
        faults.extend(found);
        // Later operations are checked as if this one had passed, so that one answer tells every fault.
        match perform(tables, &mut part, &mut totals, op, change.at_ms)? {
            Ok(found) => answer = found,
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        part.abort();
        faults.dedup();
        return Ok(Outcome::Rejected { faults });
    }
    // The changelog is of the configuration: what modules count, and runs that come every minute, would drive everything
    // else out of it.
    let is_kept_out = |op: &Op| matches!(op, Op::MarkRun(_) | Op::Cache { .. });
    if change.ops.is_empty() || !change.ops.iter().all(is_kept_out) {
        totals.changes += 1;
        totals.changelog_hash.chain(text.as_bytes());
        changes::remember(tables, &mut part, totals.changes, index, &change)?;
    }
    part.commit().map_err(StoreError::from)?;
    record.totals = totals;
    Ok(Outcome::Applied { index, answer })
}

/// One operation, with the answer of those that have one; the inner error is the author's fault, the outer the database's.
fn perform(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    op: &Op,
    at_ms: u64,
) -> Result<Result<Option<CacheValue>, Invalid>, StoreError> {
    match op {
        Op::Put { key, value } => {
            let bytes = match encode(key) {
                Ok(bytes) => bytes,
                Err(unusable) => return Ok(Err(Invalid::new("", unusable.0))),
            };
            let stored = if key.kind == Kind::Document {
                let Some(data) = value.get("data") else {
                    return Ok(Err(Invalid::new("data", "a document needs data")));
                };
                &document(tables, txn, key, data, at_ms)?
            } else {
                value
            };
            tables.put_state(txn, totals, &bytes, &changes::to_json(stored))?;
        }
        Op::Delete { key } => {
            let there = match encode(key) {
                Ok(bytes) => tables.delete_state(txn, totals, &bytes)?,
                Err(_) => false,
            };
            if there && key.kind == Kind::Module {
                marks::forget(tables, txn, totals, key)?;
            }
            if !there {
                let why = format!(
                    "the {} {:?} of namespace {:?} does not exist",
                    key.kind.name(),
                    key.name,
                    key.namespace
                );
                return Ok(Err(Invalid::new("", why)));
            }
            if key.kind == Kind::Namespace {
                cache::forget_namespace(tables, txn, totals, &key.name)?;
            }
        }
        Op::Cache { namespace, key, update } => {
            let done = cache::perform(tables, txn, totals, (namespace, key, update), at_ms)?;
            return Ok(done.map(Some));
        }
        Op::MarkRun(mark) => return Ok(marks::put(tables, txn, totals, mark, at_ms)?.map(|()| None)),
        Op::DeleteDocuments { namespace, collection } => {
            let under = prefix(Kind::Document, Some(namespace), Some(collection));
            let mut doomed = Vec::new();
            for row in tables.state.prefix_iter(txn, &under)? {
                doomed.push(row?.0.to_vec());
            }
            for key in doomed {
                tables.delete_state(txn, totals, &key)?;
            }
        }
    }
    Ok(Ok(None))
}

/// A document as it is stored: created when it first was, updated now.
fn document(tables: &Tables, txn: &RoTxn, key: &Key, data: &Value, at_ms: u64) -> Result<Value, StoreError> {
    let now = Value::String(rfc3339(at_ms));
    let before = tables.text(txn, key)?.map(|text| parse(key, text)).transpose()?;
    let created = before.and_then(|mut old| old.get_mut("createdAt").map(Value::take));
    Ok(json!({
        "id": key.name,
        "namespace": key.namespace,
        "collection": key.collection,
        "data": data,
        "createdAt": created.unwrap_or_else(|| now.clone()),
        "updatedAt": now,
    }))
}

/// The state as rules see it. A failed read answers nothing and is remembered: it ends the apply, not the rule.
struct Looking<'t> {
    tables: &'t Tables,
    txn: &'t RoTxn<'t>,
    failed: Cell<Option<StoreError>>,
}

impl Looking<'_> {
    fn or_remember<T: Default>(&self, read: Result<T, StoreError>) -> T {
        read.unwrap_or_else(|e| {
            self.failed.set(Some(e));
            T::default()
        })
    }
}

impl StateView for Looking<'_> {
    fn get(&self, key: &Key) -> Option<Value> {
        let read = self.tables.text(self.txn, key);
        self.or_remember(read.and_then(|text| text.map(|text| parse(key, text)).transpose()))
    }

    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<(Key, Value)> {
        self.or_remember(self.tables.list(self.txn, kind, namespace))
    }

    fn count(&self, kind: Kind, namespace: &str, collection: Option<&str>) -> u64 {
        self.or_remember(self.tables.count(self.txn, kind, namespace, collection))
    }

    fn any_in_namespace(&self, namespace: &str) -> bool {
        Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::Namespace)
            .any(|kind| self.count(kind, namespace, None) > 0)
    }
}
