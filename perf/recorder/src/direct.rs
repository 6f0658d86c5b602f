//! Segment files past the page cache, through glommio: lines are gathered and written in aligned blocks; the block at
//! the end is written padded at each sync and the file cut to its length. Must never hold more than its gathering
//! limit, and must run on a glommio executor.

use crate::counters::lines;
use crate::disk::{Disk, claim, has_no_name};
use glommio::io::{DmaFile, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// Alignment of every write, in bytes: no device in use asks for more, and pages are no smaller.
const BLOCK: usize = 4096;
/// Largest single write, in bytes; bounds the copy that direct I/O needs.
const LARGEST_WRITE: usize = 256 * 1024;

pub(crate) struct DirectDisk {
    file: Option<DmaFile>,
    /// Lines not in the file yet, or only in its last, padded block.
    gathered: Vec<u8>,
    /// How much of `gathered`, from its start, is in the file.
    tail: usize,
    /// How much of `gathered`, from its start, is the header of the open segment.
    header: usize,
    /// Where in the file `gathered` begins; a multiple of `BLOCK`.
    at: u64,
    /// The beginning of a line that ends in `gathered`, where whole blocks took it.
    torn: Vec<u8>,
    /// How much may be gathered before it is written, in bytes.
    limit: usize,
    written: u64,
    dirty: bool,
}

impl DirectDisk {
    /// A disk that gathers about two buffers before it writes.
    pub(crate) fn new(buffer_bytes: usize) -> Self {
        let limit = buffer_bytes.saturating_mul(2).max(2 * BLOCK);
        Self {
            file: None,
            gathered: Vec::new(),
            tail: 0,
            header: 0,
            at: 0,
            torn: Vec::new(),
            limit,
            written: 0,
            dirty: false,
        }
    }

    /// Tries a padded write on the open, empty segment, so that a file system which takes `O_DIRECT` at open and
    /// refuses it at write is found out before there are lines to lose.
    pub(crate) async fn probe(&mut self) -> io::Result<()> {
        self.write_at(&[0; BLOCK], 0, &mut 0).await?;
        self.file()?.truncate(0).await.map_err(io::Error::from)
    }

    /// Whether the open file really is past the page cache: glommio quietly does without on tmpfs.
    pub(crate) fn is_direct(&self) -> bool {
        let Some(file) = &self.file else { return false };
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and F_GETFL touches no memory of ours.
        let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
        flags >= 0 && flags & libc::O_DIRECT != 0
    }

    fn file(&self) -> io::Result<&DmaFile> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Writes bytes, padded with zeroes to whole blocks, at an aligned position. `done` is how many the disk took, also
    /// where it did not take all.
    async fn write_at(&self, bytes: &[u8], at: u64, done: &mut usize) -> io::Result<()> {
        let file = self.file()?;
        while *done < bytes.len() {
            let part = &bytes[*done..bytes.len().min(*done + LARGEST_WRITE)];
            let mut buffer = file.alloc_dma_buffer(part.len().next_multiple_of(BLOCK));
            buffer.as_bytes_mut()[..part.len()].copy_from_slice(part);
            buffer.as_bytes_mut()[part.len()..].fill(0);
            let wrote = file.write_at(buffer, at + *done as u64).await?;
            // A short write is a disk that fills up; go on from the last whole block it took.
            if wrote >= part.len() {
                *done += part.len();
            } else if wrote >= BLOCK {
                *done += wrote - wrote % BLOCK;
            } else {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    /// Writes the whole blocks of what was gathered.
    async fn flush(&mut self) -> io::Result<()> {
        let whole = self.gathered.len() - self.gathered.len() % BLOCK;
        if whole == 0 {
            return Ok(());
        }
        let mut done = 0;
        let written = self.write_at(&self.gathered[..whole], self.at, &mut done).await;
        if done > 0 {
            self.pass(done);
        }
        written
    }

    /// Whole blocks at the beginning of what was gathered are in the file.
    fn pass(&mut self, bytes: usize) {
        let blocks = &self.gathered[..bytes];
        match blocks.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => self.torn.splice(.., blocks[end + 1..].iter().copied()),
            None => self.torn.splice(self.torn.len().., blocks.iter().copied()),
        };
        self.gathered.drain(..bytes);
        self.at += bytes as u64;
        self.written += (bytes - self.tail) as u64;
        (self.tail, self.header) = (0, 0);
        self.dirty = true;
    }

    /// Lets what is in the file end with a whole line, and what is gathered begin with one: where the file's ends.
    fn part(&mut self) -> u64 {
        let end = self.at + self.tail as u64;
        let kept = match self.gathered[..self.tail].iter().rposition(|byte| *byte == b'\n') {
            Some(line_end) => {
                self.gathered.drain(..=line_end);
                self.at + line_end as u64 + 1
            }
            None => {
                // A header that is not in the file goes: the next file has its own.
                let kept = self.at - self.torn.len() as u64;
                self.gathered.splice(..self.header, self.torn.drain(..));
                kept
            }
        };
        self.written -= end - kept;
        kept
    }
}

impl Disk for DirectDisk {
    async fn open(&mut self, path: &Path, header: &[u8]) -> io::Result<()> {
        debug_assert!(header.len() < BLOCK, "a header leaves with the first block");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o640).dma_open(path).await?;
        claim(file.as_raw_fd());
        self.file = Some(file);
        self.gathered.splice(0..0, header.iter().copied());
        self.header = header.len();
        Ok(())
    }

    async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gathered.len() >= BLOCK && self.gathered.len() + bytes.len() > self.limit {
            self.flush().await?;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.file()?;
        self.flush().await?;
        if self.tail < self.gathered.len() {
            self.write_at(&self.gathered, self.at, &mut 0).await?;
            self.file()?.truncate(self.at + self.gathered.len() as u64).await?;
            self.written += (self.gathered.len() - self.tail) as u64;
            self.tail = self.gathered.len();
            self.dirty = true;
        }
        if self.dirty {
            self.file()?.fdatasync().await?;
            self.dirty = false;
        }
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        let synced = if self.length() == 0 { Ok(()) } else { self.sync().await };
        self.abandon().await;
        synced
    }

    async fn abandon(&mut self) {
        if let Some(file) = self.file.take() {
            // A failed write may have left padding, or half a line; what counts as written is what a reader may see.
            let kept = self.part();
            let _ = file.truncate(kept).await;
            let _ = file.close().await;
        }
        self.torn.clear();
        (self.tail, self.header) = (0, 0);
        self.at = 0;
    }

    fn is_open(&self) -> bool {
        self.file.is_some()
    }

    fn is_deleted(&self) -> bool {
        self.file.as_ref().is_some_and(|file| has_no_name(file.as_raw_fd()))
    }

    fn length(&self) -> u64 {
        self.at + self.gathered.len() as u64
    }

    fn held_lines(&self) -> u64 {
        lines(&self.gathered[self.tail.max(self.header)..])
    }

    fn written(&self) -> u64 {
        self.written
    }

    async fn pause(&mut self, how_long: Duration) {
        glommio::timer::sleep(how_long).await;
    }

    async fn step_aside(&mut self) {
        glommio::executor().yield_now().await;
    }
}
