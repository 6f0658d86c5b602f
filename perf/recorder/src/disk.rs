//! What the recorder asks of a disk, whichever way it is written. A failed call must leave the disk usable: lines it
//! accepted are kept for the next try, lines it refused are the caller's.

use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::time::Duration;

/// Says to other recorders, for as long as a file is open, that it is being written.
pub(crate) fn claim(file: RawFd) {
    // Where a file system has no locks, nobody can claim anything: repairs keep away then too.
    claim_is_free(file);
}

/// Whether nobody writes a file; for as long as it stays open nobody will.
pub(crate) fn claim_is_free(file: RawFd) -> bool {
    // SAFETY: no memory is touched.
    unsafe { libc::flock(file, libc::LOCK_EX | libc::LOCK_NB) == 0 }
}

/// Whether an open file has been deleted.
pub(crate) fn has_no_name(file: RawFd) -> bool {
    // SAFETY: a zeroed `stat` is plain numbers, which the call fills.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        libc::fstat(file, &mut stat) == 0 && stat.st_nlink == 0
    }
}

/// One open segment at a time, appended to.
pub(crate) trait Disk {
    /// Creates a new segment file that begins with `header`, before lines that another file did not take; a file that
    /// exists already is an error.
    async fn open(&mut self, path: &Path, header: &[u8]) -> io::Result<()>;

    /// Accepts all of `lines` or, on an error, none of them.
    async fn append(&mut self, lines: &[u8]) -> io::Result<()>;

    /// Everything accepted is on disk and the file is exactly as long.
    async fn sync(&mut self) -> io::Result<()>;

    /// Syncs and lets go of the file. On an error the file is let go as well, and what it did not take goes into the
    /// next one.
    async fn close(&mut self) -> io::Result<()>;

    /// Lets go of the file without syncing: it has failed. What it did not take goes into the next one.
    async fn abandon(&mut self);

    /// Whether a segment is open.
    fn is_open(&self) -> bool;

    /// Whether the open segment has no name any more: nobody will read it.
    fn is_deleted(&self) -> bool;

    /// Bytes accepted for the open segment, its header included.
    fn length(&self) -> u64;

    /// Lines accepted that no file has yet.
    fn held_lines(&self) -> u64;

    /// Bytes in segment files, of this disk's whole life.
    fn written(&self) -> u64;

    /// Sleeps.
    async fn pause(&mut self, how_long: Duration);

    /// Lets others of this thread go on.
    async fn step_aside(&mut self);
}
