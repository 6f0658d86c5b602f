//! The cluster's cache: counters and small values of modules, kept beside the resources in a table of their own, in the
//! state hash and in Raft snapshots, but not in the changelog. Applying an operation is deterministic: time is the
//! change's own, and every bound here is part of the log's meaning, so that it can never be lowered.

use super::error::StoreError;
use super::record::Totals;
use super::tables::{Tables, WriteTxn};
use crate::change::{CacheOp, CacheValue};
use crate::invalid::Invalid;
use heed::RoTxn;
use std::ops::Bound;

/// Values of a namespace.
pub(crate) const MAX_VALUES: u64 = 10_000;
/// Bytes of a value.
pub(crate) const MAX_VALUE_BYTES: usize = 16 << 10;
/// The largest whole number that JavaScript counts to without gaps (ECMA-262 21.1.2.6).
const LARGEST: i64 = 9_007_199_254_740_991;
/// Rows after a written key that are looked at for values that are over.
const SWEPT: usize = 4;

/// First byte of the table's keys. The hash covers keys, so it must be none of the numbers of `key_bytes`, where the
/// kinds of resources have theirs.
const TAG: u8 = 0x40;
/// LMDB's limit for a key, bytes.
const MAX_KEY: usize = 511;
/// A value that never ends.
const NEVER: u64 = u64::MAX;

/// A stored row: when the value ends (8 bytes, big-endian milliseconds), what it is (1 byte), the value.
fn row(ends_ms: u64, value: &CacheValue) -> Vec<u8> {
    let (kind, bytes) = match value {
        CacheValue::Json(text) => (b'j', text.as_bytes()),
        CacheValue::Bytes(bytes) => (b'b', bytes.as_slice()),
    };
    [&ends_ms.to_be_bytes()[..], &[kind], bytes].concat()
}

fn parse(row: &[u8]) -> Result<(u64, CacheValue), StoreError> {
    let damaged = || StoreError::corrupt("a cached value");
    let (ends_ms, rest) = row.split_first_chunk().ok_or_else(damaged)?;
    let value = match rest.split_first().ok_or_else(damaged)? {
        (b'j', text) => CacheValue::Json(String::from_utf8(text.to_vec()).map_err(|_| damaged())?),
        (b'b', bytes) => CacheValue::Bytes(bytes.to_vec()),
        _ => return Err(damaged()),
    };
    Ok((u64::from_be_bytes(*ends_ms), value))
}

fn is_over(row: &[u8], now_ms: u64) -> bool {
    row.first_chunk().is_some_and(|ends_ms| u64::from_be_bytes(*ends_ms) <= now_ms)
}

/// What all keys of a namespace begin with.
fn prefix(namespace: &str) -> Vec<u8> {
    [&[TAG], namespace.as_bytes(), &[0]].concat()
}

/// Errors: a key that cannot be stored.
fn encode(namespace: &str, key: &str) -> Result<Vec<u8>, Invalid> {
    let bytes = [prefix(namespace).as_slice(), key.as_bytes()].concat();
    let refuse = |why: String| Err(Invalid::new("", why));
    if namespace.is_empty() || key.is_empty() || namespace.contains('\0') || key.contains('\0') {
        return refuse("the id of a value in the cluster's cache must not be empty or contain NUL".into());
    }
    if bytes.len() > MAX_KEY {
        let (has, most) = (bytes.len() - 2, MAX_KEY - 2);
        return refuse(format!("the namespace and the id together have {has} bytes, at most {most} fit"));
    }
    Ok(bytes)
}

/// Errors: the value is too large.
pub(crate) fn check_size(value: Option<&CacheValue>) -> Result<(), Invalid> {
    let bytes = match value {
        Some(CacheValue::Json(text)) => text.len(),
        Some(CacheValue::Bytes(bytes)) => bytes.len(),
        None => 0,
    };
    if bytes <= MAX_VALUE_BYTES {
        return Ok(());
    }
    let why = format!(
        "the value has {bytes} bytes; the cluster's cache takes up to {MAX_VALUE_BYTES}: it is for counters"
    );
    Err(Invalid::new("", why))
}

/// The value of a key that is not over at `now_ms`.
pub(crate) fn read(
    tables: &Tables,
    txn: &RoTxn,
    namespace: &str,
    key: &str,
    now_ms: u64,
) -> Result<Option<CacheValue>, StoreError> {
    let Ok(bytes) = encode(namespace, key) else { return Ok(None) };
    Ok(present(tables, txn, &bytes, now_ms)?.map(|(_, value)| value))
}

