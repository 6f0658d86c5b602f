//! The rings of all modules, with a bound over all of them, and those who follow one. A follower has no queue: it reads
//! from the ring when its client can take more, and is told how many entries were gone by then.

use super::entry::{Entry, Level};
use super::ring::{Place, Ring, Wanted};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_snapshot::Event;
use tokio::sync::watch;

/// Who may follow at once.
const FOLLOWERS: usize = 64;
/// Entries that a follower is given at once.
const BATCH: usize = 256;
/// Modules with a ring; a module that does not exist any more loses its own with the next snapshot.
const RINGS: usize = 10_000;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Entries of one module.
    pub lines: usize,
    /// About the bytes of one module's entries.
    pub bytes: usize,
    /// The same over all modules.
    pub total_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lines: 1_000, bytes: 256 << 10, total_bytes: 32 << 20 }
    }
}

struct Rings {
    by_module: BTreeMap<Arc<str>, Ring>,
    bytes: usize,
    seq: u64,
    followers: usize,
}

/// All logs; clones of the `Arc` are the same.
pub(crate) struct ModuleLogs {
    bounds: Bounds,
    rings: Mutex<Rings>,
    /// The newest `seq`; nothing any more once the logs are closed.
    newest: Mutex<Option<watch::Sender<u64>>>,
}

/// What a reader gets.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Entries as the API shows them, oldest first.
    pub(crate) entries: Vec<Value>,
    /// Entries that were gone before the reader came for them.
    pub(crate) skipped: u64,
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

impl ModuleLogs {
    /// Empty logs. Numbers begin with the clock, so that they also grow from one life of the process to the next.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let seq = now_ms() * 1_000;
        let rings = Rings { by_module: BTreeMap::new(), bytes: 0, seq, followers: 0 };
        Self { bounds, rings: Mutex::new(rings), newest: Mutex::new(Some(watch::Sender::new(seq))) }
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a shard's event, if it is for a module's log. Followers learn of it with the next [`Self::tell`].
    pub(crate) fn event(&self, event: &Event) {
        let Some(module) = &event.module else { return };
        if let Some(entry) = Entry::of(event, now_ms()) {
            self.add(module, entry);
        }
    }

    /// Adds an entry to the log of a module (`namespace/name`). Followers learn of it with the next [`Self::tell`].
    pub(crate) fn add(&self, module: &Arc<str>, entry: Entry) {
        let Bounds { lines, bytes, total_bytes } = self.bounds;
        let mut guard = self.rings();
        let rings = &mut *guard;
        if !rings.by_module.contains_key(module) {
            if rings.by_module.len() >= RINGS {
                return;
            }
            rings.by_module.insert(module.clone(), Ring::new(rings.seq));
        }
        rings.seq += 1;
        let entry = Entry { seq: rings.seq, ..entry };
        let ring = rings.by_module.get_mut(module).expect("it was there or has just been made");
        let before = ring.bytes();
        ring.push(entry, lines, bytes);
        rings.bytes = rings.bytes - before + ring.bytes();
        if rings.bytes > total_bytes {
            rings.shrink(total_bytes);
        }
    }

    /// Wakes those who follow.
    pub(crate) fn tell(&self) {
        let seq = self.rings().seq;
        if let Some(newest) = &*self.newest.lock().unwrap_or_else(PoisonError::into_inner) {
            newest.send_if_modified(|known| std::mem::replace(known, seq) != seq);
        }
    }

    /// Ends those who follow: the process is about to end.
    pub(crate) fn close(&self) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Forgets the logs of modules (`namespace/name`) that are gone.
    pub(crate) fn retain(&self, exists: impl Fn(&str) -> bool) {
        let mut rings = self.rings();
        rings.by_module.retain(|module, _| exists(module));
        rings.bytes = rings.by_module.values().map(Ring::bytes).sum();
    }

    /// Empties a module's log.
    pub(crate) fn clear(&self, module: &str) {
        let mut rings = self.rings();
        if let Some(ring) = rings.by_module.get_mut(module) {
            let before = ring.bytes();
            ring.clear();
            rings.bytes -= before;
        }
    }

