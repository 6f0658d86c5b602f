//! Which snapshot the shards should run, which they do run, and which revision is therefore live. It sends snapshots
//! and counts acknowledgements; it makes nothing and waits for nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_mailbox::{QueueWriter, SlotWriter};
use tidegate_snapshot::{Snapshot, ToShard};

/// The admin's way to one shard.
pub struct ShardLink {
    /// Where the newest snapshot goes.
    pub snapshots: SlotWriter<Arc<Snapshot>>,
    /// Where answers and orders go.
    pub inbox: QueueWriter<ToShard>,
}

struct Shard {
    link: ShardLink,
    /// Generation that it runs.
    runs: u64,
    /// It has ended and runs nothing any more.
    drained: bool,
}

/// The publishing side.
pub(super) struct Publisher {
    shards: Vec<Shard>,
    current: Arc<Snapshot>,
    /// Generation and the newest revision that it says, oldest first; the first is what every shard runs at least.
    said: VecDeque<(u64, u64)>,
    /// The newest revision that all shards run.
    live: u64,
    /// Snapshots that shards may still hold. Kept here so that the last reference is never theirs: freeing a large
    /// snapshot takes longer than a shard may stop.
    old: Vec<(Arc<Snapshot>, Instant)>,
}

impl Publisher {
    /// Begins with the first snapshot, which says everything up to `revision`.
    pub(super) fn new(first: Arc<Snapshot>, revision: u64) -> Self {
        let said = VecDeque::from([(first.generation, revision)]);
        Self { shards: Vec::new(), current: first, said, live: revision, old: Vec::new() }
    }

    /// From now on these shards are published to; they get what is current.
    pub(super) fn attach(&mut self, links: Vec<ShardLink>) {
        self.shards = links.into_iter().map(|link| Shard { link, runs: 0, drained: false }).collect();
        self.send();
    }

    /// The newest snapshot.
    pub(super) fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// Publishes a snapshot that says everything up to `revision`.
    pub(super) fn publish(&mut self, snapshot: Arc<Snapshot>, revision: u64) {
        assert!(snapshot.generation > self.current.generation, "generations grow");
        self.said.push_back((snapshot.generation, revision));
        let before = std::mem::replace(&mut self.current, snapshot);
        self.old.push((before, Instant::now()));
        self.send();
        self.settle();
    }

    /// Nothing that shards run changed up to `revision`: the current snapshot says that as well.
    pub(super) fn confirm(&mut self, revision: u64) {
        if let Some((_, said)) = self.said.back_mut() {
            *said = revision.max(*said);
        }
        self.settle();
    }

    fn send(&self) {
        for shard in self.shards.iter().filter(|shard| !shard.drained) {
            shard.link.snapshots.put(self.current.clone());
        }
    }

    /// A shard runs a generation.
    pub(super) fn installed(&mut self, shard: u16, generation: u64) {
        if let Some(shard) = self.shards.get_mut(usize::from(shard)) {
            shard.runs = shard.runs.max(generation);
        }
        self.settle();
    }

    /// A shard has ended.
    pub(super) fn drained(&mut self, shard: u16) {
        if let Some(shard) = self.shards.get_mut(usize::from(shard)) {
            shard.drained = true;
        }
        self.settle();
    }

    fn settle(&mut self) {
        let running = self.shards.iter().filter(|shard| !shard.drained).map(|shard| shard.runs);
        let all = running.min().unwrap_or(self.current.generation);
        while self.said.get(1).is_some_and(|(generation, _)| *generation <= all) {
            self.said.pop_front();
        }
        if let Some((generation, revision)) = self.said.front()
            && *generation <= all
        {
            self.live = self.live.max(*revision);
        }
    }

    /// The newest revision that every shard runs.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// Shards that do not run the current snapshot.
    pub(super) fn lagging(&self) -> Vec<u16> {
        let current = self.current.generation;
        let shards = (0u16..).zip(&self.shards);
        shards.filter(|(_, shard)| !shard.drained && shard.runs < current).map(|(index, _)| index).collect()
    }

    /// Generations that the shards run.
    pub(super) fn generations(&self) -> Vec<u64> {
        self.shards.iter().map(|shard| shard.runs).collect()
    }

    /// The way to a shard that has not ended.
    pub(super) fn inbox(&self, shard: u16) -> Option<&QueueWriter<ToShard>> {
        self.shards.get(usize::from(shard)).filter(|shard| !shard.drained).map(|shard| &shard.link.inbox)
    }

