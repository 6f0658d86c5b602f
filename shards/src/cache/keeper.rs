//! One shard's part of the cache: a replica of every namespace, and the order of writes for the keys it owns. Pure: time
//! comes in, messages go out through [`Mail`], and nothing here waits.
//!
//! A write is applied here at once and told to the key's owner, who applies it and tells all shards, the writer too, in
//! its own order. While an own write is on its way the writer ignores what the owner says of that key: it is older, and
//! the owner's last word comes after it. So every replica ends with what the owner had last, or with nothing where it
//! ran out of room. Increments and comparisons happen at the owner alone.

use super::entries::{OVERHEAD_BYTES, Rank};
use super::mail::Mail;
use super::message::{Asked, Carried, Question, ToPeer, Words, Write};
use super::space::{NEVER, Put, Space};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_js::{CacheUpdate, CacheValue};

/// Questions to one peer that are not answered.
const QUESTIONS: usize = 4_096;

/// A question that always finds room to wait.
const SMALL_BYTES: usize = 1_024;

/// What an update came to: a value or none, or a sentence for the module's author.
pub(super) type Outcome = Result<Option<CacheValue>, String>;

/// Bounds of the cache on one shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of a namespace.
    pub(super) space_bytes: usize,
    /// Bytes of a value.
    pub(super) value_bytes: usize,
}

/// What was counted since it was last taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CacheCounts {
    /// Reads that found a value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Writes of this shard's modules.
    pub sets: u64,
    /// Values that went for others.
    pub evictions: u64,
    /// Messages to other shards that found no room.
    pub dropped: u64,
    /// Bytes now.
    pub bytes: u64,
}

/// Where a namespace was found the last time, so that it need not be looked up again.
#[derive(Default)]
pub(super) struct Place(Cell<(usize, u64)>);

/// A namespace for a write.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// Its name.
    pub(super) name: &'a Arc<str>,
    /// Where it may be.
    pub(super) place: Option<&'a Place>,
    /// The newest snapshot that the writer knew.
    pub(super) generation: u64,
}

/// The cache of one shard.
pub(super) struct Keeper {
    pub(super) me: u16,
    pub(super) shards: u16,
    pub(super) bounds: Bounds,
    generation: u64,
    by_name: HashMap<Arc<str>, usize>,
    spaces: Vec<Option<Space>>,
    stamps: u64,
    /// Where the next sweep goes on.
    cursor: usize,
    /// By owner: number of the last write sent there.
    sent: Vec<u64>,
    /// By writer: number of the last write seen of it.
    pub(super) seen: Vec<u64>,
    /// By owner: questions without an answer.
    asked: Vec<usize>,
    /// By peer: namespaces whose replica there misses something.
    pub(super) behind: Vec<Vec<Arc<str>>>,
    /// By shard: whether its last request was answered.
    done: Vec<bool>,
    pub(super) counts: CacheCounts,
}

/// The shard that orders the writes of a key: the same on all of them. FNV-1a of 64 bits, and the last steps of
/// MurmurHash3 over it: keys that differ in their last letter only must not all have one owner.
pub(super) fn owner_of(namespace: &str, key: &str, shards: u16) -> u16 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = namespace.bytes().chain([0]).chain(key.bytes());
    let mut hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    ((hash ^ (hash >> 33)) % u64::from(shards)) as u16
}

impl Keeper {
    pub(super) fn new(me: u16, shards: u16, bounds: Bounds) -> Self {
        let count = usize::from(shards);
        Self {
            me,
            shards,
            bounds,
            generation: 0,
            by_name: HashMap::new(),
            spaces: Vec::new(),
            stamps: 0,
            cursor: 0,
            sent: vec![0; count],
            seen: vec![0; count],
            asked: vec![0; count],
            behind: vec![Vec::new(); count],
            done: vec![false; count],
            counts: CacheCounts::default(),
        }
    }

    /// This shard asks nothing more; the others are told.
    pub(super) fn finish(&mut self, mail: &mut Mail) {
        self.done[usize::from(self.me)] = true;
        for peer in (0..self.shards).filter(|peer| *peer != self.me) {
            mail.send_surely(peer, Words::Done);
        }
    }

    /// No shard asks anything any more.
    pub(super) fn is_over(&self) -> bool {
        self.done.iter().all(|done| *done)
    }

    /// A value as this shard knows it.
    pub(super) fn get(&mut self, name: &str, place: &Place, key: &str, now_ms: u64) -> Option<CacheValue> {
        let value = self.existing(name, place).and_then(|space| space.get(key, now_ms).cloned());
        match value {
            Some(_) => self.counts.hits += 1,
            None => self.counts.misses += 1,
        }
        value
    }

