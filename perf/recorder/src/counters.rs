//! What the recorder counts, readable from every thread. Written by the recorder once per write and by a feed only when
//! it drops; must never be touched per request.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub(crate) struct Counters {
    written_bytes: AtomicU64,
    segments: AtomicU64,
    dropped_buffers: AtomicU64,
    dropped_lines: AtomicU64,
    direct: AtomicBool,
}

/// What the recorder did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderStats {
    /// Bytes of access lines in segment files. Lines still being gathered for the next write are not in it.
    pub written_bytes: u64,
    /// Segment files begun.
    pub segments: u64,
    /// Buffers dropped because a queue was full or the disk refused them.
    pub dropped_buffers: u64,
    /// Lines in those buffers.
    pub dropped_lines: u64,
    /// Whether files are written past the page cache (`O_DIRECT`).
    pub direct: bool,
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

    pub(crate) fn stats(&self) -> RecorderStats {
        RecorderStats {
            written_bytes: self.written_bytes.load(Relaxed),
            segments: self.segments.load(Relaxed),
            dropped_buffers: self.dropped_buffers.load(Relaxed),
            dropped_lines: self.dropped_lines.load(Relaxed),
            direct: self.direct.load(Relaxed),
        }
    }
}

/// Lines in a buffer: counted only for what is dropped, so that a kept line costs nothing.
pub(crate) fn lines(buffer: &[u8]) -> u64 {
    buffer.iter().filter(|byte| **byte == b'\n').count() as u64
}
