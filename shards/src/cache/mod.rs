//! The cache of modules: a replica of each namespace's values on this shard, kept like the others by messages. Reading
//! touches this shard only; nothing here locks, waits for another shard within a turn of the loop, or grows past its bounds.

mod entries;
mod keeper;
mod mail;
mod message;
mod owner;
mod space;
mod update;

#[cfg(test)]
mod tests;

pub use keeper::CacheCounts;
pub use message::ToPeer;

use crate::limits::Limits;
use crate::tickets::Tickets;
use keeper::{Bounds, Keeper, Outcome, Place, expiry};
use mail::{Mail, MailBounds};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_js::{CacheUpdate, CacheValue, Pending, Refused};
use tidegate_mailbox::{QueueReader, QueueWriter, Wake, queue};
use tidegate_reactor::{Either, clock, race, sleep, spawn};

/// Messages of other shards that may wait to be read.
const INBOX: usize = 4_096;
/// Messages read before the loop looks at anything else.
const AT_ONCE: usize = 256;
/// How long a module waits for a key's owner.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to send what waits.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// Between two sweeps, and the entries each looks at.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);
const SWEEP_ENTRIES: usize = 1_024;

/// A shard's ends of the mesh: what others say to it, and its ways to them.
pub struct CachePeers {
    /// Messages of the others.
    pub(crate) inbox: QueueReader<ToPeer>,
    writers: Vec<Option<QueueWriter<ToPeer>>>,
}

/// Connects shards with each other; `wakes` has the hook of each, by index.
pub fn cache_mesh(wakes: &[Wake]) -> Vec<CachePeers> {
    let capacity = if wakes.len() > 1 { INBOX } else { 1 };
    let (writers, inboxes): (Vec<_>, Vec<_>) =
        wakes.iter().map(|wake| queue::<ToPeer>(capacity, wake.clone())).unzip();
    let others = |me: usize| {
        let writer = |(at, writer): (usize, &QueueWriter<ToPeer>)| (at != me).then(|| writer.clone());
        writers.iter().enumerate().map(writer).collect()
    };
    inboxes.into_iter().enumerate().map(|(me, inbox)| CachePeers { inbox, writers: others(me) }).collect()
}

/// The cache of one shard.
pub struct Cache {
    parts: RefCell<(Keeper, Mail)>,
    waiting: Tickets<Outcome>,
    is_retrying: Cell<bool>,
}

/// A namespace's cache, as a host holds it.
pub struct CacheView {
    cache: Rc<Cache>,
    namespace: Arc<str>,
    place: Place,
}

impl Cache {
    /// An empty cache for shard `me`; the other end of the mesh is for whoever reads the mailbox.
    pub fn new(me: u16, peers: CachePeers, limits: &Limits) -> (Rc<Self>, QueueReader<ToPeer>) {
        let shards = u16::try_from(peers.writers.len()).expect("shards are counted in 16 bits");
        let bounds = Bounds { space_bytes: limits.cache_bytes, value_bytes: limits.cache_value_bytes };
        let keeper = Keeper::new(me, shards, bounds);
        let mail = Mail::new(me, peers.writers, MailBounds::default());
        let parts = RefCell::new((keeper, mail));
        (Rc::new(Self { parts, waiting: Tickets::default(), is_retrying: Cell::new(false) }), peers.inbox)
    }

    /// A namespace's cache.
    pub fn view(self: &Rc<Self>, namespace: Arc<str>) -> CacheView {
        CacheView { cache: self.clone(), namespace, place: Place::default() }
    }

    /// Reads some of what others said; `true` if there may be more.
    pub fn receive(self: &Rc<Self>, inbox: &mut QueueReader<ToPeer>) -> bool {
        let mut answers = Vec::new();
        let mut left = AT_ONCE;
        {
            let (keeper, mail) = &mut *self.parts.borrow_mut();
            let now_ms = clock::coarse_ms();
            while left > 0
                && let Some(message) = inbox.take()
            {
                answers.extend(keeper.receive(message, now_ms, mail));
                left -= 1;
            }
        }
        if left < AT_ONCE {
            self.retry();
        }
        for (ticket, outcome) in answers {
            self.waiting.answer(ticket, outcome);
        }
        left == 0
    }

