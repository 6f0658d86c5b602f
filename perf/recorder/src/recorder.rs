//! The actor: one loop that takes buffers, writes them, rotates, syncs once a second and recovers from a disk that
//! fails, over whichever disk could be had. Must never stop for a failing disk, and never hold a buffer back for one.

use crate::counters::{Counters, lines};
use crate::direct::DirectDisk;
use crate::disk::Disk;
use crate::inbox::{Inbox, Pace};
use crate::plain::PlainDisk;
use crate::segment::Segments;
use crate::{Engine, RecorderOptions};
use glommio::{LocalExecutorBuilder, Placement};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How often what was written is made durable, and its length visible.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a failed disk is left alone; what comes meanwhile is dropped.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Buffers taken between two looks at the clock.
const TURN: usize = 64;

pub(crate) struct Recorder {
    inbox: Inbox,
    segments: Segments,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    /// Told once, when the first segment is open or cannot be.
    ready: Option<Sender<io::Result<()>>>,
    segment_bytes: u64,
    buffer_bytes: usize,
    current: PathBuf,
    synced: Instant,
    /// Buffers and lines accepted since the last sync: the most that a crash of the runtime costs.
    unsynced: (u64, u64),
    /// The disk failed; it is tried again then.
    retry_at: Option<Instant>,
    /// The first failure since the stop was asked for.
    lost: Option<io::Error>,
}

/// Whether this process may make a ring at all. glommio does not ask: where seccomp or an old kernel refuses, it panics
/// with a guess about the kernel's age, on everybody's error stream.
fn has_io_uring() -> bool {
    // SAFETY: a zeroed io_uring_params (120 bytes, plain integers) is valid, and the kernel writes within it.
    unsafe {
        let mut params = [0u64; 15];
        let ring = libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr());
        if ring >= 0 {
            libc::close(ring as i32);
        }
        ring >= 0
    }
}

impl Recorder {
    pub(crate) fn new(
        options: &RecorderOptions,
        inbox: Inbox,
        segments: Segments,
        counters: Arc<Counters>,
        stop: Arc<AtomicBool>,
        ready: Sender<io::Result<()>>,
    ) -> Self {
        Self {
            inbox,
            segments,
            counters,
            stop,
            ready: Some(ready),
            segment_bytes: options.segment_bytes,
            buffer_bytes: options.buffer_bytes,
            current: PathBuf::new(),
            synced: Instant::now(),
            unsynced: (0, 0),
            retry_at: None,
            lost: None,
        }
    }

    /// The thread's whole life.
    pub(crate) fn live(mut self, engine: Engine) -> io::Result<()> {
        if engine == Engine::Direct {
            // glommio panics where a container hides /sys, for one; lines in a file matter more than how they got there.
            match catch_unwind(AssertUnwindSafe(|| self.live_direct())) {
                Ok(Some(ended)) => return ended,
                Ok(None) => {}
                Err(_) => {
                    let (buffers, lines) = std::mem::take(&mut self.unsynced);
                    self.counters.dropped(buffers, lines);
                }
            }
        }
        self.live_plain()
    }

