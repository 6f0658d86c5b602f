//! The process's hold on the admin plane. Every call returns at once, except for those that say that they wait.

use super::node::Node;
use super::publisher::ShardLink;
use super::run::Order;
use crate::store::Store;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tidegate_snapshot::{DocumentReader, Snapshot};
use tokio::sync::mpsc;

/// A running admin plane. Dropping it stops it like [`AdminHandle::stop`].
pub struct AdminHandle {
    node: Arc<Node>,
    store: Option<Store>,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for AdminHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminHandle")
    }
}

impl AdminHandle {
    pub(super) fn new(
        node: Arc<Node>,
        store: Store,
        orders: mpsc::UnboundedSender<Order>,
        thread: JoinHandle<()>,
    ) -> Self {
        Self { node, store: Some(store), orders, thread: Some(thread) }
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.node.snapshot().expect("there is a snapshot before there is a handle")
    }

    /// Reads documents on the caller's thread. Drop all readers before [`AdminHandle::stop`]: the store stays open as
    /// long as there is one.
    pub fn reader(&self) -> Arc<dyn DocumentReader> {
        Arc::new(self.store.clone().expect("the store is open until the handle stops"))
    }

    /// From now on snapshots are published to these shards, and a write is answered when all of them run it. A shard's
    /// index is its place in the list. The current snapshot is sent at once, and has to be acknowledged.
    /// Waits until that is done, so that no shard asks before it can be answered.
    pub fn attach(&self, shards: Vec<ShardLink>) {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        let _ = self.orders.send(Order::Attach(shards, done));
        let _ = wait.recv();
    }

    /// What `/readyz` says.
    pub fn set_ready(&self, ready: bool) {
        self.node.set_ready(ready);
    }

    /// The process is about to end: `/readyz` answers 503 from now on.
    pub fn draining(&self) {
        self.node.set_draining();
        let _ = self.orders.send(Order::Draining);
    }

    /// Waits until so many shards have said that they are drained; answers whether they did in time.
    pub fn wait_drained(&self, shards: usize, timeout: Duration) -> bool {
        self.node.wait_drained(shards, timeout)
    }

    /// Ends the API and Raft, closes the store, and waits for that.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.store = None;
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin thread panicked");
        }
    }
}

impl Drop for AdminHandle {
    fn drop(&mut self) {
        self.end();
    }
}
