//! The shards' way in: a bounded queue that wakes the admin thread. What does not fit stays with the shard.

use std::sync::Arc;
use tidegate_mailbox::{QueueReader, QueueWriter, queue};
use tidegate_snapshot::ToAdmin;
use tokio::sync::Notify;

/// The reading end, for [`super::start`].
pub struct Inbox {
    reader: QueueReader<ToAdmin>,
    woken: Arc<Notify>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbox")
    }
}

/// A way in for at most `capacity` messages at a time; clone the writer for each shard.
pub fn inbox(capacity: usize) -> (QueueWriter<ToAdmin>, Inbox) {
    let woken = Arc::new(Notify::new());
    let wake = woken.clone();
    let (writer, reader) = queue(capacity, Arc::new(move || wake.notify_one()));
    (writer, Inbox { reader, woken })
}

impl Inbox {
    /// The oldest message, if there is one.
    pub(super) fn take(&mut self) -> Option<ToAdmin> {
        self.reader.take()
    }

    /// Waits until something was sent since the last wait.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Calls the reader although nothing was sent, to go on with what was left.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }
}
