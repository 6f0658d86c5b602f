//! A slot that holds one value: a new one replaces what was not taken yet. Made for snapshots, of which only the
//! newest matters.

use crate::Wake;
use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// The writing end.
pub struct SlotWriter<T> {
    cell: Arc<ArrayQueue<T>>,
    wake: Wake,
}

/// The reading end.
pub struct SlotReader<T> {
    cell: Arc<ArrayQueue<T>>,
}

/// An empty slot.
pub fn slot<T>(wake: Wake) -> (SlotWriter<T>, SlotReader<T>) {
    let cell = Arc::new(ArrayQueue::new(1));
    (SlotWriter { cell: cell.clone(), wake }, SlotReader { cell })
}

impl<T> SlotWriter<T> {
    /// Puts a value in and wakes the reader; a value that was not taken is dropped.
    pub fn put(&self, value: T) {
        drop(self.cell.force_push(value));
        (self.wake)();
    }
}

impl<T> SlotReader<T> {
    /// The newest value, unless it was taken already.
    pub fn take(&mut self) -> Option<T> {
        self.cell.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_is_taken_once() {
        let (writer, mut reader) = slot(Arc::new(|| {}));
        assert_eq!(reader.take(), None);
        writer.put(1);
        writer.put(2);
        assert_eq!([reader.take(), reader.take()], [Some(2), None]);
    }

    #[test]
    fn a_reader_sees_values_in_order_and_the_last_one() {
        let (writer, mut reader) = slot(Arc::new(|| {}));
        let sender = std::thread::spawn(move || (1..=10_000u32).for_each(|n| writer.put(n)));
        let mut last = 0;
        while last < 10_000 {
            match reader.take() {
                Some(n) => {
                    assert!(n > last);
                    last = n;
                }
                None => std::thread::yield_now(),
            }
        }
        sender.join().expect("sender");
    }
}
