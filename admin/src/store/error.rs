//! What can go wrong with the store, said so that an operator knows what to do. It never carries a stored value: an
//! error ends in logs and answers.

use std::io;
use std::path::PathBuf;

/// A failed operation on the store.
#[derive(Debug)]
pub enum StoreError {
    /// A file or folder could not be used.
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process (or this one, a second time) has the folder open.
    InUse {
        /// The data folder.
        dir: PathBuf,
        /// Process id of the owner, when its lock file tells.
        pid: Option<u32>,
    },
    /// The folder holds something that is not a Tidegate store, or a store that is damaged.
    Foreign {
        /// The data folder.
        dir: PathBuf,
        /// What was found.
        why: String,
    },
    /// A newer Tidegate wrote this folder.
    NewerFormat {
        /// Version found.
        found: u32,
        /// Newest version that this build reads.
        known: u32,
    },
    /// A stored record cannot be read: the data is damaged or was written by a newer build.
    Corrupt {
        /// Which record, without its contents.
        what: String,
    },
    /// There is no room: on the disk, or in the map's fixed size.
    Full {
        /// What is short, in words with numbers.
        why: String,
    },
    /// The disk failed in the middle of a commit's last step. The data is whole, but this process cannot go on with it.
    Halted,
    /// The database engine failed.
    Lmdb(heed::Error),
}

impl StoreError {
    /// A record that cannot be read.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// A file that cannot be used.
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot use {}: {source}", path.display()),
            Self::InUse { dir, pid: Some(pid) } => {
                write!(f, "another tidegate (pid {pid}) uses {}", dir.display())
            }
            Self::InUse { dir, pid: None } => write!(f, "another tidegate uses {}", dir.display()),
            Self::Foreign { dir, why } => write!(f, "{} is not a usable data folder: {why}", dir.display()),
            Self::NewerFormat { found, known } => write!(
                f,
                "the data folder has format {found}, this build reads up to {known}: start the newer tidegate \
                 that wrote it"
            ),
            Self::Corrupt { what } => write!(f, "the data is damaged: {what} cannot be read"),
            Self::Full { why } => write!(f, "no room for the write: {why}"),
            Self::Halted => {
                write!(f, "the disk failed during a commit; restart this process when the disk works")
            }
            Self::Lmdb(e) => write!(f, "the database failed: {e}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Lmdb(e) => Some(e),
            _ => None,
        }
    }
}

impl From<heed::Error> for StoreError {
    fn from(e: heed::Error) -> Self {
        match e {
            heed::Error::Mdb(heed::MdbError::MapFull) => {
                Self::Full { why: "the database reached its map size".into() }
            }
            heed::Error::Mdb(heed::MdbError::Panic) => Self::Halted,
            heed::Error::Io(io) if io.kind() == io::ErrorKind::StorageFull => {
                Self::Full { why: format!("the disk is full ({io})") }
            }
            e => Self::Lmdb(e),
        }
    }
}
