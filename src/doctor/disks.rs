//! The folders of logs: whether they can be written at all and past the page cache, have room, and share a disk with the
//! data. What is made to find out is removed again.

use super::{Check, Grade};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Alignment of a direct write, in bytes.
const BLOCK: usize = 4096;
/// Less room than that is soon gone.
const LITTLE_BYTES: u64 = 1 << 30;

#[repr(align(4096))]
struct Block([u8; BLOCK]);

/// The nearest folder that is there: the gateway makes the rest.
fn existing(dir: &Path) -> &Path {
    let there = dir.ancestors().find(|part| part.exists()).filter(|part| !part.as_os_str().is_empty());
    there.unwrap_or(Path::new("."))
}

/// A file of a name of its own that goes with this.
struct Probe(PathBuf, File);

impl Probe {
    fn make(folder: &Path, flags: i32) -> io::Result<Self> {
        let path = folder.join(format!(".tidegate-doctor-{}-{flags}", std::process::id()));
        let file = File::options().write(true).create_new(true).custom_flags(flags).open(&path);
        // A file system that has no direct I/O makes the file and then refuses it.
        file.map(|file| Self(path.clone(), file)).inspect_err(|_| drop(fs::remove_file(path)))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Room for this user below a folder, in bytes.
pub fn free_bytes(dir: &Path) -> Option<u64> {
    let path = std::ffi::CString::new(existing(dir).as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: the path is NUL-terminated and the struct is plain memory that the call fills.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut stat) == 0).then(|| stat.f_bavail * stat.f_frsize)
    }
}

/// A folder of logs.
pub fn check(what: &'static str, flag: &str, dir: &Path, data_dir: &Path) -> Check {
    let (folder, shown) = (existing(dir), dir.display());
    if let Err(error) = Probe::make(folder, 0) {
        let finding = format!("{shown} cannot be written ({error})");
        return Check::new(what, Grade::Bad, finding)
            .costs("the gateway does not start")
            .fix(format!("choose another folder with {flag}, or let the gateway's user write here"));
    }
    let direct =
        Probe::make(folder, libc::O_DIRECT).and_then(|probe| probe.1.write_all_at(&Block([0; BLOCK]).0, 0));
    if let Err(error) = direct {
        return Check::weak(what, format!("{shown} refuses direct I/O ({error})"))
            .costs("logs go through the page cache: they push out what else is in it, and a flush may stall writes")
            .fix(format!("{flag} on ext4, xfs or btrfs"));
    }
    let free = free_bytes(dir).unwrap_or(u64::MAX);
    if free < LITTLE_BYTES {
        return Check::weak(what, format!("{shown}: {} MiB free", free >> 20))
            .costs("when the disk is full lines are dropped, and counted")
            .fix(format!(
                "make room, or lower {}-segments or -segment-bytes",
                flag.trim_end_matches("-dir")
            ));
    }
    let device = |dir: &Path| fs::metadata(existing(dir)).map(|found| found.dev()).ok();
    if device(dir).is_some() && device(dir) == device(data_dir) {
        return Check::note(what, format!("{shown} is on the disk of the data, {} MiB free", free >> 20))
            .costs("logs that fill it stop changes of the configuration; each sync of a change waits behind log writes")
            .fix(format!("{flag} on a disk of its own, if there is a lot of traffic"));
    }
    Check::good(what, format!("{shown}: direct I/O, {} MiB free", free >> 20))
}
