//! `tidegate doctor`: what this host gives the gateway, checked before it is started. It changes nothing but a file it
//! makes and removes in the data folder.

use crate::args::Runtime;
use crate::{cores, ground, listen};
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tidegate_shards::RingOptions;

/// The command.
#[derive(Parser)]
pub struct Doctor {
    /// The data folder the gateway will use
    #[arg(long, value_name = "DIR", default_value = "tidegate-data")]
    data_dir: PathBuf,
    /// Where clients will connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    proxy_listen: String,
    /// Where the admin API will be served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9080")]
    admin_listen: String,
    /// Shards [default: one for each CPU]
    #[arg(long, value_name = "N")]
    shards: Option<u16>,
    /// Submission queue entries of each ring
    #[arg(long, value_name = "N", default_value_t = 1024)]
    ring_entries: u32,
    /// How the checks are printed: table or json
    #[arg(short, long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json"])]
    output: String,
}

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    /// It will run, with less.
    Weak,
    /// It will not start.
    Bad,
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Weak => "warn",
            Self::Bad => "fail",
        }
    }
}

struct Check {
    what: &'static str,
    grade: Grade,
    finding: String,
}

fn check(what: &'static str, grade: Grade, finding: impl Into<String>) -> Check {
    Check { what, grade, finding: finding.into() }
}

fn of_result(what: &'static str, result: Result<String, String>) -> Check {
    match result {
        Ok(finding) => check(what, Grade::Good, finding),
        Err(why) => check(what, Grade::Bad, why),
    }
}

impl Doctor {
    /// Prints the checks. Exit code 1 if the gateway would not start.
    pub fn run(&self) -> ExitCode {
        let checks = self.checks();
        if self.output == "json" {
            let list: Vec<_> = checks
                .iter()
                .map(|c| serde_json::json!({"check": c.what, "result": c.grade.name(), "finding": c.finding}))
                .collect();
            println!("{}", serde_json::Value::from(list));
        } else {
            for c in &checks {
                println!("{:<5} {:<15} {}", c.grade.name(), c.what, c.finding);
            }
        }
        if checks.iter().any(|c| c.grade == Grade::Bad) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn checks(&self) -> Vec<Check> {
        let cpus = cores::available();
        let shards = u64::from(self.shards.unwrap_or(cpus.len() as u16).max(1));
        vec![
            kernel(),
            check("cpus", Grade::Good, format!("{} ({shards} shards)", cores::show(&cpus))),
            self.io_uring(),
            open_files(shards),
            locked_memory(),
            of_result("proxy_port", self.port(&self.proxy_listen, "--proxy-listen")),
            of_result("admin_port", self.port(&self.admin_listen, "--admin-listen")),
            backlog(),
            of_result("data_folder", writable(&self.data_dir)),
            disk_space(&self.data_dir),
            clock(),
        ]
    }

    fn io_uring(&self) -> Check {
        match ground::driver(
            Runtime::Auto,
            RingOptions { entries: self.ring_entries, ..RingOptions::default() },
        ) {
            Ok((tidegate_shards::Driver::IoUring, _)) => check(
                "io_uring",
                Grade::Good,
                "available, with SINGLE_ISSUER, COOP_TASKRUN and DEFER_TASKRUN",
            ),
            Ok((_, why)) => check("io_uring", Grade::Weak, format!("{why}: the shards will run on epoll")),
            Err(why) => check("io_uring", Grade::Bad, why),
        }
    }

    fn port(&self, text: &str, what: &str) -> Result<String, String> {
        let address = listen::address(text, what)?;
        listen::one(address, what).map(|_| format!("{address} is free"))
    }
}

fn kernel() -> Check {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version >= (6, 1) {
        check("kernel", Grade::Good, format!("Linux {release}"))
    } else {
        check("kernel", Grade::Weak, format!("Linux {release}; the shards use io_uring from 6.1 on"))
    }
}

fn open_files(shards: u64) -> Check {
    let files = ground::raise_open_files();
    match ground::connections_per_shard(files, shards, None) {
        Ok(connections) => {
            let finding =
                format!("{files}, enough for {connections} client connections on each of {shards} shards");
            check("open_files", if connections < 1_024 { Grade::Weak } else { Grade::Good }, finding)
        }
        Err(why) => check("open_files", Grade::Bad, why),
    }
}

fn locked_memory() -> Check {
    let (soft, _) = ground::resource_limit(libc::RLIMIT_MEMLOCK);
    let shown = if soft == libc::RLIM_INFINITY { "unlimited".into() } else { format!("{} KiB", soft >> 10) };
    if soft < 512 << 10 {
        check(
            "locked_memory",
            Grade::Weak,
            format!("{shown}: access logs need 512 KiB (ulimit -l, LimitMEMLOCK=)"),
        )
    } else {
        check("locked_memory", Grade::Good, shown)
    }
}

fn backlog() -> Check {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    match text.trim().parse::<u32>() {
        Ok(n) if n < 1_024 => check(
            "backlog",
            Grade::Weak,
            format!("net.core.somaxconn is {n}: bursts of connections will be refused"),
        ),
        Ok(n) => check("backlog", Grade::Good, format!("net.core.somaxconn is {n}")),
        Err(_) => check("backlog", Grade::Weak, "net.core.somaxconn cannot be read"),
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
    let place = dir.ancestors().find(|part| part.exists()).filter(|part| !part.as_os_str().is_empty());
    let Ok(path) = std::ffi::CString::new(place.unwrap_or(Path::new(".")).as_os_str().as_encoded_bytes())
    else {
        return check("disk_space", Grade::Weak, "the folder's name has a NUL byte");
    };
    // SAFETY: the path is NUL-terminated and the struct is plain memory that the call fills.
    let free = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &mut stat) == 0 { Some(stat.f_bavail * stat.f_frsize) } else { None }
    };
    match free {
        Some(free) if free < 256 << 20 => {
            check("disk_space", Grade::Weak, format!("{} MiB free: writes may be refused soon", free >> 20))
        }
        Some(free) => check("disk_space", Grade::Good, format!("{} MiB free", free >> 20)),
        None => check("disk_space", Grade::Weak, "cannot be read"),
    }
}

fn clock() -> Check {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    // Before this program was written: certificates and document times would be wrong.
    if now < 1_780_000_000 {
        check("clock", Grade::Weak, "the clock is behind: set it, or documents get wrong times")
    } else {
        check("clock", Grade::Good, format!("{now} seconds since the epoch"))
    }
}
