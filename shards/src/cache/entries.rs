//! The values of one namespace on one shard: found by key, ordered by their last use, counted in bytes. Finding and
//! touching one allocates nothing. It knows no clock of its own, no other shard, and never grows past what it is told.

use std::collections::HashMap;
use std::rc::Rc;
use tidegate_js::CacheValue;

/// What an entry costs beside its key and its value: its slot, its place in the index, and two allocations.
pub(super) const OVERHEAD_BYTES: usize = 192;

/// No slot.
const NONE: u32 = u32::MAX;

/// Why an entry is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// A copy or a value that may be forgotten: the least recently used goes first.
    Spare,
    /// The one true value of a counter: stays until it expires or is deleted.
    Exact,
}

/// One value.
pub(super) struct Entry {
    key: Rc<str>,
    /// The value.
    pub(super) value: CacheValue,
    /// When it ends, in milliseconds of the coarse clock.
    pub(super) expires_ms: u64,
    /// The shard that orders its writes.
    pub(super) owner: u16,
    /// Which of that shard's epochs it belongs to: an earlier one is forgotten.
    pub(super) epoch: u32,
    rank: Rank,
    older: u32,
    newer: u32,
}

impl Entry {
    fn bytes(&self) -> usize {
        bytes_of(&self.key, &self.value)
    }
}

/// What an entry is counted as.
pub(super) fn bytes_of(key: &str, value: &CacheValue) -> usize {
    let value = match value {
        CacheValue::Json(text) => text.len(),
        CacheValue::Bytes(bytes) => bytes.len(),
    };
    OVERHEAD_BYTES + key.len() + value
}

enum Slot {
    Used(Entry),
    /// The next free one.
    Free(u32),
}

#[derive(Clone, Copy)]
struct Ends {
    oldest: u32,
    newest: u32,
}

/// The entries, with a list by last use for each rank.
pub(super) struct Entries {
    by_key: HashMap<Rc<str>, u32>,
    slots: Vec<Slot>,
    free: u32,
    ends: [Ends; 2],
    bytes: [usize; 2],
    /// Where the next sweep goes on.
    cursor: usize,
}

impl Default for Entries {
    fn default() -> Self {
        let ends = [Ends { oldest: NONE, newest: NONE }; 2];
        Self { by_key: HashMap::new(), slots: Vec::new(), free: NONE, ends, bytes: [0; 2], cursor: 0 }
    }
}

