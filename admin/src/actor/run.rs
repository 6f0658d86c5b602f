//! The admin's loop: what was applied or resolved becomes a snapshot, snapshots go to the shards, and their words come
//! in. One pass at a time; what happens meanwhile is taken together in the next.

use super::counting::Counting;
use super::events::EventLog;
use super::inbox::Inbox;
use super::node::{Facts, Node, Progress};
use super::pass::{Outcome, Tools, Workshop};
use super::publisher::{Publisher, ShardLink};
use super::reply::reply;
use super::writes::Writes;
use crate::profile::{Profiles, now_ms};
use crate::schedule::{News, Schedule};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tidegate_snapshot::{Event, ToAdmin, ToShard};
use tokio::sync::{mpsc, watch};

/// Messages taken from the inbox before the loop looks at anything else.
const AT_ONCE: usize = 1024;
/// Before a pass that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// An order of the process.
pub(super) enum Order {
    /// Publish to these shards from now on; told when that is so.
    Attach(Vec<ShardLink>, std::sync::mpsc::SyncSender<()>),
    /// The process is about to end: begin nothing by itself.
    Draining,
    /// End.
    Stop,
}

type Pass = Pin<Box<dyn Future<Output = (Option<Workshop>, Result<Outcome, String>)> + Send>>;

/// The actor.
pub(super) struct Actor {
    pub(super) node: Arc<Node>,
    pub(super) publisher: Publisher,
    pub(super) inbox: Inbox,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    pub(super) applied: watch::Receiver<u64>,
    pub(super) names: watch::Receiver<u64>,
    pub(super) events: EventLog,
    pub(super) schedule: Schedule,
    /// What is told of scheduled runs.
    pub(super) told: mpsc::UnboundedReceiver<Event>,
    pub(super) tools: Tools,
    pub(super) writes: Writes,
    pub(super) counting: Counting,
    pub(super) profiles: Arc<Profiles>,
    pub(super) facts: Facts,
    pub(super) failure: Option<String>,
}

impl Actor {
    /// Runs until the process says stop.
    pub(super) async fn run(mut self, workshop: Workshop) {
        let mut idle = Some(workshop);
        let mut pass: Option<Pass> = None;
        // Something may have been applied since the first snapshot was made.
        let mut dirty = true;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut not_before = Instant::now();
        loop {
            if dirty
                && Instant::now() >= not_before
                && let Some(workshop) = idle.take()
            {
                dirty = false;
                pass = Some(Box::pin(workshop.pass()));
            }
            tokio::select! {
                Ok(()) = self.applied.changed() => dirty = true,
                Ok(()) = self.names.changed() => dirty = true,
                (workshop, outcome) = running(&mut pass) => {
                    pass = None;
                    // What a panic took along is made anew from the store.
                    let generation = self.publisher.current().generation;
                    idle = Some(workshop.unwrap_or_else(|| Workshop::new(self.tools.clone(), generation)));
                    if let Err(why) = &outcome {
                        tracing::error!(why, "no snapshot can be made: the shards go on with what they have");
                        (dirty, not_before) = (true, Instant::now() + AGAIN);
                    }
                    self.take(outcome);
                }
                () = self.inbox.woken() => self.read_inbox(),
                () = self.profiles.wanted() => self.order_profiles(),
                Some(event) = self.told.recv() => self.hear(&event),
                order = self.orders.recv() => match order {
                    Some(Order::Attach(links, done)) => {
                        let inboxes = links.iter().map(|link| link.inbox.clone()).collect();
                        self.schedule.tell(News::Attached(inboxes));
                        self.publisher.attach(links);
                        self.tell();
                        let _ = done.send(());
                    }
                    Some(Order::Draining) => self.schedule.tell(News::Stop),
                    Some(Order::Stop) | None => return,
                },
                _ = second.tick() => {
                    self.events.roll();
                    self.order_profiles();
                    self.tell();
                }
            }
        }
    }

