//! The tables of the environment and how they are read and written, inside a transaction that somebody else owns. Every
//! write of a state record goes through here, so that hashes and counts can never part from the records.

use super::error::StoreError;
use super::key_bytes::{self, decode, encode};
use super::record::{StateRecord, Totals};
use crate::change::{Key, Kind};
use heed::byteorder::BigEndian;
use heed::types::{Bytes, Str, U64};
use heed::{CommitOrAbort, Database, Env, RoTxn, RwTxn, WithTls};
use serde_json::Value;

/// A write transaction.
pub(crate) type WriteTxn<'p> = RwTxn<'p>;

/// Name of the table that every store has.
pub(super) const META: &str = "meta";
/// Where the [`StateRecord`] is in `meta`.
const STATE_KEY: &str = "state";

type Number = U64<BigEndian>;

/// Handles of the tables.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    /// Format, vote, purge point, state record, Raft snapshot's description.
    pub(crate) meta: Database<'static, Str, Bytes>,
    /// Key to canonical JSON.
    pub(crate) state: Database<'static, Bytes, Bytes>,
    /// Key to value of the cluster's cache.
    pub(crate) cache: Database<'static, Bytes, Bytes>,
    /// Key without its name to how many there are.
    counts: Database<'static, Bytes, Number>,
    /// Number of an applied change to its summary.
    pub(crate) changes: Database<'static, Number, Bytes>,
    /// Index to Raft entry.
    pub(crate) log: Database<'static, Number, Bytes>,
    /// Generation and number to a chunk of a Raft snapshot.
    pub(crate) raft_snapshot: Database<'static, Bytes, Bytes>,
}

impl Tables {
    /// Makes the tables that are not there, and the first record of `meta` with them.
    pub(super) fn create(env: &Env<WithTls>, first: Option<(&str, String)>) -> Result<Self, StoreError> {
        let txn = env.write_txn()?;
        let made = env.create_databases_and_commit(txn, |opener, txn| -> Result<_, heed::Error> {
            let meta = opener.create_database::<Str, Bytes>(txn, Some(META))?;
            if let Some((key, value)) = &first {
                meta.put(txn, key, value.as_bytes())?;
            }
            Ok(CommitOrAbort::<_, ()>::Commit((
                meta,
                opener.create_database::<Bytes, Bytes>(txn, Some("state"))?,
                opener.create_database::<Bytes, Bytes>(txn, Some("cache"))?,
                opener.create_database::<Bytes, Number>(txn, Some("counts"))?,
                opener.create_database::<Number, Bytes>(txn, Some("changes"))?,
                opener.create_database::<Number, Bytes>(txn, Some("log"))?,
                opener.create_database::<Bytes, Bytes>(txn, Some("raft_snapshot"))?,
            )))
        })?;
        let (meta, state, cache, counts, changes, log, raft_snapshot) = made.unwrap_commit();
        Ok(Self { meta, state, cache, counts, changes, log, raft_snapshot })
    }

    /// The state's description.
    pub(crate) fn record(&self, txn: &RoTxn) -> Result<StateRecord, StoreError> {
        match self.meta.get(txn, STATE_KEY)? {
            Some(bytes) => {
                serde_json::from_slice(bytes).map_err(|_| StoreError::corrupt("the state's record"))
            }
            None => Ok(StateRecord::default()),
        }
    }

    /// Replaces the state's description.
    pub(crate) fn put_record(&self, txn: &mut WriteTxn, record: &StateRecord) -> Result<(), StoreError> {
        Ok(self.meta.put(txn, STATE_KEY, &super::changes::to_json(record))?)
    }

