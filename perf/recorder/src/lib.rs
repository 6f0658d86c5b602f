//! The recorder: takes filled buffers of access lines and intervals of the latency profile from the shards and writes
//! them to segment files, with direct I/O where the file system takes it. It owns its files and its thread; a shard only ever pushes into a bounded queue.
//!
//! It must never make a shard wait, never grow with the load, and never bring the gateway down: what does not fit or
//! cannot be written is dropped and counted.

mod counters;
mod direct;
mod disk;
mod feed;
mod handle;
mod hlog;
mod inbox;
mod intervals;
mod life;
mod merge;
mod plain;
mod recorder;
mod repair;
mod segment;

pub use counters::{RecorderStats, StreamStats};
pub use feed::Feed;
pub use handle::{RecorderGauge, RecorderHandle};
pub use intervals::ProfileFeed;

use recorder::{Orders, Recorder, Source};
use segment::{Kind, Segments};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, io, thread};

/// Where files of one kind go, and how many there may be.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Folder of the segment files; made if it is missing.
    pub dir: PathBuf,
    /// A segment is closed before it would grow past this many bytes. One buffer larger than that fills one segment.
    pub segment_bytes: u64,
    /// Segments are deleted, the oldest first, when all of them have more than so many times `segment_bytes`: many small
    /// ones of a process that was started often are no more than a few large ones. The newest always stays.
    pub keep_segments: usize,
}

/// The access log.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// Its files.
    pub files: FileOptions,
    /// Bytes a shard gathers before it submits, and the capacity of a new buffer.
    pub buffer_bytes: usize,
    /// Filled buffers that may wait per shard. At least one.
    pub queue_depth: usize,
}

/// The interval histograms.
#[derive(Clone, Debug)]
pub struct ProfileOptions {
    /// Their files.
    pub files: FileOptions,
    /// How long the intervals in the log are; shards hand over at least once a second.
    pub interval: Duration,
    /// Rows of one shard in one interval; what finds no room is with the others.
    pub most_rows: usize,
}

/// What the recorder writes, where, and within which bounds.
#[derive(Clone, Debug, Default)]
pub struct RecorderOptions {
    /// Access lines, where they are wanted.
    pub access: Option<AccessOptions>,
    /// Interval histograms, where they are wanted.
    pub profile: Option<ProfileOptions>,
}

/// A recorder that runs, and the shards' ends of it.
pub struct Started {
    /// One a shard; none without an access log.
    pub feeds: Vec<Feed>,
    /// One a shard; none without interval histograms.
    pub profiles: Vec<ProfileFeed>,
    /// The process's hold on it.
    pub handle: RecorderHandle,
}

/// Why the recorder did not start.
#[derive(Debug)]
pub enum RecorderError {
    /// No file can be created in the folder, with or without direct I/O.
    Directory {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for RecorderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { dir, why } => {
                write!(f, "cannot write records to {}: {why}", dir.display())
            }
            Self::Thread(why) => write!(f, "cannot start the recorder's thread: {why}"),
        }
    }
}

impl std::error::Error for RecorderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory { why, .. } | Self::Thread(why) => Some(why),
        }
    }
}

/// Half of what is gathered of interval logs before it is written, in bytes; a line rarely has more than a few thousand.
const HLOG_BUFFER_BYTES: usize = 32 << 10;

/// How the files are written at best; `Direct` falls back to `Plain` by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Direct,
    #[cfg_attr(not(test), expect(dead_code, reason = "outside tests only the fallback leads there"))]
    Plain,
}

/// Starts the recorder for so many shards. Returns when the first segment of each kind is open.
pub fn start(options: RecorderOptions, shards: usize) -> Result<Started, RecorderError> {
    start_on(Engine::Direct, options, shards)
}

fn start_on(engine: Engine, options: RecorderOptions, shards: usize) -> Result<Started, RecorderError> {
    let gauge = RecorderGauge::default();
    let stop = Arc::new(AtomicBool::new(false));
    let (mut feeds, mut profiles) = (Vec::new(), Vec::new());
    let (mut recorders, mut waits) = (Vec::new(), Vec::new());
    let mut add = |source, files: FileOptions, kind, counters: &Arc<counters::Counters>, buffer_bytes| {
        let (ready, opened) = mpsc::channel();
        waits.push((files.dir.clone(), opened));
        repair::repair(&files.dir, kind);
        recorders.push(Recorder::new(Orders {
            source,
            segments: Segments::new(files.dir, kind, files.keep_segments, files.segment_bytes),
            segment_bytes: files.segment_bytes,
            buffer_bytes,
            counters: counters.clone(),
            stop: stop.clone(),
            ready,
        }));
    };
    if let Some(access) = options.access {
        let (ends, inbox) = feed::feeds(&access, shards, &gauge.access);
        feeds = ends;
        add(Source::Access(inbox), access.files, Kind::Access, &gauge.access, access.buffer_bytes);
    }
    if let Some(profile) = options.profile {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let base_ms = now.as_millis() as u64;
        let (ends, intervals) = intervals::feeds(&profile, shards, base_ms, &gauge.profile);
        profiles = ends;
        let source = Source::Profile(Box::new(intervals));
        add(source, profile.files, Kind::Profile, &gauge.profile, HLOG_BUFFER_BYTES);
    }
    let thread = thread::Builder::new()
        .name("recorder".into())
        .spawn(move || life::live(engine, recorders))
        .map_err(RecorderError::Thread)?;
    for (dir, opened) in waits {
        // A thread that ends without a word has panicked; there is nothing on disk to be had then.
        let early = || Err(io::Error::other("the recorder's thread ended early"));
        if let Err(why) = opened.recv().unwrap_or_else(|_| early()) {
            stop.store(true, Ordering::Release);
            let _ = thread.join();
            return Err(RecorderError::Directory { dir, why });
        }
    }
    Ok(Started { feeds, profiles, handle: RecorderHandle::new(thread, gauge, stop) })
}

#[cfg(test)]
mod tests;