    /// `None`: no io_uring, or no direct I/O in this folder; nothing was taken yet.
    fn live_direct(&mut self) -> Option<io::Result<()>> {
        if !has_io_uring() {
            return None;
        }
        // The default ring and buffers would not fit into the usual 8 MiB of lockable memory.
        let executor =
            LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).ring_depth(128).make().ok()?;
        executor.run(async {
            let mut disk = DirectDisk::new(self.buffer_bytes);
            self.open(&mut disk).await.ok()?;
            if disk.probe().await.is_err() {
                disk.abandon().await;
                let _ = std::fs::remove_file(&self.current);
                return None;
            }
            self.counters.set_direct(disk.is_direct());
            self.begun();
            Some(self.run(&mut disk).await)
        })
    }

    fn live_plain(&mut self) -> io::Result<()> {
        self.counters.set_direct(false);
        let mut disk = PlainDisk::after(self.counters.stats().written_bytes);
        let life = pin!(async {
            match self.open(&mut disk).await {
                Ok(()) => self.begun(),
                Err(why) => match self.ready.take() {
                    Some(ready) => {
                        // Whoever started this is told; nothing was submitted yet.
                        let _ = ready.send(Err(why));
                        return Ok(());
                    }
                    None => self.failed(&mut disk, why).await,
                },
            }
            self.run(&mut disk).await
        });
        match life.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => ended,
            Poll::Pending => unreachable!("a plain disk is always ready"),
        }
    }

    fn begun(&mut self) {
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(()));
        }
    }

    pub(crate) async fn run<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        let mut pace = Pace::default();
        loop {
            // Read before the queues are looked at: what was submitted before the stop is found.
            let stopping = self.stop.load(Ordering::Acquire);
            let taken = self.turn(disk, stopping).await;
            if self.unsynced.0 > 0 && self.synced.elapsed() >= SYNC_EVERY {
                self.sync(disk).await;
            }
            if taken > 0 {
                pace.worked();
            } else if stopping {
                return self.end(disk).await;
            } else {
                disk.pause(pace.rest()).await;
            }
        }
    }

    /// Writes some of what waits; returns how many buffers that was.
    async fn turn<D: Disk>(&mut self, disk: &mut D, stopping: bool) -> usize {
        let mut taken = 0;
        while taken < TURN {
            let Some((line, buffer)) = self.inbox.take() else { break };
            taken += 1;
            match self.write(disk, &buffer, stopping).await {
                Ok(()) => {
                    self.unsynced.0 += 1;
                    self.unsynced.1 += lines(&buffer);
                }
                Err(why) => {
                    self.counters.dropped(1, lines(&buffer));
                    if stopping {
                        self.lost.get_or_insert(why);
                    }
                }
            }
            self.inbox.give_back(line, buffer);
        }
        if taken > 0 {
            self.counters.set_written(disk.written());
        }
        taken
    }

    async fn write<D: Disk>(&mut self, disk: &mut D, buffer: &[u8], stopping: bool) -> io::Result<()> {
        if let Some(at) = self.retry_at
            && !stopping
            && Instant::now() < at
        {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let written = self.append(disk, buffer).await;
        match written {
            Ok(()) => self.retry_at = None,
            Err(ref why) => self.failed(disk, io::Error::from(why.kind())).await,
        }
        written
    }

    async fn append<D: Disk>(&mut self, disk: &mut D, buffer: &[u8]) -> io::Result<()> {
        let full = disk.length() > 0 && disk.length() + buffer.len() as u64 > self.segment_bytes;
        if disk.is_open() && full {
            disk.close().await?;
        }
        if !disk.is_open() {
            self.open(disk).await?;
        }
        disk.append(buffer).await
    }

    /// Opens the next segment and deletes those that are too old.
    async fn open<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        loop {
            let path = self.segments.next_path()?;
            match disk.open(&path).await {
                Ok(()) => self.current = path,
                // Of a recorder that ran in this very second.
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(why) => {
                    // O_DIRECT is refused after the file was made. An existing file is never this one.
                    if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
                        let _ = std::fs::remove_file(&path);
                    }
                    return Err(why);
                }
            }
            self.counters.segment_begun();
            self.segments.retire(&self.current);
            self.synced = Instant::now();
            return Ok(());
        }
    }

    async fn sync<D: Disk>(&mut self, disk: &mut D) {
        self.synced = Instant::now();
        match disk.sync().await {
            Ok(()) => {
                self.unsynced = (0, 0);
                self.counters.set_written(disk.written());
                // Somebody deleted or moved the file: what follows belongs into one that can be found.
                if disk.is_open() && !self.current.exists() {
                    disk.abandon().await;
                }
            }
            Err(why) => self.failed(disk, why).await,
        }
    }

    /// Leaves the disk alone for a while. A full disk will take the same file again; any other failure is the file's.
    async fn failed<D: Disk>(&mut self, disk: &mut D, why: io::Error) {
        self.retry_at = Some(Instant::now() + RETRY_AFTER);
        if !matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            disk.abandon().await;
        }
    }

    async fn end<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        let empty = disk.is_open() && disk.length() == 0;
        if !disk.is_open() && disk.length() > 0 {
            // Lines that a failed segment did not take; if no other can be had, closing says so.
            let _ = self.open(disk).await;
        }
        let closed = disk.close().await;
        self.counters.set_written(disk.written());
        if closed.is_ok() {
            self.unsynced = (0, 0);
            if empty {
                let _ = std::fs::remove_file(&self.current);
            }
        } else {
            // What was gathered counts as one buffer: where one ended and the next began is not known any more.
            let lines = disk.held_lines();
            self.counters.dropped(u64::from(lines > 0), lines);
        }
        closed.and(self.lost.take().map_or(Ok(()), Err))
    }
}