    /// Entries of a module's log, with how many it has dropped since it exists or was cleared.
    pub(crate) fn read(&self, module: &str, wanted: Wanted) -> (Vec<Value>, u64) {
        let rings = self.rings();
        let Some(ring) = rings.by_module.get(module) else { return (Vec::new(), 0) };
        (ring.read(wanted).into_iter().map(Entry::json).collect(), ring.dropped())
    }

    /// Size of a module's log.
    pub(crate) fn size(&self, module: &str) -> Value {
        let rings = self.rings();
        let ring = rings.by_module.get(module);
        json!({
            "lines": ring.map_or(0, Ring::lines),
            "bytes": ring.map_or(0, Ring::bytes),
            "dropped": ring.map_or(0, Ring::dropped),
        })
    }

    /// The number of the newest entry of the node.
    pub(crate) fn newest(&self) -> u64 {
        self.rings().seq
    }

    /// Follows a module's log, from what is wanted of it now; `None` if too many follow already, or the process ends.
    pub(crate) fn follow(self: &Arc<Self>, module: &str, wanted: Wanted) -> Option<(Batch, Follower)> {
        let changes = self.newest.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.subscribe();
        let mut rings = self.rings();
        if rings.followers >= FOLLOWERS {
            return None;
        }
        let ring = rings.by_module.get(module);
        let found = ring.map(|ring| ring.read(wanted)).unwrap_or_default();
        // With `since` and a full batch, what comes next is not the newest.
        let place = match (ring, found.last(), wanted.since) {
            (Some(ring), Some(last), Some(_)) => ring.place_after(last.seq),
            (Some(ring), ..) => ring.end(),
            (None, ..) => Place::default(),
        };
        let batch = Batch { entries: found.into_iter().map(Entry::json).collect(), skipped: 0 };
        let born = ring.map_or(0, |ring| ring.born);
        rings.followers += 1;
        drop(rings);
        let follower =
            Follower { logs: self.clone(), module: module.into(), level: wanted.level, born, place, changes };
        Some((batch, follower))
    }
}

impl Rings {
    /// Takes from whoever has most until all fit: who is noisy must not cost the others their lines.
    fn shrink(&mut self, total_bytes: usize) {
        while self.bytes > total_bytes {
            let Some(largest) = self.by_module.values_mut().max_by_key(|ring| ring.bytes()) else { return };
            // A part at a time, so that the search is not done for every entry.
            let enough = largest.bytes() / 8;
            let mut freed = 0;
            while freed <= enough && largest.lines() > 0 {
                freed += largest.drop_one();
            }
            self.bytes -= freed;
            if freed == 0 {
                return;
            }
        }
    }
}

/// Somebody who follows a module's log; dropping it makes room for another.
pub(crate) struct Follower {
    logs: Arc<ModuleLogs>,
    module: Box<str>,
    level: Level,
    /// Which ring it reads; 0 before there was one.
    born: u64,
    place: Place,
    changes: watch::Receiver<u64>,
}

impl Follower {
    /// What has come since the last time, possibly nothing.
    pub(crate) fn take(&mut self) -> Batch {
        self.changes.borrow_and_update();
        let rings = self.logs.rings();
        let Some(ring) = rings.by_module.get(&*self.module) else { return Batch::default() };
        if self.born != ring.born {
            // The module was deleted and is there again, or had nothing to say before.
            (self.born, self.place) = (ring.born, ring.begin());
        }
        let (found, skipped, is_more) = ring.read_on(&mut self.place, BATCH);
        let wanted = found.into_iter().filter(|entry| entry.level >= self.level);
        let batch = Batch { entries: wanted.map(Entry::json).collect(), skipped };
        if is_more {
            // The next wait must not wait.
            self.changes.mark_changed();
        }
        batch
    }

    /// Waits until something may have come; `false` once nothing will.
    pub(crate) async fn changed(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }

    /// The number of the newest entry of the node.
    pub(crate) fn newest(&self) -> u64 {
        self.logs.newest()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.logs.rings().followers -= 1;
    }
}

#[cfg(test)]
mod tests;
