//! The recorder's loop over a disk that fails: what it costs is counted, and it is used again.

use super::*;
use crate::disk::Disk;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A disk in memory that refuses appends while it is told to.
#[derive(Default)]
struct RefusesForAWhile {
    refusals: usize,
    kind: Option<io::ErrorKind>,
    open: bool,
    opened: usize,
    bytes: Vec<u8>,
}

impl Disk for RefusesForAWhile {
    async fn open(&mut self, _: &Path, _: &[u8]) -> io::Result<()> {
        (self.open, self.opened) = (true, self.opened + 1);
        Ok(())
    }
    async fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(self.kind.expect("a kind").into());
        }
        self.bytes.extend_from_slice(lines);
        Ok(())
    }
    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    async fn close(&mut self) -> io::Result<()> {
        self.open = false;
        Ok(())
    }
    async fn abandon(&mut self) {
        self.open = false;
    }
    fn is_open(&self) -> bool {
        self.open
    }
    fn is_deleted(&self) -> bool {
        false
    }
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn held_lines(&self) -> u64 {
        0
    }
    fn written(&self) -> u64 {
        self.bytes.len() as u64
    }
    async fn pause(&mut self, how_long: Duration) {
        std::thread::sleep(how_long);
    }
    async fn step_aside(&mut self) {}
}

#[test]
fn a_failing_disk_costs_lines_that_are_counted_and_is_used_again() {
    // Kind of failure, segments opened by the end: a full disk takes the same file again.
    for (kind, opened) in [(io::ErrorKind::StorageFull, 1), (io::ErrorKind::Other, 2)] {
        let dir = tempfile::tempdir().expect("dir");
        let options = options(dir.path());
        let (counters, stop) = (Arc::new(counters::Counters::default()), Arc::new(AtomicBool::new(false)));
        let (mut feeds, inbox) = feed::feeds(&options, 1, &counters);
        let mut recorder = Recorder::new(Orders {
            source: Source::Access(inbox),
            segments: Segments::new(dir.path().to_owned(), Kind::Access, 1, 1 << 30),
            segment_bytes: 1 << 30,
            buffer_bytes: options.buffer_bytes,
            counters: counters.clone(),
            stop: stop.clone(),
            ready: mpsc::channel().0,
        });
        let submitted = std::thread::spawn(move || {
            let (mut sent, mut said) = (0, 0);
            // Until the recorder has recovered and written again.
            while counters.stats().written_bytes < 40 {
                if feeds[0].submit(b"aa\nbb\n".to_vec()) {
                    sent += 2;
                }
                said += 2;
                std::thread::sleep(Duration::from_millis(2));
            }
            stop.store(true, Ordering::Release);
            (sent, said, counters)
        });
        let mut disk = RefusesForAWhile { refusals: 1, kind: Some(kind), ..Default::default() };
        let ended = match pin!(recorder.run(&mut disk)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended,
            Poll::Pending => panic!("never pends"),
        };
        ended.expect("nothing was lost after the stop");
        let (sent, said, counters) = submitted.join().expect("feeder");
        let stats = counters.stats();
        let written = disk.bytes.len() as u64 / 3;
        assert!(stats.dropped_lines > 0 && sent <= said);
        assert_eq!(written + stats.dropped_lines, said, "every line is either on disk or counted");
        assert_eq!(disk.opened, opened, "{kind:?}");
    }
}
