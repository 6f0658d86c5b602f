//! What the recorder counts, readable from every thread. Written by the recorder once per write and by a feed only when
//! it drops; must never be touched per request.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};

/// Of one kind of file.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    written_bytes: AtomicU64,
    segments: AtomicU64,
    dropped_buffers: AtomicU64,
    dropped_lines: AtomicU64,
    direct: AtomicBool,
    failed: AtomicBool,
    /// The system's number of the last failure; 0 is one without.
    failure: AtomicI32,
}

/// What the recorder did with one kind of file since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Bytes in segment files. Lines still being gathered for the next write are not in it.
    pub written_bytes: u64,
    /// Segment files begun.
    pub segments: u64,
    /// Buffers of access lines, or intervals of a profile, dropped because a queue was full or the disk refused them.
    pub dropped_buffers: u64,
    /// Lines in those.
    pub dropped_lines: u64,
    /// Whether files are written past the page cache (`O_DIRECT`).
    pub direct: bool,
    /// Why the disk takes nothing, while it does not: the system's error number, or 0 if it gave none.
    pub failing: Option<i32>,
}

/// What the recorder did since it started; zeroes for what it was not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderStats {
    /// The access log.
    pub access: StreamStats,
    /// The interval histograms.
    pub profile: StreamStats,
}

impl Counters {
    pub(crate) fn set_written(&self, bytes: u64) {
        self.written_bytes.store(bytes, Relaxed);
    }

    pub(crate) fn segment_begun(&self) {
        self.segments.fetch_add(1, Relaxed);
    }

    pub(crate) fn set_direct(&self, direct: bool) {
        self.direct.store(direct, Relaxed);
    }

    pub(crate) fn dropped(&self, buffers: u64, lines: u64) {
        self.dropped_buffers.fetch_add(buffers, Relaxed);
        self.dropped_lines.fetch_add(lines, Relaxed);
    }

    /// The disk failed, or works again.
    pub(crate) fn set_failing(&self, why: Option<&io::Error>) {
        if let Some(why) = why {
            self.failure.store(number(why), Relaxed);
        }
        self.failed.store(why.is_some(), Relaxed);
    }

    pub(crate) fn stats(&self) -> StreamStats {
        StreamStats {
            written_bytes: self.written_bytes.load(Relaxed),
            segments: self.segments.load(Relaxed),
            dropped_buffers: self.dropped_buffers.load(Relaxed),
            dropped_lines: self.dropped_lines.load(Relaxed),
            direct: self.direct.load(Relaxed),
            failing: self.failed.load(Relaxed).then(|| self.failure.load(Relaxed)),
        }
    }
}

/// The system's number of an error. What writes past the page cache gives only the kind of some.
fn number(why: &io::Error) -> i32 {
    why.raw_os_error().unwrap_or(match why.kind() {
        io::ErrorKind::StorageFull => libc::ENOSPC,
        io::ErrorKind::QuotaExceeded => libc::EDQUOT,
        io::ErrorKind::FileTooLarge => libc::EFBIG,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        _ => 0,
    })
}

/// Lines in a buffer: counted only for what is dropped, so that a kept line costs nothing.
pub(crate) fn lines(buffer: &[u8]) -> u64 {
    buffer.iter().filter(|byte| **byte == b'\n').count() as u64
}