    /// Writes a value, or deletes it. Errors: a sentence for the module's author; nothing happened then.
    pub(super) fn set(
        &mut self,
        (name, place): (&Arc<str>, &Place),
        key: &str,
        value: Option<CacheValue>,
        expires_ms: u64,
        mail: &mut Mail,
    ) -> Result<(), String> {
        self.check(value.as_ref())?;
        let owner = owner_of(name, key, self.shards);
        let write = (self.shards > 1).then(|| {
            let (namespace, key, value) = (name.clone(), key.into(), value.as_ref().map(Carried::of));
            Arc::new(Write { namespace, key, value, expires_ms, generation: self.generation })
        });
        let mut number = None;
        if owner != self.me
            && let Some(write) = &write
        {
            let next = self.sent[usize::from(owner)] + 1;
            if !mail.send(owner, Words::Wrote { number: next, write: write.clone() }) {
                self.counts.dropped += 1;
                return Err(BUSY.into());
            }
            self.sent[usize::from(owner)] = next;
            number = Some(next);
        }
        self.counts.sets += 1;
        let generation = self.generation;
        let whose = Whose { name, place: Some(place), generation };
        self.store(whose, key, value, expires_ms, owner);
        match (number, write) {
            (Some(number), _) => {
                let pending = &mut self.space(whose).pending;
                match pending.get_mut(key) {
                    Some(last) => *last = number,
                    None => drop(pending.insert(key.into(), number)),
                }
            }
            (None, Some(write)) => self.publish(None, &write, mail),
            (None, None) => {}
        }
        Ok(())
    }

    /// Begins an update. `None`: the owner was asked, and its answer comes with the ticket.
    pub(super) fn update(
        &mut self,
        (name, place): (&Arc<str>, &Place),
        key: &str,
        update: CacheUpdate,
        ticket: impl FnOnce() -> u64,
        now_ms: u64,
        mail: &mut Mail,
    ) -> Option<Outcome> {
        if let CacheUpdate::CompareAndSet { value, .. } = &update
            && let Err(why) = self.check(value.as_ref())
        {
            return Some(Err(why));
        }
        let owner = owner_of(name, key, self.shards);
        if owner == self.me {
            let whose = Whose { name, place: Some(place), generation: self.generation };
            return Some(self.decide(whose, key, update, now_ms, mail));
        }
        if self.asked[usize::from(owner)] >= QUESTIONS {
            return Some(Err("too many updates of the cache are under way: try again".into()));
        }
        let question = Question {
            ticket: ticket(),
            namespace: name.clone(),
            key: key.into(),
            asked: Asked::of(&update),
            generation: self.generation,
        };
        let words = Words::Ask(Box::new(question));
        // A flood of large values must not stop counters: their questions are short, and as many as were just counted.
        if words.bytes() <= SMALL_BYTES {
            mail.send_surely(owner, words);
        } else if !mail.send(owner, words) {
            self.counts.dropped += 1;
            return Some(Err(BUSY.into()));
        }
        self.asked[usize::from(owner)] += 1;
        None
    }

    /// Takes a message in. Answers the outcome of a question of this shard's.
    pub(super) fn receive(
        &mut self,
        message: ToPeer,
        now_ms: u64,
        mail: &mut Mail,
    ) -> Option<(u64, Outcome)> {
        let ToPeer { from, words } = message;
        if let Words::Read(bytes) = words {
            mail.was_read(from, bytes);
            return None;
        }
        mail.has_read(from, words.bytes());
        match words {
            Words::Wrote { number, write } => {
                self.seen[usize::from(from)] = number;
                self.take_over(&write, self.me);
                self.publish(Some((from, number)), &write, mail);
            }
            Words::Ask(question) => self.answer(from, *question, now_ms, mail),
            Words::Ordered { writer, write } => self.ordered(from, writer, &write),
            Words::Answer { ticket, outcome } => {
                self.asked[usize::from(from)] -= 1;
                return Some((ticket, outcome.map(|value| value.as_ref().map(Carried::unpack))));
            }
            Words::Forget { namespace, upto } => {
                let shards = self.shards;
                if let Some(space) = self.by_name.get(&namespace).and_then(|at| self.spaces[*at].as_mut()) {
                    space.forget(from, upto, |key| owner_of(&namespace, key, shards) == from);
                }
            }
            Words::Read(_) => {}
            Words::Done => self.done[usize::from(from)] = true,
        }
        None
    }

    /// A snapshot was installed: what belongs to namespaces that are gone goes.
    pub(super) fn install(&mut self, generation: u64, exists: impl Fn(&str) -> bool) {
        self.generation = generation;
        let spaces = &mut self.spaces;
        self.by_name.retain(|name, at| {
            // What was written under a newer snapshot is of a namespace that this one does not know yet.
            let is_kept = exists(name) || spaces[*at].as_ref().is_some_and(|s| s.generation >= generation);
            if !is_kept {
                spaces[*at] = None;
            }
            is_kept
        });
    }

    /// Looks at up to `budget` entries and removes those that are over, and namespaces that are empty.
    pub(super) fn sweep(&mut self, budget: usize, now_ms: u64) {
        let mut left = budget;
        for _ in 0..self.spaces.len() {
            let at = self.cursor % self.spaces.len();
            if let Some(space) = &mut self.spaces[at] {
                left = left.saturating_sub(space.sweep(left, now_ms).max(1));
                if space.is_empty() {
                    self.spaces[at] = None;
                    self.by_name.retain(|_, other| *other != at);
                }
            }
            self.cursor = at + 1;
            if left == 0 {
                return;
            }
        }
    }

