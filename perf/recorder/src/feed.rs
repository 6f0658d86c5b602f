//! A shard's end of the recorder: buffers out, buffers back. Nothing here waits, makes a system call, or lets more
//! buffers exist than the bound.

use crate::AccessOptions;
use crate::counters::{Counters, lines};
use crate::inbox::{Inbox, Line};
use std::sync::Arc;
use tidegate_mailbox::{QueueReader, QueueWriter, queue};
use tidegate_snapshot::RecordSink;

/// One shard's way to the recorder. Take a buffer, append whole lines (each with its `\n`) until it is about full,
/// submit it.
pub struct Feed {
    full: QueueWriter<Vec<u8>>,
    back: QueueReader<Vec<u8>>,
    /// The buffer that was refused last, to be handed out again.
    spare: Option<Vec<u8>>,
    counters: Arc<Counters>,
    buffer_bytes: usize,
    made: usize,
    bound: usize,
    dropped: u64,
}

/// One feed per shard and the recorder's ends of all of them.
pub(crate) fn feeds(options: &AccessOptions, shards: usize, counters: &Arc<Counters>) -> (Vec<Feed>, Inbox) {
    let depth = options.queue_depth.max(1);
    // What waits, one that the shard fills and one that the recorder writes.
    let bound = depth + 2;
    let (feeds, lines) = (0..shards)
        .map(|_| {
            // The recorder polls: a wake-up would be a system call of the shard.
            let (full, filled) = queue(depth, Arc::new(|| {}));
            let (empty, back) = queue(bound, Arc::new(|| {}));
            let feed = Feed {
                full,
                back,
                spare: None,
                counters: counters.clone(),
                buffer_bytes: options.buffer_bytes,
                made: 0,
                bound,
                dropped: 0,
            };
            (feed, Line { filled, empty, largest: options.buffer_bytes.saturating_mul(2) })
        })
        .unzip();
    (feeds, Inbox::new(lines))
}

impl Feed {
    /// An empty buffer of `buffer_bytes` capacity: one that came back, or a new one while fewer than `queue_depth + 2`
    /// were made. A caller that keeps buffers instead of submitting them gets ones without capacity after that.
    pub fn buffer(&mut self) -> Vec<u8> {
        if let Some(buffer) = self.spare.take().or_else(|| self.back.take()) {
            return buffer;
        }
        if self.made == self.bound {
            return Vec::new();
        }
        self.made += 1;
        Vec::with_capacity(self.buffer_bytes)
    }

    /// Hands a buffer over. `false`: the queue was full, the lines in the buffer are dropped and counted.
    pub fn submit(&mut self, full: Vec<u8>) -> bool {
        if full.is_empty() {
            self.spare = Some(full);
            return true;
        }
        let Err(mut refused) = self.full.send(full) else { return true };
        let lines = lines(&refused);
        self.dropped += lines;
        self.counters.dropped(1, lines);
        refused.clear();
        self.spare = Some(refused);
        false
    }

    /// Lines this feed dropped because its queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl RecordSink for Feed {
    fn buffer(&mut self) -> Vec<u8> {
        Feed::buffer(self)
    }

    fn submit(&mut self, lines: Vec<u8>) -> bool {
        Feed::submit(self, lines)
    }
}
