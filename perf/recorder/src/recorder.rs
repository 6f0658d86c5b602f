//! The actor of one kind of file: a loop that takes lines, writes them, rotates, syncs once a second and recovers from a
//! disk that fails, over whichever disk could be had. Must never stop for a failing disk, and never hold a line back for
//! one.

use crate::counters::{Counters, lines};
use crate::disk::Disk;
use crate::inbox::{Inbox, Pace};
use crate::intervals::Intervals;
use crate::segment::Segments;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How often what was written is made durable, and its length visible.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How long a failed disk is left alone; what comes meanwhile is dropped.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Buffers taken between two looks at the clock.
const TURN: usize = 64;

/// Where lines come from.
pub(crate) enum Source {
    /// Buffers of access lines.
    Access(Inbox),
    /// Intervals of the profile, a line at a time: each is compressed here, which takes a while.
    Profile(Box<Intervals>),
}

impl Source {
    fn take(&mut self, stopping: bool) -> Option<(usize, Vec<u8>)> {
        match self {
            Self::Access(inbox) => inbox.take(),
            Self::Profile(intervals) => intervals.take(stopping).map(|line| (0, line)),
        }
    }

    fn give_back(&mut self, from: usize, buffer: Vec<u8>) {
        match self {
            Self::Access(inbox) => inbox.give_back(from, buffer),
            Self::Profile(intervals) => intervals.give_back(buffer),
        }
    }

    /// What every file begins with.
    fn header(&self) -> Vec<u8> {
        match self {
            Self::Access(_) => Vec::new(),
            Self::Profile(intervals) => intervals.header(),
        }
    }

    /// What a buffer that was not written counts for: lines may be all there is of an interval, or some of it.
    fn buffers(&self) -> u64 {
        match self {
            Self::Access(_) => 1,
            Self::Profile(_) => 0,
        }
    }
}

/// What a recorder is born with.
pub(crate) struct Orders {
    pub(crate) source: Source,
    pub(crate) segments: Segments,
    pub(crate) segment_bytes: u64,
    pub(crate) buffer_bytes: usize,
    pub(crate) counters: Arc<Counters>,
    pub(crate) stop: Arc<AtomicBool>,
    /// Told once, when the first segment is open or cannot be.
    pub(crate) ready: Sender<io::Result<()>>,
}

pub(crate) struct Recorder {
    source: Source,
    header: Vec<u8>,
    segments: Segments,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
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

impl Recorder {
    pub(crate) fn new(orders: Orders) -> Self {
        Self {
            header: orders.source.header(),
            source: orders.source,
            segments: orders.segments,
            counters: orders.counters,
            stop: orders.stop,
            ready: Some(orders.ready),
            segment_bytes: orders.segment_bytes,
            buffer_bytes: orders.buffer_bytes,
            current: PathBuf::new(),
            synced: Instant::now(),
            unsynced: (0, 0),
            retry_at: None,
            lost: None,
        }
    }

    /// Bytes that a shard gathers, and so about the size of what is appended.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Bytes in files so far.
    pub(crate) fn written(&self) -> u64 {
        self.counters.stats().written_bytes
    }

    /// What was accepted since the last sync is lost.
    pub(crate) fn count_unsynced(&mut self) {
        let (buffers, lines) = std::mem::take(&mut self.unsynced);
        self.counters.dropped(buffers, lines);
    }

    /// The first segment is open: whoever started this is told.
    pub(crate) fn begun(&mut self, direct: bool) {
        self.counters.set_direct(direct);
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(()));
        }
    }

    /// The first segment cannot be opened. `true`: whoever started this is told, and that was all; otherwise there are
    /// lines to come, and the disk is tried again.
    pub(crate) async fn refused<D: Disk>(&mut self, disk: &mut D, why: io::Error) -> bool {
        match self.ready.take() {
            Some(ready) => {
                let _ = ready.send(Err(why));
                true
            }
            None => {
                self.failed(disk, &why).await;
                false
            }
        }
    }

    /// Lets go of an open segment that turned out to be of no use.
    pub(crate) async fn give_up<D: Disk>(&mut self, disk: &mut D) {
        disk.abandon().await;
        let _ = std::fs::remove_file(&self.current);
    }

    pub(crate) async fn run<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        let mut pace = Pace::default();
        loop {
            // Read before the queues are looked at: what was submitted before the stop is found.
            let stopping = self.stop.load(Ordering::Acquire);
            let taken = self.turn(disk, stopping).await;
            if self.unsynced.1 > 0 && self.synced.elapsed() >= SYNC_EVERY {
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
            let Some((from, buffer)) = self.source.take(stopping) else { break };
            taken += 1;
            let buffers = self.source.buffers();
            match self.write(disk, &buffer, stopping).await {
                Ok(()) => {
                    self.unsynced.0 += buffers;
                    self.unsynced.1 += lines(&buffer);
                }
                Err(why) => {
                    self.counters.dropped(buffers, lines(&buffer));
                    if stopping {
                        self.lost.get_or_insert(why);
                    }
                }
            }
            self.source.give_back(from, buffer);
            if buffers == 0 {
                // Compressing is work; who else lives on this thread has waited for it.
                disk.step_aside().await;
            }
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
            Ok(()) => {
                if self.retry_at.take().is_some() {
                    self.counters.set_failing(None);
                }
            }
            Err(ref why) => self.failed(disk, why).await,
        }
        written
    }

    async fn append<D: Disk>(&mut self, disk: &mut D, buffer: &[u8]) -> io::Result<()> {
        let length = disk.length();
        let full = length > self.header.len() as u64 && length + buffer.len() as u64 > self.segment_bytes;
        if disk.is_open() && full {
            disk.close().await?;
        }
        if !disk.is_open() {
            self.open(disk).await?;
        }
        disk.append(buffer).await
    }

    /// Opens the next segment and deletes those that are too old.
    pub(crate) async fn open<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        loop {
            let path = self.segments.next_path()?;
            match disk.open(&path, &self.header).await {
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
                if disk.is_deleted() {
                    // What was written since the last look is where nobody finds it.
                    self.count_unsynced();
                }
                self.unsynced = (0, 0);
                self.counters.set_written(disk.written());
                // Somebody deleted or moved the file: what follows belongs into one that can be found.
                if disk.is_open() && !self.current.exists() {
                    disk.abandon().await;
                }
            }
            Err(why) => self.failed(disk, &why).await,
        }
    }

    /// Leaves the disk alone for a while. A full disk will take the same file again; any other failure is the file's.
    async fn failed<D: Disk>(&mut self, disk: &mut D, why: &io::Error) {
        self.retry_at = Some(Instant::now() + RETRY_AFTER);
        self.counters.set_failing(Some(why));
        if !matches!(why.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            disk.abandon().await;
        }
    }

    async fn end<D: Disk>(&mut self, disk: &mut D) -> io::Result<()> {
        let empty = disk.is_open() && disk.length() <= self.header.len() as u64;
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
            self.counters.dropped(u64::from(lines > 0) * self.source.buffers(), lines);
        }
        closed.and(self.lost.take().map_or(Ok(()), Err))
    }
}
