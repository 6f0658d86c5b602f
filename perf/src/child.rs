//! A process this run started: pinned to one CPU or some, in a process group of its own, ended with all its children when the
//! value is dropped. Never touches a process it did not start.

use crate::Failure;
use crate::interrupt::wait_for;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::time::Duration;
use std::{io, mem};

pub(crate) struct Child {
    name: String,
    process: Process,
    log: PathBuf,
}

impl Child {
    /// Starts a command on one CPU. What it says goes into `<name>.log` in `dir`.
    pub(crate) fn start(name: &str, command: Command, cpu: usize, dir: &Path) -> Result<Self, Failure> {
        Self::start_on(name, command, &[cpu], dir)
    }

    /// The same on several.
    pub(crate) fn start_on(
        name: &str,
        mut command: Command,
        cpus: &[usize],
        dir: &Path,
    ) -> Result<Self, Failure> {
        let log = dir.join(format!("{name}.log"));
        let out = File::create(&log).map_err(|why| format!("cannot write {}: {why}", log.display()))?;
        let err = out.try_clone().map_err(|why| format!("cannot write {}: {why}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        pin(&mut command, cpus.to_vec());
        let process = command
            .spawn()
            .map_err(|why| format!("cannot start {}: {why}", command.get_program().to_string_lossy()))?;
        Ok(Self { name: name.to_owned(), process, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the process has said, its end if it is long.
    pub(crate) fn said(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// An error with what it said, if the process has ended.
    pub(crate) fn still_runs(&mut self) -> Result<(), Failure> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended ({status}):\n{}", self.name, self.said())),
            Err(why) => Err(format!("{}: {why}", self.name)),
        }
    }

    /// Waits for its end; what it wrote, or an error if it failed or took longer than that.
    pub(crate) fn finish(mut self, longest: Duration) -> Result<String, Failure> {
        let status = wait_for(longest, || self.process.try_wait().map_err(|why| why.to_string()))?
            .ok_or_else(|| format!("{} did not end within {longest:?}", self.name))?;
        if !status.success() {
            return Err(format!("{} failed ({status}):\n{}", self.name, self.said()));
        }
        fs::read_to_string(&self.log).map_err(|why| why.to_string())
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: a call without pointers. The group is ours: it was made for this child, which is not yet reaped or
        // whose own children still hold it.
        unsafe { libc::kill(-(self.process.id() as libc::pid_t), signal) };
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(libc::SIGTERM);
        for _ in 0..400 {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal(libc::SIGKILL);
        let _ = self.process.wait();
    }
}

/// Makes a command run on some CPUs alone, and die with this process whatever happens to it.
fn pin(command: &mut Command, cpus: Vec<usize>) {
    // SAFETY: between fork and exec only async-signal-safe calls are made, on a set that lives on the stack.
    unsafe {
        command.pre_exec(move || {
            let mut set: libc::cpu_set_t = mem::zeroed();
            cpus.iter().for_each(|cpu| libc::CPU_SET(*cpu, &mut set));
            if libc::sched_setaffinity(0, mem::size_of_val(&set), &set) != 0 {
                return Err(io::Error::last_os_error());
            }
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

/// Binds the calling thread to one CPU; false if the system refuses.
pub(crate) fn pin_this_thread(cpu: usize) -> bool {
    // SAFETY: the set lives on the stack and the call reads no more than its size.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, mem::size_of_val(&set), &set) == 0
    }
}

/// Lets this process and its children open as many files as the system allows: 2,000 connections need 4,000.
pub(crate) fn raise_file_limit() {
    // SAFETY: both calls get a valid pointer to a struct on the stack.
    unsafe {
        let mut limit: libc::rlimit = mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// An installed program: on the PATH or where daemons live; absolute, since daemons change their folder.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .and_then(|file| std::path::absolute(file).ok())
}