    /// The text of one resource; `None` also for keys that cannot be stored.
    pub(crate) fn text<'t>(&self, txn: &'t RoTxn, key: &Key) -> Result<Option<&'t str>, StoreError> {
        let Ok(bytes) = encode(key) else { return Ok(None) };
        self.state.get(txn, &bytes)?.map(|value| as_text(&bytes, value)).transpose()
    }

    /// All records under a prefix, in order.
    pub(crate) fn scan<'t>(
        &self,
        txn: &'t RoTxn,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<(Key, &'t str), StoreError>> + use<'t>, StoreError> {
        Ok(self.state.prefix_iter(txn, prefix)?.map(|row| {
            let (key, value) = row?;
            let decoded = decode(key).ok_or_else(|| StoreError::corrupt("a key of the state"))?;
            Ok((decoded, as_text(key, value)?))
        }))
    }

    /// All resources of a kind with their values, in order.
    pub(crate) fn list(
        &self,
        txn: &RoTxn,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Vec<(Key, Value)>, StoreError> {
        self.scan(txn, &key_bytes::prefix(kind, namespace, None))?
            .map(|row| row.and_then(|(key, text)| Ok((key.clone(), parse(&key, text)?))))
            .collect()
    }

    /// How many there are of a kind in a namespace, and for documents in a collection.
    pub(crate) fn count(
        &self,
        txn: &RoTxn,
        kind: Kind,
        namespace: &str,
        collection: Option<&str>,
    ) -> Result<u64, StoreError> {
        let collection = collection.filter(|_| kind == Kind::Document);
        let mut sum = 0;
        for row in self.counts.prefix_iter(txn, &key_bytes::prefix(kind, Some(namespace), collection))? {
            sum += row?.1;
        }
        Ok(sum)
    }

    /// Writes a record, keeping hash and counts true.
    pub(crate) fn put_state(
        &self,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.put_into(&self.state, txn, totals, key, value)
    }

    /// The same for a value of the cluster's cache.
    pub(crate) fn put_cached(
        &self,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.put_into(&self.cache, txn, totals, key, value)
    }

    fn put_into(
        &self,
        table: &Database<'static, Bytes, Bytes>,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        let replaced = match table.get(txn, key)? {
            Some(old) => {
                totals.state_hash.remove_record(key, old);
                true
            }
            None => false,
        };
        totals.state_hash.add_record(key, value);
        table.put(txn, key, value)?;
        if !replaced {
            self.move_count(txn, key, 1)?;
        }
        Ok(())
    }

    /// Deletes a record, keeping hash and counts true. Answers whether there was one.
    pub(crate) fn delete_state(
        &self,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
    ) -> Result<bool, StoreError> {
        self.delete_from(&self.state, txn, totals, key)
    }

    /// The same for a value of the cluster's cache.
    pub(crate) fn delete_cached(
        &self,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
    ) -> Result<bool, StoreError> {
        self.delete_from(&self.cache, txn, totals, key)
    }

    fn delete_from(
        &self,
        table: &Database<'static, Bytes, Bytes>,
        txn: &mut WriteTxn,
        totals: &mut Totals,
        key: &[u8],
    ) -> Result<bool, StoreError> {
        let Some(old) = table.get(txn, key)? else { return Ok(false) };
        totals.state_hash.remove_record(key, old);
        table.delete(txn, key)?;
        self.move_count(txn, key, -1)?;
        Ok(true)
    }

    /// How many values the cluster's cache has of the namespace whose keys begin with `prefix`. Costs no scan.
    pub(crate) fn count_cached(&self, txn: &RoTxn, prefix: &[u8]) -> Result<u64, StoreError> {
        Ok(self.counts.get(txn, prefix)?.unwrap_or(0))
    }

    /// Empties the state and all that is derived from it.
    pub(crate) fn clear_state(&self, txn: &mut WriteTxn) -> Result<(), StoreError> {
        self.state.clear(txn)?;
        self.cache.clear(txn)?;
        self.counts.clear(txn)?;
        self.changes.clear(txn)?;
        Ok(())
    }

    fn move_count(&self, txn: &mut WriteTxn, key: &[u8], by: i64) -> Result<(), StoreError> {
        let counted = key_bytes::without_name(key);
        let now = self.counts.get(txn, counted)?.unwrap_or(0).saturating_add_signed(by);
        if now == 0 {
            self.counts.delete(txn, counted)?;
        } else {
            self.counts.put(txn, counted, &now)?;
        }
        Ok(())
    }
}

fn as_text<'t>(key: &[u8], value: &'t [u8]) -> Result<&'t str, StoreError> {
    std::str::from_utf8(value).map_err(|_| match decode(key) {
        Some(key) => damaged(&key),
        None => StoreError::corrupt("a key of the state"),
    })
}

/// Parses a stored value.
pub(crate) fn parse(key: &Key, text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(key))
}

fn damaged(key: &Key) -> StoreError {
    StoreError::corrupt(format!("{} {:?} of namespace {:?}", key.kind.name(), key.name, key.namespace))
}
