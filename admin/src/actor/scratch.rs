//! A folder that lives as long as the process's admin plane: what "memory storage" is. It is on the disk because the
//! store is; nothing in it is ever read by another process.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Names tried before giving up.
const TRIES: u32 = 100;

/// The folder; it goes with this value.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a fresh folder that only this user can enter.
    pub(super) fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        let mut last = io::Error::other("no name was tried");
        for attempt in 0..TRIES {
            let path = base.join(format!("tidegate-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), error = %e, "the temporary data folder stays");
        }
    }
}
