//! Raft snapshots: the whole state as one stream of bytes, made from a read transaction, kept in the database so that
//! the log before it can be purged, and sent to followers that are too far behind. A stream is checked against the state
//! hash in its head before it replaces anything.
//!
//! Stream: a line of JSON (`Head`), then records of a tag byte, key and value lengths (u32, big-endian), key and value.

use super::RaftSnapshotMeta;
use super::log_store::{read_meta, write_meta};
use crate::store::{StateRecord, Store, StoreError, Tables, WriteTxn};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

const SNAPSHOT_KEY: &str = "raft_snapshot";
/// The second has values of the cluster's cache; a state without them is written in the first, which older builds read.
const STREAM_FORMAT: u32 = 2;

/// Tag of a state record.
const STATE: u8 = 1;
/// Tag of a change's summary.
const CHANGE: u8 = 2;
/// Tag of a value of the cluster's cache.
const CACHED: u8 = 3;

/// Bytes per stored chunk, and chunks per transaction: a snapshot must not hold the write lock for long.
const CHUNK: usize = 64 << 10;
const CHUNKS_PER_WRITE: usize = 64;

/// What the stream starts with.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    record: StateRecord,
}

/// The Raft snapshot that is in the database.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    meta: RaftSnapshotMeta,
    /// Chunks of other generations are remains of unfinished work.
    generation: u64,
    chunks: u32,
}

/// Builds a Raft snapshot of the present state and keeps it.
pub(super) fn build(store: &Store) -> Result<(RaftSnapshotMeta, Vec<u8>), StoreError> {
    let _alone = store.alone_with_raft_snapshots();
    let (record, generation, stream) = store.read_with(|tables, txn| {
        let record = tables.record(txn)?;
        let generation = kept(tables, txn)?.map_or(0, |kept| kept.generation) + 1;
        let stream = encode(tables, txn, &record)?;
        Ok((record, generation, stream))
    })?;
    let place =
        record.applied.map_or_else(|| "0-0".into(), |id| format!("{}-{}", id.leader_id.term, id.index));
    let meta = RaftSnapshotMeta {
        last_log_id: record.applied,
        last_membership: record.membership,
        snapshot_id: format!("{place}-{generation}"),
    };
    keep(store, &meta, &stream, |_, _| Ok(()))?;
    Ok((meta, stream))
}

/// Replaces the state by a Raft snapshot that the leader sent, and keeps it. Errors: the stream is damaged or of a newer
/// build; then nothing is replaced.
pub(super) fn install(store: &Store, meta: &RaftSnapshotMeta, stream: &[u8]) -> Result<(), StoreError> {
    let _alone = store.alone_with_raft_snapshots();
    keep(store, meta, stream, |tables, txn| {
        let mut record = restore(tables, txn, stream)?;
        record.applied = meta.last_log_id;
        record.membership = meta.last_membership.clone();
        tables.put_record(txn, &record)
    })
}

/// The kept Raft snapshot.
pub(super) fn load(store: &Store) -> Result<Option<(RaftSnapshotMeta, Vec<u8>)>, StoreError> {
    store.read_with(load_in)
}

/// [`load`] inside a transaction.
pub(super) fn load_in(
    tables: &Tables,
    txn: &heed::RoTxn,
) -> Result<Option<(RaftSnapshotMeta, Vec<u8>)>, StoreError> {
    let Some(kept) = kept(tables, txn)? else { return Ok(None) };
    let mut stream = Vec::with_capacity(kept.chunks as usize * CHUNK);
    for number in 0..kept.chunks {
        let chunk = tables.raft_snapshot.get(txn, &chunk_key(kept.generation, number))?;
        stream.extend_from_slice(chunk.ok_or_else(damaged)?);
    }
    Ok(Some((kept.meta, stream)))
}

/// Replaces the state by that of a stream; answers the record that belongs to it, which the caller writes.
pub(super) fn restore(tables: &Tables, txn: &mut WriteTxn, stream: &[u8]) -> Result<StateRecord, StoreError> {
    let line = stream.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&stream[..line]).map_err(|_| damaged())?;
    if head.format > STREAM_FORMAT {
        return Err(StoreError::NewerFormat { found: head.format, known: STREAM_FORMAT });
    }
    tables.clear_state(txn)?;
    let mut totals = crate::store::Totals::default();
    let mut rest = &stream[line + 1..];
    while let Some((tag, key, value, after)) = next_record(rest)? {
        match tag {
            STATE => tables.put_state(txn, &mut totals, key, value)?,
            CACHED => tables.put_cached(txn, &mut totals, key, value)?,
            CHANGE => {
                let number = u64::from_be_bytes(key.try_into().map_err(|_| damaged())?);
                tables.changes.put(txn, &number, value)?;
            }
            _ => return Err(damaged()),
        }
        rest = after;
    }
    if totals.state_hash != head.record.totals.state_hash {
        return Err(StoreError::corrupt("a Raft snapshot (its hash is wrong)"));
    }
    Ok(head.record)
}

