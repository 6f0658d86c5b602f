//! What one shard owns, beside its connections: the snapshot, upstream connections, script runtimes, counters. Never
//! seen by another thread.

use crate::limits::Limits;
use crate::record::Records;
use crate::script::{Lender, Names, Scripts};
use crate::tables::Current;
use crate::upstream::Upstreams;
use std::cell::Cell;
use std::rc::Rc;

/// The shard's own things.
pub struct Local {
    /// Bounds.
    pub limits: Limits,
    /// The snapshot.
    pub current: Current,
    /// What modules and the log share: counters, the way to the admin.
    pub lender: Rc<Lender>,
    /// Upstream connections.
    pub upstreams: Upstreams,
    /// Script runtimes.
    pub scripts: Scripts,
    /// Names resolved for modules.
    pub names: Rc<Names>,
    /// Access records.
    pub records: Records,
    /// No more requests on connections that are open: the shard drains.
    pub is_draining: Cell<bool>,
    /// Scheduled runs under way.
    pub runs: Cell<u32>,
    /// Requests numbered so far.
    pub serial: Cell<u64>,
}

impl Local {
    /// The next exchange's id: unique on this node for as long as the process lives.
    pub fn next_id(&self) -> (u16, u64) {
        (self.lender.outbox.shard, self.serial.replace(self.serial.get() + 1))
    }
}
