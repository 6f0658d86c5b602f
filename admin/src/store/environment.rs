//! Opening the data folder: one process, one LMDB environment, one format. It refuses what it does not know instead of
//! writing into it, and never opens with the flags that give up durability.

use super::error::StoreError;
use super::lock::DirLock;
use super::tables::{Tables, WriteTxn};
use heed::types::{Bytes, Str};
use heed::{CommitOrAbort, Env, EnvOpenOptions, RoTxn, WithTls};
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The version of everything stored here.
const FORMAT: u32 = 1;
const FORMAT_KEY: &str = "format";

/// Sizes of the map to try, bytes: address space is free unless the process is limited in it.
const MAP_SIZES: [usize; 4] = [64 << 30, 16 << 30, 4 << 30, 1 << 30];
/// Threads that may read at a time.
const MAX_READERS: u32 = 1024;

/// The data file that LMDB makes.
const DATA_FILE: &str = "data.mdb";

/// An open data folder. Clones are cheap and are the same store; it closes with the last of them.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// Fields are dropped in order: the environment closes before the lock is given back.
pub(crate) struct Inner {
    pub(crate) env: Env<WithTls>,
    pub(super) tables: Tables,
    dir: PathBuf,
    /// Held while a Raft snapshot is made or installed.
    raft_snapshots: Mutex<()>,
    /// Makes writes fail, as a broken disk does.
    #[cfg(test)]
    pub(crate) broken: std::sync::atomic::AtomicBool,
    _lock: DirLock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the data folder `dir`, making it (mode 0700) when it is not there. Errors: [`StoreError::InUse`] when
    /// another process has it, [`StoreError::Foreign`] and [`StoreError::NewerFormat`] when it is not ours to write.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| StoreError::io(dir, e))?;
        Self::open_sized(dir, &MAP_SIZES)
    }

    /// Opens a data folder that must already be one. Errors: as [`Store::open`], and [`StoreError::Foreign`] when there
    /// is no store in it.
    pub fn open_existing(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join(DATA_FILE).is_file() {
            return Err(StoreError::Foreign {
                dir: dir.into(),
                why: format!("there is no {DATA_FILE} in it"),
            });
        }
        Self::open(dir)
    }

    /// [`Store::open`] with other map sizes.
    pub(crate) fn open_sized(dir: &Path, sizes: &[usize]) -> Result<Self, StoreError> {
        let lock = DirLock::take(dir)?;
        let env = open_env(dir, sizes)?;
        let fresh = check_format(dir, &env)?;
        let tables = Tables::create(&env, fresh.then(|| (FORMAT_KEY, FORMAT.to_string())))?;
        Ok(Self {
            inner: Arc::new(Inner {
                env,
                tables,
                dir: dir.to_owned(),
                raft_snapshots: Mutex::new(()),
                #[cfg(test)]
                broken: std::sync::atomic::AtomicBool::new(false),
                _lock: lock,
            }),
        })
    }

    /// The data folder.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// Bytes of the data file.
    pub fn size(&self) -> Result<u64, StoreError> {
        Ok(self.inner.env.real_disk_size()?)
    }

    /// Runs `work` in one write transaction and commits it: on the disk when this returns. Blocks for milliseconds, so
    /// never call it on an async thread.
    pub(crate) fn write_with<R>(
        &self,
        work: impl FnOnce(&Tables, &mut WriteTxn) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut txn = self.inner.env.write_txn()?;
        let done = work(&self.inner.tables, &mut txn)?;
        #[cfg(test)]
        if self.inner.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::io(self.dir(), std::io::Error::from_raw_os_error(libc::EIO)));
        }
        txn.commit()?;
        Ok(done)
    }

    /// Waits for the one who makes or installs a Raft snapshot, and keeps others out: two at once would mix their parts,
    /// or the older would replace the newer.
    pub(crate) fn alone_with_raft_snapshots(&self) -> MutexGuard<'_, ()> {
        self.inner.raft_snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a write transaction of which nothing remains.
    pub(crate) fn rehearse<R>(
        &self,
        work: impl FnOnce(&Tables, &mut WriteTxn) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let mut txn = self.inner.env.write_txn()?;
        let done = work(&self.inner.tables, &mut txn);
        txn.abort();
        done
    }

    /// Runs `work` in a read transaction of its own. The thread must have no [`super::View`] open: the storage of Raft
    /// reads on blocking threads, where none can be.
    pub(crate) fn read_with<R>(
        &self,
        work: impl FnOnce(&Tables, &RoTxn) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let txn = self.inner.env.read_txn()?;
        work(&self.inner.tables, &txn)
    }

    /// A transaction inside `parent`, so that a part of it can be undone.
    pub(crate) fn nested<'p>(&'p self, parent: &'p mut WriteTxn) -> Result<WriteTxn<'p>, StoreError> {
        Ok(self.inner.env.nested_write_txn(parent)?)
    }

    /// Checks that a write of about `need` bytes fits, with `reserve` bytes of the disk left. LMDB copies the pages it
    /// changes, so the estimate is generous. Errors: [`StoreError::Full`] with the numbers.
    pub(crate) fn check_room(&self, need: u64, reserve: u64) -> Result<(), StoreError> {
        const MIB: u64 = 1 << 20;
        let need = need.saturating_mul(4).saturating_add(MIB);
        let info = self.inner.env.info();
        let used = (info.last_page_number as u64 + 1) * page_size();
        let map_left = (info.map_size as u64).saturating_sub(used);
        if map_left < need {
            return Err(StoreError::Full {
                why: format!(
                    "the database has {} MiB left of its {} MiB",
                    map_left / MIB,
                    info.map_size as u64 / MIB
                ),
            });
        }
        let free = free_bytes(&self.inner.dir)?;
        if free < need.saturating_add(reserve) {
            return Err(StoreError::Full {
                why: format!(
                    "the disk of {} has {} MiB left and {} MiB are kept in reserve; free some space",
                    self.inner.dir.display(),
                    free / MIB,
                    reserve / MIB
                ),
            });
        }
        Ok(())
    }
}

