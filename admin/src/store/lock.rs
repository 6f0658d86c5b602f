//! The lock on a data folder: one process at a time, told by an advisory lock on a file that names the owner. The lock
//! ends with the process, however it dies; the file stays and means nothing by itself.

use super::error::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the lock file in the data folder.
const FILE: &str = "tidegate.lock";

/// Held for as long as the store is open.
pub(crate) struct DirLock {
    /// Closing it gives the lock back.
    _file: File,
}

impl DirLock {
    /// Takes the lock of `dir` and writes this process's id into it. Errors: [`StoreError::InUse`] when somebody else
    /// has it, [`StoreError::Io`].
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let failed = |e| StoreError::io(&path, e);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The owner's id is only for the message: an unreadable file must not hide the refusal.
                let _ = file.read_to_string(&mut owner);
                return Err(StoreError::InUse { dir: dir.to_owned(), pid: owner.trim().parse().ok() });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        // A full disk must not keep a node from starting to serve what it has.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}