    /// What was counted, the bytes as they are now.
    pub(super) fn take_counts(&mut self) -> CacheCounts {
        let bytes = self.spaces.iter().flatten().map(|space| space.bytes() as u64).sum();
        CacheCounts { bytes, ..std::mem::take(&mut self.counts) }
    }

    fn check(&self, value: Option<&CacheValue>) -> Result<(), String> {
        let bytes = match value {
            Some(CacheValue::Json(text)) => text.len(),
            Some(CacheValue::Bytes(bytes)) => bytes.len(),
            None => 0,
        };
        let most = self.bounds.value_bytes.min(self.bounds.space_bytes.saturating_sub(2 * OVERHEAD_BYTES));
        if bytes <= most {
            return Ok(());
        }
        Err(format!("the value has {bytes} bytes; the cache takes up to {most} (--cache-value-bytes)"))
    }

    /// An owner's word.
    fn ordered(&mut self, owner: u16, writer: Option<(u16, u64)>, write: &Write) {
        let own = writer.filter(|(shard, _)| *shard == self.me).map(|(_, number)| number);
        if let Some(at) = self.by_name.get(&write.namespace)
            && let Some(space) = &mut self.spaces[*at]
            && let Some(last) = space.pending.get(&write.key)
        {
            if own == Some(*last) {
                space.pending.remove(&write.key);
            }
            return;
        }
        self.take_over(write, owner);
    }

    /// Stores what another shard wrote.
    pub(super) fn take_over(&mut self, write: &Write, owner: u16) {
        let value = write.value.as_ref().map(Carried::unpack);
        let whose = Whose { name: &write.namespace, place: None, generation: write.generation };
        self.store(whose, &write.key, value, write.expires_ms, owner);
    }

    fn store(&mut self, whose: Whose<'_>, key: &str, value: Option<CacheValue>, expires_ms: u64, owner: u16) {
        let limit = self.bounds.space_bytes;
        let space = self.space(whose);
        match value {
            Some(value) => {
                let put = Put { key, value, expires_ms, owner, rank: Rank::Spare };
                let evicted = space.put(put, limit).expect("spare values are forgotten, not refused");
                self.counts.evictions += evicted;
            }
            None => space.remove(key),
        }
    }

    /// A namespace that is there.
    fn existing(&mut self, name: &str, place: &Place) -> Option<&mut Space> {
        let (at, stamp) = place.0.get();
        let is_there = self.spaces.get(at).is_some_and(|s| s.as_ref().is_some_and(|s| s.stamp == stamp));
        let at = if is_there { at } else { *self.by_name.get(name)? };
        let space = self.spaces[at].as_mut()?;
        place.0.set((at, space.stamp));
        Some(space)
    }

    /// A namespace, made if it is not there, for a write under the snapshot `generation`.
    pub(super) fn space(&mut self, whose: Whose<'_>) -> &mut Space {
        let Whose { name, place, generation } = whose;
        let (at, stamp) = place.map_or((usize::MAX, 0), |place| place.0.get());
        let is_there = self.spaces.get(at).is_some_and(|s| s.as_ref().is_some_and(|s| s.stamp == stamp));
        let at = match is_there {
            true => at,
            false => self.by_name.get(name).copied().unwrap_or_else(|| self.make(name)),
        };
        let space = self.spaces[at].as_mut().expect("what has a name has a space");
        space.generation = space.generation.max(generation);
        if let Some(place) = place {
            place.0.set((at, space.stamp));
        }
        space
    }

    fn make(&mut self, name: &Arc<str>) -> usize {
        self.stamps += 1;
        let space = Space::new(self.stamps);
        let at = match self.spaces.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.spaces.push(None);
                self.spaces.len() - 1
            }
        };
        self.spaces[at] = Some(space);
        self.by_name.insert(name.clone(), at);
        at
    }

    /// A value without touching it, and the bytes of its namespace.
    #[cfg(test)]
    pub(super) fn peek(&mut self, name: &str, key: &str, now_ms: u64) -> Option<CacheValue> {
        let at = *self.by_name.get(name)?;
        self.spaces[at].as_mut()?.get(key, now_ms).cloned()
    }

    /// Namespaces, and the most bytes in one.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.by_name.len(), self.spaces.iter().flatten().map(Space::bytes).max().unwrap_or(0))
    }
}

/// What a module is told when another shard does not keep up.
pub(super) const BUSY: &str = "the cache is busy: another shard does not keep up; try again";

/// When a value ends that is written now.
pub(super) fn expiry(ttl_ms: Option<u64>, now_ms: u64) -> u64 {
    ttl_ms.map_or(NEVER, |ttl| now_ms.saturating_add(ttl))
}
