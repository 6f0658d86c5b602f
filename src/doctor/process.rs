//! What this process gets: open files, locked memory, its ports and its data folder.

use super::{Check, Doctor, Grade};
use crate::machine::Machine;
use crate::{ground, listen};
use std::fs;
use std::path::Path;

pub fn checks(doctor: &Doctor, machine: &Machine) -> Vec<Check> {
    let shards = u64::from(machine.shards());
    vec![
        io_uring(doctor, machine),
        open_files(shards),
        locked_memory(),
        Check::of("proxy_port", port(&doctor.proxy_listen, "--proxy-listen")),
        Check::of("admin_port", port(&doctor.admin_listen, "--admin-listen")),
        Check::of("data_folder", writable(&doctor.data_dir)),
        disk_space(&doctor.data_dir),
        clock(),
    ]
}

fn io_uring(doctor: &Doctor, machine: &Machine) -> Check {
    let what = "io_uring";
    match ground::driver(doctor.metal.runtime, machine.places[0].ring) {
        Ok((tidegate_shards::Driver::IoUring, _)) => {
            Check::good(what, format!("available, {}", machine.places[0].ring.mode.name()))
        }
        Ok((_, why)) => Check::weak(what, format!("{why}: the shards will run on epoll")),
        Err(why) => Check::new(what, Grade::Bad, why),
    }
}

fn port(text: &str, what: &str) -> Result<String, String> {
    let address = listen::address(text, what)?;
    listen::one(address, what).map(|_| format!("{address} is free"))
}

fn open_files(shards: u64) -> Check {
    let files = ground::raise_open_files();
    match ground::connections_per_shard(files, shards, None) {
        Ok(connections) => {
            let finding =
                format!("{files}, enough for {connections} client connections on each of {shards} shards");
            Check::new("open_files", if connections < 1_024 { Grade::Weak } else { Grade::Good }, finding)
        }
        Err(why) => Check::new("open_files", Grade::Bad, why),
    }
}

fn locked_memory() -> Check {
    let (soft, _) = ground::resource_limit(libc::RLIMIT_MEMLOCK);
    let shown = if soft == libc::RLIM_INFINITY { "unlimited".into() } else { format!("{} KiB", soft >> 10) };
    if soft < 512 << 10 {
        Check::weak("locked_memory", shown)
            .costs("access logs need 512 KiB: they are written through the page cache instead")
            .fix("ulimit -l 8192, or LimitMEMLOCK=8M in the systemd unit")
    } else {
        Check::new("locked_memory", Grade::Good, shown)
    }
}

fn writable(dir: &Path) -> Result<String, String> {
    let existing = dir.ancestors().find(|part| part.exists()).filter(|part| !part.as_os_str().is_empty());
    let place = existing.unwrap_or(Path::new("."));
    let probe = place.join(format!(".tidegate-doctor-{}", std::process::id()));
    let shown = dir.display();
    fs::write(&probe, b"x")
        .and_then(|()| fs::remove_file(&probe))
        .map(|()| format!("{shown} can be written"))
        .map_err(|error| format!("{shown} cannot be written ({error}): choose another with --data-dir"))
}

fn disk_space(dir: &Path) -> Check {
    match super::disks::free_bytes(dir) {
        Some(free) if free < 256 << 20 => Check::weak("disk_space", format!("{} MiB free", free >> 20))
            .costs("changes of the configuration are refused when the disk is full")
            .fix("make room, or choose another disk with --data-dir"),
        Some(free) => Check::good("disk_space", format!("{} MiB free", free >> 20)),
        None => Check::weak("disk_space", "cannot be read")
            .costs("nobody knows how long changes can be written")
            .fix("choose another folder with --data-dir"),
    }
}

fn clock() -> Check {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    // Before this program was written: certificates and document times would be wrong.
    if now < 1_780_000_000 {
        Check::weak("clock", format!("{now} seconds since 1970: years behind"))
            .costs("certificates are not valid yet, and documents and logs get wrong times")
            .fix("timedatectl set-ntp true, or date -s")
    } else {
        Check::good("clock", "plausible")
    }
}