    fn take(&mut self, outcome: Result<Outcome, String>) {
        match outcome {
            Err(why) => self.failure = Some(why),
            Ok(Outcome { snapshot, planned, revision, problems, took }) => {
                self.failure = None;
                if let Some(planned) = planned {
                    self.schedule.tell(News::Planned(planned));
                }
                (self.facts.compiled, self.facts.problems, self.facts.compile) = (revision, problems, took);
                match snapshot {
                    Some(snapshot) => {
                        tracing::debug!(revision, generation = snapshot.generation, ?took, "a new snapshot");
                        self.node.set_snapshot(snapshot.clone());
                        self.publisher.publish(snapshot, revision);
                    }
                    None => self.publisher.confirm(revision),
                }
            }
        }
        self.tell();
    }

    fn read_inbox(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(message) = self.inbox.take() else {
                self.tools.module_logs.tell();
                self.tell();
                return;
            };
            match message {
                ToAdmin::Installed { shard, generation } => self.publisher.installed(shard, generation),
                ToAdmin::Write { shard, ticket, namespace, write } => {
                    if let Some(to) = self.publisher.inbox(shard) {
                        self.writes.begin(to.clone(), ticket, namespace, write);
                    }
                }
                ToAdmin::Cache { shard, ticket, namespace, key, update } => {
                    if let Some(to) = self.publisher.inbox(shard) {
                        self.counting.begin(to.clone(), ticket, namespace, key, update);
                    }
                }
                ToAdmin::Resolve { shard, ticket, host, port } => self.resolve(shard, ticket, host, port),
                ToAdmin::Report(report) => {
                    self.profiles.note(&report);
                    self.tools.metrics.lock().unwrap_or_else(PoisonError::into_inner).absorb(*report);
                }
                ToAdmin::Event(event) => self.hear(&event),
                ToAdmin::Profile(interval) => self.profiles.keep(&interval),
                ToAdmin::Ran(report) => self.schedule.tell(News::Ran(report)),
                ToAdmin::Drained { shard } => {
                    self.schedule.tell(News::Drained(shard));
                    self.publisher.drained(shard);
                    self.node.note_drained();
                }
            }
        }
        self.tools.module_logs.tell();
        self.tell();
        self.inbox.wake();
    }

    /// Tells the shards which rows of their profile somebody wants. Who has no room for it is told a second later.
    fn order_profiles(&self) {
        let mut book = self.profiles.book();
        let Some(order) = book.order(now_ms()) else { return };
        if !self.publisher.tell_all(|| ToShard::Profile(order.clone())) {
            book.untold();
        }
    }

    /// Something for the logs.
    fn hear(&mut self, event: &Event) {
        self.tools.module_logs.event(event);
        self.events.event(event);
    }

    /// Answers a module that named a host of its own.
    fn resolve(&self, shard: u16, ticket: u64, host: String, port: u16) {
        let Some(to) = self.publisher.inbox(shard).cloned() else { return };
        let resolver = self.tools.resolver.clone();
        tokio::spawn(async move {
            let found = resolver.ask(host).await;
            let outcome = found.map(|ips| ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
            reply(&to, ToShard::Resolved { ticket, outcome }).await;
        });
    }

    /// Lets the API know where the shards are.
    fn tell(&mut self) {
        (self.facts.held, self.facts.oldest_held) = self.publisher.sweep(Instant::now());
        self.facts.generation = self.publisher.current().generation;
        self.facts.generations = self.publisher.generations();
        self.node.set_facts(self.facts.clone());
        self.node.set_progress(Progress {
            live: self.publisher.live(),
            lagging: self.publisher.lagging(),
            failure: self.failure.clone(),
        });
    }
}

/// The pass under way; never ends while there is none.
async fn running(pass: &mut Option<Pass>) -> (Option<Workshop>, Result<Outcome, String>) {
    match pass {
        Some(pass) => pass.await,
        None => std::future::pending().await,
    }
}
