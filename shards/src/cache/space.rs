//! One namespace's values on one shard: which are still good, and what goes when room is needed. What a value's owner
//! holds as exact is never given up for room.

use super::entries::{Entries, Rank, bytes_of};
use std::collections::HashMap;
use tidegate_js::CacheValue;

/// Never.
pub(super) const NEVER: u64 = u64::MAX;

/// There is no room but that of exact values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A value to be stored.
pub(super) struct Put<'k> {
    pub(super) key: &'k str,
    pub(super) value: CacheValue,
    pub(super) expires_ms: u64,
    /// The shard that orders the key's writes.
    pub(super) owner: u16,
    pub(super) rank: Rank,
}

/// The namespace's part of a shard.
#[derive(Default)]
pub(super) struct Space {
    entries: Entries,
    /// Own writes on their way to a key's owner: their numbers. Until such a one comes back, what the owner says of the
    /// key is older than what is here.
    pub(super) pending: HashMap<Box<str>, u64>,
    /// By owner: entries of an earlier epoch are forgotten.
    epochs: Vec<u32>,
    /// The newest snapshot under which it was written.
    pub(super) generation: u64,
    /// Tells it from those that had its place before.
    pub(super) stamp: u64,
}

impl Space {
    /// An empty one.
    pub(super) fn new(stamp: u64) -> Self {
        Self { stamp, ..Self::default() }
    }

    /// A value that is good now; it becomes the last one used.
    pub(super) fn get(&mut self, key: &str, now_ms: u64) -> Option<&CacheValue> {
        let at = self.entries.find(key)?;
        let entry = self.entries.at(at);
        if entry.expires_ms <= now_ms || entry.epoch != self.epoch(entry.owner) {
            self.entries.remove(at);
            return None;
        }
        self.entries.touch(at);
        Some(&self.entries.at(at).value)
    }

    /// When a value that was just read ends.
    pub(super) fn expires_ms(&self, key: &str) -> u64 {
        self.entries.find(key).map_or(NEVER, |at| self.entries.at(at).expires_ms)
    }

    /// Stores a value within `limit` bytes; answers how many others went for it. A spare value that does not fit is
    /// forgotten at once, an exact one is an error and changes nothing.
    pub(super) fn put(&mut self, put: Put<'_>, limit: usize) -> Result<u64, Full> {
        let Put { key, value, expires_ms, owner, rank } = put;
        let size = bytes_of(key, &value);
        let found = self.entries.find(key);
        let (was, before) = found.map_or((Rank::Spare, 0), |at| self.entries.weight(at));
        let exact = self.entries.bytes_of_rank(Rank::Exact) - if was == Rank::Exact { before } else { 0 };
        if exact + size > limit {
            if rank == Rank::Exact {
                return Err(Full);
            }
            self.remove(key);
            return Ok(1);
        }
        let epoch = self.epoch(owner);
        match found {
            Some(at) => self.entries.replace(at, value, expires_ms, epoch, rank),
            None => self.entries.insert(key, value, expires_ms, (owner, epoch), rank),
        }
        let mut evicted = 0;
        // It is the last one used itself, and fits without any other spare one: it is not reached.
        while self.entries.bytes() > limit && self.entries.remove_oldest(Rank::Spare) {
            evicted += 1;
        }
        Ok(evicted)
    }

    /// Removes a value.
    pub(super) fn remove(&mut self, key: &str) {
        if let Some(at) = self.entries.find(key) {
            self.entries.remove(at);
        }
    }

    /// Forgets what it has of an owner's keys, but for own writes beyond the number `upto`.
    pub(super) fn forget(&mut self, owner: u16, upto: u64, is_of_owner: impl Fn(&str) -> bool) {
        let at = usize::from(owner);
        if self.epochs.len() <= at {
            self.epochs.resize(at + 1, 0);
        }
        let epoch = self.epochs[at].wrapping_add(1);
        self.epochs[at] = epoch;
        let entries = &mut self.entries;
        self.pending.retain(|key, number| {
            let is_kept = !is_of_owner(key) || *number > upto;
            if let Some(at) = entries.find(key).filter(|at| is_kept && entries.at(*at).owner == owner) {
                entries.at_mut(at).epoch = epoch;
            }
            is_kept
        });
    }

    /// Looks at up to `budget` entries and removes those that are over. Answers how many it looked at.
    pub(super) fn sweep(&mut self, budget: usize, now_ms: u64) -> usize {
        let epochs = &self.epochs;
        self.entries.sweep(budget, |entry| {
            entry.expires_ms <= now_ms
                || entry.epoch != epochs.get(usize::from(entry.owner)).copied().unwrap_or(0)
        })
    }

    /// Nothing is in it and nothing on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.len() == 0 && self.pending.is_empty()
    }

    /// Bytes in it.
    pub(super) fn bytes(&self) -> usize {
        self.entries.bytes()
    }

    fn epoch(&self, owner: u16) -> u32 {
        self.epochs.get(usize::from(owner)).copied().unwrap_or(0)
    }
}
