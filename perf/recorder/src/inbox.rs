//! The recorder's ends of the shards' queues: takes filled buffers fairly, gives emptied ones back. Never waits; how
//! long to sleep between two looks is answered by `Pace`.

use std::time::Duration;
use tidegate_mailbox::{QueueReader, QueueWriter};

/// One shard's pair of queues.
pub(crate) struct Line {
    pub(crate) filled: QueueReader<Vec<u8>>,
    pub(crate) empty: QueueWriter<Vec<u8>>,
    /// A buffer that grew past this many bytes is freed instead of kept for ever.
    pub(crate) largest: usize,
}

pub(crate) struct Inbox {
    lines: Vec<Line>,
    next: usize,
}

impl Inbox {
    pub(crate) fn new(lines: Vec<Line>) -> Self {
        Self { lines, next: 0 }
    }

    /// A filled buffer and the line it came on. The search begins behind the line served last, so that a busy shard
    /// cannot starve another.
    pub(crate) fn take(&mut self) -> Option<(usize, Vec<u8>)> {
        for step in 0..self.lines.len() {
            let at = (self.next + step) % self.lines.len();
            if let Some(buffer) = self.lines[at].filled.take() {
                self.next = at + 1;
                return Some((at, buffer));
            }
        }
        None
    }

    /// Gives a buffer back to the shard it came from.
    pub(crate) fn give_back(&mut self, line: usize, mut buffer: Vec<u8>) {
        let line = &self.lines[line];
        buffer.clear();
        buffer.shrink_to(line.largest);
        // A full queue of empties means the shard makes more than it may; this one is freed then.
        let _ = line.empty.send(buffer);
    }
}

/// How long to sleep when there was nothing to take: a millisecond after work, then longer and longer.
#[derive(Default)]
pub(crate) struct Pace {
    idle: u32,
}

impl Pace {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(20);

    pub(crate) fn worked(&mut self) {
        self.idle = 0;
    }

    pub(crate) fn rest(&mut self) -> Duration {
        let rest = Self::SHORTEST * 2u32.pow(self.idle.min(5));
        self.idle = self.idle.saturating_add(1);
        rest.min(Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_grows_while_idle_and_starts_over_after_work() {
        let mut pace = Pace::default();
        let rests: Vec<u128> = (0..7).map(|_| pace.rest().as_millis()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 20, 20]);
        pace.worked();
        assert_eq!(pace.rest(), Pace::SHORTEST);
    }
}
