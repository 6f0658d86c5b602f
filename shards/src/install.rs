//! The shard's mailbox: snapshots are installed between two turns of the loop and acknowledged, answers reach who asked,
//! and a drain begins.

use crate::cache::ToPeer;
use crate::local::Local;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_mailbox::{QueueReader, SlotReader};
use tidegate_reactor::{Wakeups, cut_idle, give_way, sleep};
use tidegate_snapshot::{Snapshot, ToAdmin, ToShard};

/// The reading ends.
pub struct Mailbox {
    /// The newest snapshot.
    pub snapshots: SlotReader<Arc<Snapshot>>,
    /// Messages.
    pub messages: QueueReader<ToShard>,
    /// What other shards say of cached values.
    pub cache: QueueReader<ToPeer>,
    /// Resolves when one of them has something.
    pub wakeups: Wakeups,
}

/// Tells the admin, which may be busy for a moment but must learn of it.
pub async fn tell(local: &Local, mut make: impl FnMut() -> ToAdmin) {
    while local.lender.outbox.admin.send(make()).is_err() {
        sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Reads the mailbox until a drain is asked for.
pub async fn run(local: Rc<Local>, mut mailbox: Mailbox) {
    loop {
        if let Some(snapshot) = mailbox.snapshots.take() {
            let generation = snapshot.generation;
            local.scripts.retain(snapshot.script_slots);
            let namespaces: HashSet<&str> = snapshot.namespaces.iter().map(|n| &*n.name).collect();
            local.lender.cache.install(generation, |name| namespaces.contains(name));
            local.current.install(snapshot);
            let shard = local.lender.outbox.shard;
            tell(&local, || ToAdmin::Installed { shard, generation }).await;
        }
        while let Some(message) = mailbox.messages.take() {
            match message {
                ToShard::Written { ticket, outcome } => local.lender.writes.answer(ticket, outcome),
                ToShard::Resolved { ticket, outcome } => local.lender.names.answer(ticket, outcome),
                ToShard::Drain => {
                    local.is_draining.set(true);
                    cut_idle();
                }
            }
        }
        if local.lender.cache.receive(&mut mailbox.cache) {
            // There may be more.
            give_way().await;
            continue;
        }
        if mailbox.wakeups.next().await.is_err() {
            // The other end lives as long as the process; without it there is no more configuration to come.
            return;
        }
    }
}
