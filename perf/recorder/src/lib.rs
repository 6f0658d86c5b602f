//! The recorder: takes filled buffers of access lines from the shards and writes them to segment files, with direct
//! I/O where the file system takes it. It owns its files and its thread; a shard only ever pushes into a bounded queue.
//!
//! It must never make a shard wait, never grow with the load, and never bring the gateway down: what does not fit or
//! cannot be written is dropped and counted.

mod counters;
mod direct;
mod disk;
mod feed;
mod handle;
mod inbox;
mod plain;
mod recorder;
mod segment;

pub use counters::RecorderStats;
pub use feed::Feed;
pub use handle::RecorderHandle;

use counters::Counters;
use recorder::Recorder;
use segment::Segments;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::{fmt, io, thread};

/// What the recorder writes, where, and within which bounds.
#[derive(Clone, Debug)]
pub struct RecorderOptions {
    /// Folder of the segment files; made if it is missing.
    pub dir: PathBuf,
    /// A segment is closed before it would grow past this many bytes. One buffer larger than that fills one segment.
    pub segment_bytes: u64,
    /// The newest so many segments are kept, the one being written included; older ones are deleted. At least one.
    pub keep_segments: usize,
    /// Bytes a shard gathers before it submits, and the capacity of a new buffer.
    pub buffer_bytes: usize,
    /// Filled buffers that may wait per shard. At least one.
    pub queue_depth: usize,
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
                write!(f, "cannot write access records to {}: {why}", dir.display())
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

/// How the files are written at best; `Direct` falls back to `Plain` by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Direct,
    #[cfg_attr(not(test), expect(dead_code, reason = "outside tests only the fallback leads there"))]
    Plain,
}

/// Starts the recorder's thread, with one feed per shard. Returns when its first segment is open.
pub fn start(options: RecorderOptions, shards: usize) -> Result<(Vec<Feed>, RecorderHandle), RecorderError> {
    start_on(Engine::Direct, options, shards)
}

fn start_on(
    engine: Engine,
    options: RecorderOptions,
    shards: usize,
) -> Result<(Vec<Feed>, RecorderHandle), RecorderError> {
    let counters = Arc::new(Counters::default());
    let stop = Arc::new(AtomicBool::new(false));
    let (feeds, inbox) = feed::feeds(&options, shards, &counters);
    let segments = Segments::new(options.dir.clone(), options.keep_segments);
    let (ready, opened) = mpsc::channel();
    let recorder = Recorder::new(&options, inbox, segments, counters.clone(), stop.clone(), ready);
    let thread = thread::Builder::new()
        .name("recorder".into())
        .spawn(move || recorder.live(engine))
        .map_err(RecorderError::Thread)?;
    // A thread that ends without a word has panicked; there is nothing on disk to be had then.
    let opened = opened.recv().unwrap_or_else(|_| Err(io::Error::other("the recorder's thread ended early")));
    match opened {
        Ok(()) => Ok((feeds, RecorderHandle::new(thread, counters, stop))),
        Err(why) => {
            let _ = thread.join();
            Err(RecorderError::Directory { dir: options.dir, why })
        }
    }
}

#[cfg(test)]
mod tests;