/// Opens the environment with the largest map that the process may have.
fn open_env(dir: &Path, sizes: &[usize]) -> Result<Env<WithTls>, StoreError> {
    let mut options = EnvOpenOptions::new();
    options.max_readers(MAX_READERS).max_dbs(16);
    let mut refused = None;
    for size in sizes {
        options.map_size(*size);
        // SAFETY: the file is a memory map, which nobody else may change: the folder's lock keeps other processes out,
        // and heed refuses a second environment of the same path in this one. No flag weakens LMDB's own locking.
        match unsafe { options.open(dir) } {
            Ok(env) => return Ok(env),
            Err(heed::Error::Io(e)) if e.raw_os_error() == Some(libc::ENOMEM) => refused = Some(e),
            Err(heed::Error::Mdb(e @ (heed::MdbError::Invalid | heed::MdbError::VersionMismatch))) => {
                return Err(StoreError::Foreign { dir: dir.into(), why: format!("{DATA_FILE}: {e}") });
            }
            Err(heed::Error::Io(e)) => return Err(StoreError::io(dir.join(DATA_FILE), e)),
            Err(e) => return Err(e.into()),
        }
    }
    let e = refused.unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidInput));
    Err(StoreError::io(dir.join(DATA_FILE), e))
}

/// Whether the environment is new. Errors: it is somebody else's, truncated, or from a newer build.
fn check_format(dir: &Path, env: &Env<WithTls>) -> Result<bool, StoreError> {
    let foreign = |why: &str| StoreError::Foreign { dir: dir.into(), why: why.into() };
    // Reading past the end of the file would be a SIGBUS.
    let pages = env.info().last_page_number as u64 + 1;
    if env.real_disk_size()? < pages * page_size() {
        return Err(foreign("data.mdb is shorter than it says: it was truncated"));
    }
    if env.unnamed_database_stat().entries == 0 {
        return Ok(true);
    }
    let txn = env.read_txn()?;
    let meta = env
        .open_databases_and_commit(txn, |opener, txn| -> Result<_, heed::Error> {
            Ok(match opener.open_database::<Str, Bytes>(txn, Some(super::tables::META))? {
                Some(meta) => CommitOrAbort::Commit(meta),
                None => CommitOrAbort::Abort(()),
            })
        })
        .map(|opened| match opened {
            CommitOrAbort::Commit(meta) => Some(meta),
            CommitOrAbort::Abort(()) => None,
        })?
        .ok_or_else(|| foreign("data.mdb is another program's database"))?;
    let txn = env.read_txn()?;
    let Some(found) = meta.get(&txn, FORMAT_KEY)? else {
        return Err(foreign("data.mdb has no format version: it is another program's database"));
    };
    let found: u32 = std::str::from_utf8(found)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| foreign("its format version cannot be read"))?;
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found, known: FORMAT });
    }
    Ok(false)
}

/// Bytes that an unprivileged process may still write to the disk of `dir`.
fn free_bytes(dir: &Path) -> Result<u64, StoreError> {
    let path = std::ffi::CString::new(dir.as_os_str().as_bytes())
        .map_err(|_| StoreError::io(dir, std::io::ErrorKind::InvalidInput.into()))?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string and `stat` is room for the answer, which is read only when the call succeeded.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(StoreError::io(dir, std::io::Error::last_os_error()));
        }
        stat.assume_init()
    };
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The system's page size, which is LMDB's.
fn page_size() -> u64 {
    // SAFETY: asks for a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).expect("a system has a page size")
}