impl Entries {
    /// Where a key is.
    pub(super) fn find(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The entry there.
    pub(super) fn at(&self, at: u32) -> &Entry {
        match &self.slots[at as usize] {
            Slot::Used(entry) => entry,
            Slot::Free(_) => panic!("slot {at} of the cache is free"),
        }
    }

    /// The same, to be changed in what neither its size nor its order depends on.
    pub(super) fn at_mut(&mut self, at: u32) -> &mut Entry {
        match &mut self.slots[at as usize] {
            Slot::Used(entry) => entry,
            Slot::Free(_) => panic!("slot {at} of the cache is free"),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Bytes of all entries.
    pub(super) fn bytes(&self) -> usize {
        self.bytes[0] + self.bytes[1]
    }

    /// Bytes of the entries of a rank.
    pub(super) fn bytes_of_rank(&self, rank: Rank) -> usize {
        self.bytes[rank as usize]
    }

    /// The rank of the entry there, and its bytes.
    pub(super) fn weight(&self, at: u32) -> (Rank, usize) {
        let entry = self.at(at);
        (entry.rank, entry.bytes())
    }

    /// Makes it the last one used.
    pub(super) fn touch(&mut self, at: u32) {
        let rank = self.at(at).rank;
        if self.ends[rank as usize].newest != at {
            self.unlink(at);
            self.link(at);
        }
    }

    /// Adds one that is not there yet.
    pub(super) fn insert(
        &mut self,
        key: &str,
        value: CacheValue,
        expires_ms: u64,
        (owner, epoch): (u16, u32),
        rank: Rank,
    ) {
        let key: Rc<str> = key.into();
        let entry =
            Entry { key: key.clone(), value, expires_ms, owner, epoch, rank, older: NONE, newer: NONE };
        self.bytes[rank as usize] += entry.bytes();
        let at = match self.free {
            NONE => {
                self.slots.push(Slot::Used(entry));
                u32::try_from(self.slots.len() - 1).expect("the bytes of a namespace are bounded")
            }
            at => {
                let before = std::mem::replace(&mut self.slots[at as usize], Slot::Used(entry));
                let Slot::Free(next) = before else { panic!("slot {at} of the cache is used") };
                self.free = next;
                at
            }
        };
        self.link(at);
        let before = self.by_key.insert(key, at);
        debug_assert!(before.is_none(), "the key was not there");
    }

    /// Gives the entry there another value and makes it the last one used.
    pub(super) fn replace(&mut self, at: u32, value: CacheValue, expires_ms: u64, epoch: u32, rank: Rank) {
        self.unlink(at);
        let (was, before) = self.weight(at);
        let entry = self.at_mut(at);
        (entry.value, entry.expires_ms, entry.epoch, entry.rank) = (value, expires_ms, epoch, rank);
        let now = entry.bytes();
        self.bytes[was as usize] -= before;
        self.bytes[rank as usize] += now;
        self.link(at);
    }

    /// Removes the entry there.
    pub(super) fn remove(&mut self, at: u32) {
        self.unlink(at);
        let (rank, bytes) = self.weight(at);
        self.bytes[rank as usize] -= bytes;
        let removed = std::mem::replace(&mut self.slots[at as usize], Slot::Free(self.free));
        self.free = at;
        if let Slot::Used(entry) = removed {
            self.by_key.remove(&entry.key);
        }
    }

    /// Removes the least recently used of a rank; `false` if there is none.
    pub(super) fn remove_oldest(&mut self, rank: Rank) -> bool {
        let oldest = self.ends[rank as usize].oldest;
        if oldest == NONE {
            return false;
        }
        self.remove(oldest);
        true
    }

    /// Looks at up to `budget` slots from where it stopped, and removes what `is_over`. Answers how many it looked at.
    pub(super) fn sweep(&mut self, budget: usize, is_over: impl Fn(&Entry) -> bool) -> usize {
        let looked = budget.min(self.slots.len());
        for _ in 0..looked {
            let at = self.cursor % self.slots.len();
            self.cursor = at + 1;
            if matches!(&self.slots[at], Slot::Used(entry) if is_over(entry)) {
                self.remove(at as u32);
            }
        }
        looked
    }

    fn unlink(&mut self, at: u32) {
        let Entry { older, newer, rank, .. } = *self.at(at);
        match older {
            NONE => self.ends[rank as usize].oldest = newer,
            older => self.at_mut(older).newer = newer,
        }
        match newer {
            NONE => self.ends[rank as usize].newest = older,
            newer => self.at_mut(newer).older = older,
        }
    }

    fn link(&mut self, at: u32) {
        let rank = self.at(at).rank;
        let newest = std::mem::replace(&mut self.ends[rank as usize].newest, at);
        let entry = self.at_mut(at);
        (entry.older, entry.newer) = (newest, NONE);
        match newest {
            NONE => self.ends[rank as usize].oldest = at,
            newest => self.at_mut(newest).newer = at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(entries: &mut Entries, key: &str, rank: Rank) {
        entries.insert(key, CacheValue::Json("1".into()), u64::MAX, (0, 0), rank);
    }

    /// Keys of a rank, oldest first.
    fn order(entries: &Entries, rank: Rank) -> String {
        let (mut keys, mut at) = (String::new(), entries.ends[rank as usize].oldest);
        while at != NONE {
            keys.push_str(&entries.at(at).key);
            at = entries.at(at).newer;
        }
        keys
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut entries = Entries::default();
        for key in ["a", "b", "c"] {
            put(&mut entries, key, Rank::Spare);
        }
        put(&mut entries, "x", Rank::Exact);
        entries.touch(entries.find("a").expect("a"));
        assert_eq!((order(&entries, Rank::Spare), order(&entries, Rank::Exact)), ("bca".into(), "x".into()));
        let b = entries.find("b").expect("b");
        entries.replace(b, CacheValue::Bytes(vec![0; 10].into()), 5, 0, Rank::Exact);
        assert_eq!((order(&entries, Rank::Spare), order(&entries, Rank::Exact)), ("ca".into(), "xb".into()));
        assert_eq!(entries.bytes_of_rank(Rank::Exact), 2 * OVERHEAD_BYTES + 2 + 1 + 10);
        assert!(entries.remove_oldest(Rank::Spare) && entries.find("c").is_none());
        put(&mut entries, "d", Rank::Spare);
        assert_eq!((order(&entries, Rank::Spare), entries.slots.len()), ("ad".into(), 4));
        assert!(entries.remove_oldest(Rank::Spare) && entries.remove_oldest(Rank::Spare));
        assert!(!entries.remove_oldest(Rank::Spare));
        assert_eq!((entries.len(), entries.bytes_of_rank(Rank::Spare)), (2, 0));
    }

    #[test]
    fn a_sweep_looks_at_so_many_and_goes_on_where_it_stopped() {
        let mut entries = Entries::default();
        for key in ["a", "b", "c", "d", "e"] {
            put(&mut entries, key, Rank::Spare);
        }
        for key in ["b", "e"] {
            let at = entries.find(key).expect("there");
            entries.at_mut(at).expires_ms = 1;
        }
        let over = |entry: &Entry| entry.expires_ms == 1;
        assert_eq!((entries.sweep(3, over), entries.len()), (3, 4));
        assert_eq!((entries.sweep(3, over), entries.len()), (3, 3));
        assert_eq!(Entries::default().sweep(3, over), 0);
    }
}
