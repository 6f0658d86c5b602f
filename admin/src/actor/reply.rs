//! Answers to a shard's questions. A shard whose mailbox stays full loses the answer, and its module runs into its own
//! bound; the admin never waits for a shard.

use std::time::Duration;
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::ToShard;

/// Between two attempts while the mailbox is full, and how many there are.
const PAUSE: Duration = Duration::from_millis(2);
const ATTEMPTS: u32 = 1_000;

/// Gives an answer to a shard.
pub(super) async fn reply(shard: &QueueWriter<ToShard>, mut message: ToShard) {
    for _ in 0..ATTEMPTS {
        match shard.send(message) {
            Ok(()) => return,
            Err(back) => message = back,
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!("a shard does not take an answer: its mailbox stays full");
}