fn present(
    tables: &Tables,
    txn: &RoTxn,
    key: &[u8],
    now_ms: u64,
) -> Result<Option<(u64, CacheValue)>, StoreError> {
    tables.cache.get(txn, key)?.filter(|row| !is_over(row, now_ms)).map(parse).transpose()
}

/// Carries out one operation and answers its result; the inner error is the author's fault, the outer the database's.
pub(super) fn perform(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    (namespace, key, op): (&str, &str, &CacheOp),
    at_ms: u64,
) -> Result<Result<CacheValue, Invalid>, StoreError> {
    let bytes = match encode(namespace, key) {
        Ok(bytes) => bytes,
        Err(fault) => return Ok(Err(fault)),
    };
    let before = present(tables, txn, &bytes, at_ms)?;
    let expiry = |ttl_ms: &Option<u64>| ttl_ms.map_or(NEVER, |ttl| at_ms.saturating_add(ttl));
    match op {
        CacheOp::Increment { by, ttl_ms } => {
            let (number, ends_ms) = match &before {
                None => (Some(0), expiry(ttl_ms)),
                Some((ends_ms, CacheValue::Json(text))) => (text.parse::<i64>().ok(), *ends_ms),
                Some((ends_ms, CacheValue::Bytes(_))) => (None, *ends_ms),
            };
            let Some(number) = number else {
                let why = format!("'{key}' cannot be incremented: the value in the cache is no whole number");
                return Ok(Err(Invalid::new("", why)));
            };
            let sum = number.checked_add(*by).filter(|sum| (-LARGEST..=LARGEST).contains(sum));
            let Some(sum) = sum else {
                let why = format!(
                    "'{key}' would leave the whole numbers that JavaScript counts exactly (2^53 - 1)"
                );
                return Ok(Err(Invalid::new("", why)));
            };
            let sum = CacheValue::Json(sum.to_string());
            Ok(put(tables, txn, totals, namespace, &bytes, row(ends_ms, &sum), at_ms)?.map(|()| sum))
        }
        CacheOp::CompareAndSet { expected, value, ttl_ms } => {
            if let Err(fault) = check_size(value.as_ref()) {
                return Ok(Err(fault));
            }
            let is_so = before.as_ref().map(|(_, value)| value) == expected.as_ref();
            let answer = CacheValue::Json(is_so.to_string());
            match value {
                _ if !is_so => {}
                Some(value) => {
                    let row = row(expiry(ttl_ms), value);
                    return Ok(put(tables, txn, totals, namespace, &bytes, row, at_ms)?.map(|()| answer));
                }
                None => drop(tables.delete_cached(txn, totals, &bytes)?),
            }
            Ok(Ok(answer))
        }
    }
}

/// Writes a row, if the namespace has room for it.
fn put(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    namespace: &str,
    key: &[u8],
    row: Vec<u8>,
    at_ms: u64,
) -> Result<Result<(), Invalid>, StoreError> {
    let prefix = prefix(namespace);
    if tables.cache.get(txn, key)?.is_none() {
        // Values that are over go a few at a time, and all at once where the room is needed.
        sweep(tables, txn, totals, key, &prefix, SWEPT, at_ms)?;
        if tables.count_cached(txn, &prefix)? >= MAX_VALUES {
            sweep(tables, txn, totals, &prefix, &prefix, usize::MAX, at_ms)?;
        }
        if tables.count_cached(txn, &prefix)? >= MAX_VALUES {
            let why = format!(
                "the cluster's cache has {MAX_VALUES} values of this namespace, which is the most: give them a ttl, or \
                 delete some"
            );
            return Ok(Err(Invalid::new("", why)));
        }
    }
    tables.put_cached(txn, totals, key, &row)?;
    Ok(Ok(()))
}

/// Deletes the values that are over among the `most` first ones of the namespace from `from` on.
fn sweep(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    from: &[u8],
    prefix: &[u8],
    most: usize,
    at_ms: u64,
) -> Result<(), StoreError> {
    let mut over = Vec::new();
    for row in tables.cache.range(txn, &(Bound::Included(from), Bound::Unbounded))?.take(most) {
        let (key, row) = row?;
        if !key.starts_with(prefix) {
            break;
        }
        if is_over(row, at_ms) {
            over.push(key.to_vec());
        }
    }
    for key in over {
        tables.delete_cached(txn, totals, &key)?;
    }
    Ok(())
}

/// Deletes all values of a namespace.
pub(super) fn forget_namespace(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    namespace: &str,
) -> Result<(), StoreError> {
    let mut doomed = Vec::new();
    for row in tables.cache.prefix_iter(txn, &prefix(namespace))? {
        doomed.push(row?.0.to_vec());
    }
    for key in doomed {
        tables.delete_cached(txn, totals, &key)?;
    }
    Ok(())
}
