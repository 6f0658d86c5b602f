//! What the recorder asks of a disk, whichever way it is written. A failed call must leave the disk usable: lines it
//! accepted are kept for the next try, lines it refused are the caller's.

use std::io;
use std::path::Path;
use std::time::Duration;

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
