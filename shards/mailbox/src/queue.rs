//! A bounded queue of many senders and one reader. Full means the sender keeps its message and decides.

use crate::Wake;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// The sending end; clone it for each sender.
pub struct QueueWriter<T> {
    queue: Arc<ArrayQueue<T>>,
    wake: Wake,
}

/// The reading end. There is one.
pub struct QueueReader<T> {
    queue: Arc<ArrayQueue<T>>,
}

/// A queue that holds at most `capacity` messages (at least one).
pub fn queue<T>(capacity: usize, wake: Wake) -> (QueueWriter<T>, QueueReader<T>) {
    let queue = Arc::new(ArrayQueue::new(capacity.max(1)));
    (QueueWriter { queue: queue.clone(), wake }, QueueReader { queue })
}

impl<T> Clone for QueueWriter<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), wake: self.wake.clone() }
    }
}

impl<T> QueueWriter<T> {
    /// Sends and wakes the reader. A full queue hands the message back.
    pub fn send(&self, message: T) -> Result<(), T> {
        self.queue.push(message)?;
        (self.wake)();
        Ok(())
    }
}

impl<T> QueueReader<T> {
    /// The oldest message, if there is one.
    pub fn take(&mut self) -> Option<T> {
        self.queue.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_full_queue_hands_the_message_back() {
        let woken = Arc::new(AtomicUsize::new(0));
        let seen = woken.clone();
        let (writer, mut reader) = queue(
            2,
            Arc::new(move || {
                seen.fetch_add(1, Ordering::Relaxed);
            }),
        );
        assert_eq!(writer.send(1), Ok(()));
        assert_eq!(writer.clone().send(2), Ok(()));
        assert_eq!(writer.send(3), Err(3));
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        assert_eq!([reader.take(), reader.take(), reader.take()], [Some(1), Some(2), None]);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let (writer, mut reader) = queue(64, Arc::new(|| {}));
        let senders: Vec<_> = (0..4u64)
            .map(|sender| {
                let writer = writer.clone();
                std::thread::spawn(move || {
                    for n in 0..1_000 {
                        let mut message = sender * 1_000 + n;
                        while let Err(back) = writer.send(message) {
                            message = back;
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut sum = 0;
        for _ in 0..4_000 {
            sum += loop {
                match reader.take() {
                    Some(message) => break message,
                    None => std::thread::yield_now(),
                }
            };
        }
        senders.into_iter().for_each(|sender| sender.join().expect("sender"));
        assert_eq!(sum, (0..4_000).sum::<u64>());
        assert_eq!(reader.take(), None);
    }
}