    /// A snapshot was installed: what belongs to namespaces that are gone goes.
    pub fn install(&self, generation: u64, exists: impl Fn(&str) -> bool) {
        self.parts.borrow_mut().0.install(generation, exists);
    }

    /// Removes what is over, a little at a time, for as long as the shard lives.
    pub async fn sweep(self: Rc<Self>) {
        loop {
            sleep(SWEEP_INTERVAL).await;
            self.parts.borrow_mut().0.sweep(SWEEP_ENTRIES, clock::coarse_ms());
        }
    }

    /// What was counted since the last time.
    pub fn take_counts(&self) -> CacheCounts {
        self.parts.borrow_mut().0.take_counts()
    }

    /// Tells the others that this shard's last request was answered.
    pub fn finish(self: &Rc<Self>) {
        {
            let (keeper, mail) = &mut *self.parts.borrow_mut();
            keeper.finish(mail);
        }
        self.retry();
    }

    /// Whether no shard has a request any more: until then the others may ask for this one's keys.
    pub fn is_over(&self) -> bool {
        self.parts.borrow().0.is_over()
    }

    /// Sends what waits as soon as there is room.
    fn retry(self: &Rc<Self>) {
        if self.is_settled() || self.is_retrying.replace(true) {
            return;
        }
        let this = self.clone();
        spawn(async move {
            while !this.is_settled() {
                sleep(RETRY_INTERVAL).await;
                this.parts.borrow_mut().1.flush();
            }
            this.is_retrying.set(false);
        });
    }

    fn is_settled(&self) -> bool {
        let (keeper, mail) = &mut *self.parts.borrow_mut();
        keeper.catch_up(mail) && mail.is_idle()
    }
}

impl CacheView {
    /// A value as this shard knows it.
    pub fn get(&self, key: &str) -> Option<CacheValue> {
        self.cache.parts.borrow_mut().0.get(&self.namespace, &self.place, key, clock::coarse_ms())
    }

    /// Writes a value (`None` deletes). Errors: a sentence; nothing happened then.
    pub fn set(&self, key: &str, value: Option<CacheValue>, ttl_ms: Option<u64>) -> Result<(), Refused> {
        let expires_ms = expiry(ttl_ms, clock::coarse_ms());
        let whose = (&self.namespace, &self.place);
        let done = {
            let (keeper, mail) = &mut *self.cache.parts.borrow_mut();
            keeper.set(whose, key, value, expires_ms, mail)
        };
        self.cache.retry();
        done.map_err(Refused)
    }

    /// An exact operation: it happens whether or not somebody waits for the answer.
    pub fn update(&self, key: &str, update: CacheUpdate) -> Pending<Result<Option<CacheValue>, Refused>> {
        let whose = (&self.namespace, &self.place);
        let mut ticket = None;
        let done = {
            let (keeper, mail) = &mut *self.cache.parts.borrow_mut();
            let open = || ticket.insert(self.cache.waiting.open()).id();
            keeper.update(whose, key, update, open, clock::coarse_ms(), mail)
        };
        self.cache.retry();
        let ticket = match (done, ticket) {
            (Some(done), _) => return Box::pin(std::future::ready(done.map_err(Refused))),
            (None, ticket) => ticket.expect("who was asked knows the ticket"),
        };
        Box::pin(async move {
            match race(ticket.answer(), sleep(PATIENCE)).await {
                Either::Left(answer) => answer.map_err(Refused),
                Either::Right(()) => Err(Refused(
                    "the cache's shard did not answer in time; the update may have happened".into(),
                )),
            }
        })
    }
}