    /// Sends something to every shard that has not ended; `false` if one had no room.
    pub(super) fn tell_all(&self, message: impl Fn() -> ToShard) -> bool {
        let mut all_told = true;
        for shard in self.shards.iter().filter(|shard| !shard.drained) {
            all_told &= shard.link.inbox.send(message()).is_ok();
        }
        all_told
    }

    /// Frees the snapshots that no shard holds any more; answers how many are held and how long the oldest was replaced.
    pub(super) fn sweep(&mut self, now: Instant) -> (usize, Duration) {
        self.old.retain(|(snapshot, _)| Arc::strong_count(snapshot) > 1);
        let oldest = self.old.first().map(|(_, replaced)| now.saturating_duration_since(*replaced));
        (self.old.len(), oldest.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_mailbox::{QueueReader, SlotReader, queue, slot};
    use tidegate_snapshot::{DomainTable, Revision};

    fn snapshot(generation: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            revision: Revision(generation),
            generation,
            settings: Arc::default(),
            domains: DomainTable::default(),
            namespaces: Vec::new(),
            route_slots: 0,
            service_slots: 0,
            scripts: Box::default(),
        })
    }

    type Ends = (SlotReader<Arc<Snapshot>>, QueueReader<ToShard>);

    fn shards(count: usize) -> (Vec<ShardLink>, Vec<Ends>) {
        (0..count)
            .map(|_| {
                let (snapshots, taken) = slot(Arc::new(|| {}));
                let (inbox, messages) = queue(4, Arc::new(|| {}));
                (ShardLink { snapshots, inbox }, (taken, messages))
            })
            .unzip()
    }

    #[test]
    fn a_revision_is_live_when_the_last_shard_runs_it() {
        let mut publisher = Publisher::new(snapshot(1), 5);
        assert_eq!(publisher.live(), 5, "without shards nobody has to follow");
        let (links, mut ends) = shards(2);
        publisher.attach(links);
        assert_eq!(ends[0].0.take().map(|s| s.generation), Some(1));
        publisher.publish(snapshot(2), 6);
        publisher.publish(snapshot(3), 8);
        assert_eq!((publisher.live(), publisher.lagging()), (5, vec![0, 1]));
        publisher.installed(0, 3);
        assert_eq!((publisher.live(), publisher.lagging()), (5, vec![1]));
        publisher.installed(1, 2);
        assert_eq!(publisher.live(), 6);
        publisher.installed(1, 3);
        assert_eq!((publisher.live(), publisher.lagging()), (8, vec![]));
        publisher.installed(1, 2);
        publisher.installed(9, 9);
        assert_eq!(publisher.live(), 8, "late and foreign words change nothing");
    }

    #[test]
    fn what_changes_nothing_is_live_with_the_snapshot_before_it() {
        let mut publisher = Publisher::new(snapshot(1), 1);
        let (links, _ends) = shards(1);
        publisher.attach(links);
        publisher.publish(snapshot(2), 2);
        publisher.confirm(7);
        assert_eq!(publisher.live(), 1);
        publisher.installed(0, 2);
        assert_eq!(publisher.live(), 7);
        publisher.confirm(9);
        assert_eq!(publisher.live(), 9);
    }

    #[test]
    fn a_drained_shard_is_waited_for_no_longer() {
        let mut publisher = Publisher::new(snapshot(1), 1);
        let (links, _ends) = shards(2);
        publisher.attach(links);
        publisher.publish(snapshot(2), 2);
        publisher.installed(0, 2);
        publisher.drained(1);
        assert_eq!((publisher.live(), publisher.lagging()), (2, vec![]));
        assert!(publisher.inbox(0).is_some() && publisher.inbox(1).is_none() && publisher.inbox(7).is_none());
    }

    #[test]
    fn replaced_snapshots_are_freed_here() {
        let mut publisher = Publisher::new(snapshot(1), 1);
        let held = publisher.current().clone();
        publisher.publish(snapshot(2), 2);
        publisher.publish(snapshot(3), 3);
        let now = Instant::now();
        assert_eq!(publisher.sweep(now).0, 1);
        let weak = Arc::downgrade(&held);
        drop(held);
        assert!(weak.upgrade().is_some(), "whoever held it did not have to free it");
        assert_eq!(publisher.sweep(now), (0, Duration::ZERO));
        assert!(weak.upgrade().is_none());
    }
}
