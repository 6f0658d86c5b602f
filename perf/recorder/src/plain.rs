//! Segment files through the page cache, with nothing but the standard library: what is left where io_uring or direct
//! I/O is refused. Its futures are always ready; it must never be put on an executor that has other work.

use crate::disk::{Disk, claim, has_no_name};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

#[derive(Default)]
pub(crate) struct PlainDisk {
    file: Option<File>,
    length: u64,
    written: u64,
}

impl PlainDisk {
    /// A disk whose count goes on from another's.
    pub(crate) fn after(written: u64) -> Self {
        Self { written, ..Self::default() }
    }
}

impl Disk for PlainDisk {
    async fn open(&mut self, path: &Path, header: &[u8]) -> io::Result<()> {
        let file = File::options().write(true).create_new(true).mode(0o640).open(path)?;
        claim(file.as_raw_fd());
        file.write_all_at(header, 0)?;
        self.file = Some(file);
        self.length = header.len() as u64;
        self.written += self.length;
        Ok(())
    }

    async fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        if let Err(why) = file.write_all_at(lines, self.length) {
            // Part of it may stand there. Whoever asked counts all of it as lost.
            let _ = file.set_len(self.length);
            return Err(why);
        }
        self.length += lines.len() as u64;
        self.written += lines.len() as u64;
        Ok(())
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }

    async fn close(&mut self) -> io::Result<()> {
        self.length = 0;
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }

    async fn abandon(&mut self) {
        self.file = None;
        self.length = 0;
    }

    fn is_open(&self) -> bool {
        self.file.is_some()
    }

    fn is_deleted(&self) -> bool {
        self.file.as_ref().is_some_and(|file| has_no_name(file.as_raw_fd()))
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn held_lines(&self) -> u64 {
        0
    }

    fn written(&self) -> u64 {
        self.written
    }

    async fn pause(&mut self, how_long: Duration) {
        std::thread::sleep(how_long);
    }

    async fn step_aside(&mut self) {}
}
