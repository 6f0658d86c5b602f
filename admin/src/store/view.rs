//! Reading the state: a consistent view that no write waits for and that waits for no write. A view pins the pages it
//! sees, so it must live for the work at hand and never be kept.

use super::cache;
use super::changes::{self, ChangeSummary};
use super::environment::Store;
use super::error::StoreError;
use super::key_bytes::prefix;
use super::tables::parse;
use crate::change::{CacheValue, Key, Kind};
use heed::{RoTxn, WithTls};
use serde_json::Value;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};
use std::sync::Arc;

type Reading = RoTxn<'static, WithTls>;

thread_local! {
    /// The transaction open on this thread for each store. LMDB gives a thread one reader slot, which is what makes a
    /// read free of locks, so a second view of the thread joins the first.
    static OPEN: RefCell<Vec<(usize, Weak<Reading>)>> = const { RefCell::new(Vec::new()) };
}

/// A consistent view of the state. It stays on its thread, and a second view opened there while it lives sees the same:
/// so never keep one over an `await`, or other tasks of the thread read the past.
pub struct View<'a> {
    store: &'a Store,
    txn: Rc<Reading>,
    /// Views are of one thread.
    _thread: PhantomData<*const ()>,
}

/// Where the state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateMeta {
    /// Log index of the last applied entry, 0 before the first.
    pub revision: u64,
    /// Changes applied so far, without the rejected ones.
    pub changes: u64,
    /// Sum over all records, the same on every node with the same state.
    pub state_hash: [u8; 32],
    /// Chain over the applied changes, the same on every node with the same history.
    pub changelog_hash: [u8; 32],
}

impl Store {
    /// Opens a view. Never blocks. Errors: more threads read than the store has slots for.
    pub fn view(&self) -> Result<View<'_>, StoreError> {
        let id = Arc::as_ptr(&self.inner) as usize;
        let txn = OPEN.with_borrow_mut(|open| -> Result<_, StoreError> {
            open.retain(|(_, txn)| txn.strong_count() > 0);
            let shared = open.iter().find(|(owner, _)| *owner == id).and_then(|(_, txn)| txn.upgrade());
            if let Some(txn) = shared {
                return Ok(txn);
            }
            let txn = Rc::new(self.inner.env.clone().static_read_txn()?);
            open.push((id, Rc::downgrade(&txn)));
            Ok(txn)
        })?;
        Ok(View { store: self, txn, _thread: PhantomData })
    }
}

impl View<'_> {
    /// Reads what is no resource.
    pub(super) fn within<R>(&self, read: impl FnOnce(&super::tables::Tables, &RoTxn) -> R) -> R {
        read(&self.store.inner.tables, &self.txn)
    }

    /// One resource, in its stored form.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.store.inner.tables.text(&self.txn, key)?.map(|text| parse(key, text)).transpose()
    }

    /// One resource as JSON text.
    pub fn get_text(&self, key: &Key) -> Result<Option<String>, StoreError> {
        Ok(self.store.inner.tables.text(&self.txn, key)?.map(str::to_owned))
    }

    /// All resources of a kind, of one namespace or of all, ordered by key.
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> Result<Vec<(Key, Value)>, StoreError> {
        self.store.inner.tables.list(&self.txn, kind, namespace)
    }

    /// A page of a collection's documents as JSON text, ordered by id: at most `limit`, after skipping `offset`.
    pub fn documents(
        &self,
        namespace: &str,
        collection: &str,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<(Key, String)>, StoreError> {
        self.store
            .inner
            .tables
            .scan(&self.txn, &prefix(Kind::Document, Some(namespace), Some(collection)))?
            .skip(offset)
            .take(limit)
            .map(|row| row.map(|(key, text)| (key, text.to_owned())))
            .collect()
    }

    /// How many documents a collection has. Costs no scan.
    pub fn count_documents(&self, namespace: &str, collection: &str) -> Result<u64, StoreError> {
        self.count(Kind::Document, namespace, Some(collection))
    }

    /// How many there are of a kind in a namespace, and for documents in a collection or in all. Costs no scan.
    pub fn count(&self, kind: Kind, namespace: &str, collection: Option<&str>) -> Result<u64, StoreError> {
        self.store.inner.tables.count(&self.txn, kind, namespace, collection)
    }

    /// A value of the cluster's cache that is not over at `now_ms`, milliseconds since the epoch.
    pub fn cached(&self, namespace: &str, key: &str, now_ms: u64) -> Result<Option<CacheValue>, StoreError> {
        cache::read(&self.store.inner.tables, &self.txn, namespace, key, now_ms)
    }

    /// Where the state is.
    pub fn meta(&self) -> Result<StateMeta, StoreError> {
        let record = self.store.inner.tables.record(&self.txn)?;
        Ok(StateMeta {
            revision: record.revision(),
            changes: record.totals.changes,
            state_hash: record.totals.state_hash.0,
            changelog_hash: record.totals.changelog_hash.0,
        })
    }

    /// The latest changes without their values, newest first: at most `limit`, and at most the 128 that are kept.
    pub fn latest_changes(&self, limit: usize) -> Result<Vec<ChangeSummary>, StoreError> {
        changes::latest(&self.store.inner.tables, &self.txn, limit)
    }
}
