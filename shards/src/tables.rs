//! The snapshot a shard runs. A request pins it by a shard-local `Rc` from its first byte to its last, so that it sees
//! one configuration only; pinning and releasing touch nothing that another core sees.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_snapshot::{ProxySettings, Snapshot};

/// A pinned snapshot.
pub struct Tables {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
}

impl Tables {
    /// Proxy-wide rules.
    pub fn settings(&self) -> &ProxySettings {
        &self.snapshot.settings
    }
}

/// The shard's current snapshot.
pub struct Current {
    tables: RefCell<Rc<Tables>>,
    /// Snapshots that were replaced and may still be held by requests.
    replaced: RefCell<Vec<std::rc::Weak<Tables>>>,
}

impl Current {
    /// Starts with a snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { tables: RefCell::new(Rc::new(Tables { snapshot })), replaced: RefCell::default() }
    }

    /// Pins the current snapshot.
    pub fn pin(&self) -> Rc<Tables> {
        self.tables.borrow().clone()
    }

    /// Replaces it; requests under way go on with theirs.
    pub fn install(&self, snapshot: Arc<Snapshot>) {
        let old = self.tables.replace(Rc::new(Tables { snapshot }));
        let mut replaced = self.replaced.borrow_mut();
        replaced.retain(|weak| weak.strong_count() > 0);
        replaced.push(Rc::downgrade(&old));
    }

    /// How many snapshots are alive on this shard, the current one included.
    pub fn held(&self) -> u64 {
        let mut replaced = self.replaced.borrow_mut();
        replaced.retain(|weak| weak.strong_count() > 0);
        replaced.len() as u64 + 1
    }
}