fn encode(tables: &Tables, txn: &heed::RoTxn, record: &StateRecord) -> Result<Vec<u8>, StoreError> {
    let format = if tables.cache.is_empty(txn)? { 1 } else { STREAM_FORMAT };
    let head = Head { format, record: record.clone() };
    let mut stream = serde_json::to_vec(&head).map_err(|_| damaged())?;
    stream.push(b'\n');
    for row in tables.state.iter(txn)? {
        let (key, value) = row?;
        put_record(&mut stream, STATE, key, value);
    }
    for row in tables.cache.iter(txn)? {
        let (key, value) = row?;
        put_record(&mut stream, CACHED, key, value);
    }
    for row in tables.changes.iter(txn)? {
        let (number, value) = row?;
        put_record(&mut stream, CHANGE, &number.to_be_bytes(), value);
    }
    Ok(stream)
}

fn put_record(stream: &mut Vec<u8>, tag: u8, key: &[u8], value: &[u8]) {
    stream.push(tag);
    for part in [key, value] {
        let length = u32::try_from(part.len()).expect("LMDB's values are under 4 GiB");
        stream.extend_from_slice(&length.to_be_bytes());
    }
    stream.extend_from_slice(key);
    stream.extend_from_slice(value);
}

/// Tag, key, value and what follows; `None` at the end.
type Record<'s> = (u8, &'s [u8], &'s [u8], &'s [u8]);

fn next_record(stream: &[u8]) -> Result<Option<Record<'_>>, StoreError> {
    let Some((tag, rest)) = stream.split_first() else { return Ok(None) };
    let (key_length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
    let (value_length, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
    let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key_length) as usize).ok_or_else(damaged)?;
    let (value, rest) =
        rest.split_at_checked(u32::from_be_bytes(*value_length) as usize).ok_or_else(damaged)?;
    Ok(Some((*tag, key, value, rest)))
}

/// Writes the stream beside the kept one in small transactions, then makes it the kept one together with `also`.
fn keep(
    store: &Store,
    meta: &RaftSnapshotMeta,
    stream: &[u8],
    also: impl FnOnce(&Tables, &mut WriteTxn) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let old = store.read_with(kept)?.map_or(0, |kept| kept.generation);
    let generation = old + 1;
    store.write_with(|tables, txn| forget_all_but(tables, txn, old))?;
    let chunks: Vec<_> = stream.chunks(CHUNK).collect();
    for (part, some) in chunks.chunks(CHUNKS_PER_WRITE).enumerate() {
        store.write_with(|tables, txn| {
            for (at, chunk) in some.iter().enumerate() {
                let number = u32::try_from(part * CHUNKS_PER_WRITE + at).map_err(|_| damaged())?;
                tables.raft_snapshot.put(txn, &chunk_key(generation, number), chunk)?;
            }
            Ok(())
        })?;
    }
    store.write_with(|tables, txn| {
        let chunks = u32::try_from(chunks.len()).map_err(|_| damaged())?;
        write_meta(tables, txn, SNAPSHOT_KEY, &Kept { meta: meta.clone(), generation, chunks })?;
        forget_all_but(tables, txn, generation)?;
        also(tables, txn)
    })
}

fn forget_all_but(tables: &Tables, txn: &mut WriteTxn, generation: u64) -> Result<(), StoreError> {
    let (first, after) = (chunk_key(generation, 0), chunk_key(generation + 1, 0));
    let before = (Bound::Unbounded, Bound::Excluded(first.as_slice()));
    let after = (Bound::Included(after.as_slice()), Bound::Unbounded);
    tables.raft_snapshot.delete_range(txn, &before)?;
    tables.raft_snapshot.delete_range(txn, &after)?;
    Ok(())
}

fn kept(tables: &Tables, txn: &heed::RoTxn) -> Result<Option<Kept>, StoreError> {
    read_meta(tables, txn, SNAPSHOT_KEY)
}

fn chunk_key(generation: u64, number: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&generation.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn damaged() -> StoreError {
    StoreError::corrupt("a Raft snapshot")
}
