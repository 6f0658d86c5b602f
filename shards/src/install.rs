//! The shard's mailbox: snapshots are installed between two turns of the loop and acknowledged, answers reach who asked,
//! scheduled runs and a drain begin.

use crate::cache::ToPeer;
use crate::local::Local;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_mailbox::{QueueReader, SlotReader};
use tidegate_reactor::{Wakeups, cut_idle, give_way, sleep, spawn, spawn_guarded};
use tidegate_snapshot::{JobOrder, JobOutcome, JobReport, ProfileOrder, Snapshot, ToAdmin, ToShard};

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

/// Counts a scheduled run for as long as it lives, also through a panic.
struct Present(Rc<Local>);

impl Present {
    fn new(local: &Rc<Local>) -> Self {
        local.runs.set(local.runs.get() + 1);
        Self(local.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.runs.set(self.0.runs.get() - 1);
    }
}

/// Begins an interval of the latency profile where that is asked for, and keeps the rows that are.
async fn measure(local: &Local, order: ProfileOrder) {
    let lender = &local.lender;
    if order.is_cut && !lender.profile.cut(&lender.outbox.admin).await {
        lender.counters.events_dropped.add(1);
    }
    lender.profile.ask(order);
}

/// Runs a job as a task of its own, whose end is told whatever happens.
fn begin(local: &Rc<Local>, order: Box<JobOrder>) {
    let ended = |outcome| JobReport { ticket: order.ticket, outcome, cpu_ns: 0, wall_ns: 0 };
    if local.is_draining.get() {
        return spawn(report(Present::new(local), ended(JobOutcome::Draining)));
    }
    let panicked = |text: &str| JobOutcome::Failed {
        cause: "panicked",
        message: format!("the gateway failed: {text}"),
        stack: String::new(),
    };
    let (present, ticket) = (Present::new(local), order.ticket);
    let noticed = local.clone();
    let task = async move {
        let ended = present.0.scripts.run_job(&order).await;
        report(present, ended).await;
    };
    spawn_guarded(task, move |text| {
        let ended = JobReport { ticket, outcome: panicked(text), cpu_ns: 0, wall_ns: 0 };
        spawn(report(Present::new(&noticed), ended));
    });
}

/// Tells the admin how a run ended.
async fn report(present: Present, ended: JobReport) {
    let mut message = ToAdmin::Ran(Box::new(ended));
    while let Err(back) = present.0.lender.outbox.admin.send(message) {
        message = back;
        sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Reads the mailbox until a drain is asked for.
pub async fn run(local: Rc<Local>, mut mailbox: Mailbox) {
    loop {
        if let Some(snapshot) = mailbox.snapshots.take() {
            let generation = snapshot.generation;
            let engines = local.scripts.prepare(&snapshot.scripts).await;
            let namespaces: HashSet<&str> = snapshot.namespaces.iter().map(|n| &*n.name).collect();
            local.lender.cache.install(generation, |name| namespaces.contains(name));
            local.scripts.install(engines, &snapshot.scripts);
            local.current.install(snapshot);
            let shard = local.lender.outbox.shard;
            tell(&local, || ToAdmin::Installed { shard, generation }).await;
        }
        while let Some(message) = mailbox.messages.take() {
            match message {
                ToShard::Written { ticket, outcome } => local.lender.writes.answer(ticket, outcome),
                ToShard::Cached { ticket, outcome } => local.lender.counting.answer(ticket, outcome),
                ToShard::Resolved { ticket, outcome } => local.lender.names.answer(ticket, outcome),
                ToShard::Profile(order) => measure(&local, order).await,
                ToShard::Run(order) => begin(&local, order),
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
