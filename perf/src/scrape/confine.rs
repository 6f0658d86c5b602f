//! Keeps a CPU to a gateway's shard: every other thread of its process is bound elsewhere, and behind whoever else is
//! there if that is asked for. Says how long the shard waited for its CPU all the same, since others may use it too.
//! Touches no process but the one it is given.

use crate::Failure;
use std::fs;
use std::io::Error;

/// Where the threads of a gateway run that are no shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    pub(crate) cpu: usize,
    /// They run when nobody else wants the CPU (`SCHED_IDLE` of sched(7)).
    pub(crate) is_behind: bool,
}

/// What a thread is called, as far as this process may know.
fn threads(pid: u32) -> Result<Vec<(libc::pid_t, String)>, Failure> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .map_err(|why| format!("the threads of process {pid} cannot be listed: {why}"))?;
    let thread = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, name.trim_end().to_owned()))
    };
    Ok(tasks.flatten().filter_map(thread).collect())
}

/// Shards, and the kernel's helpers of their rings, which are theirs.
fn is_shard(name: &str) -> bool {
    name.starts_with("shard-") || name.starts_with("iou-")
}

/// Moves every thread that is no shard. Threads that begin later are where those are that began them.
pub(crate) fn confine(pid: u32, to: Elsewhere) -> Result<(), Failure> {
    let (shards, others): (Vec<_>, Vec<_>) = threads(pid)?.into_iter().partition(|(_, name)| is_shard(name));
    if shards.is_empty() {
        return Err(format!("process {pid} has no thread whose name says that it is a shard"));
    }
    for (thread, name) in others {
        match put(thread, to) {
            // It has ended since.
            Err(why) if why.raw_os_error() == Some(libc::ESRCH) => {}
            Err(why) => return Err(format!("thread {name} cannot be moved to CPU {}: {why}", to.cpu)),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Puts a thread, 0 for the calling one, where it belongs.
pub(crate) fn put(thread: libc::pid_t, to: Elsewhere) -> Result<(), Error> {
    // SAFETY: set and parameters live on the stack, and the calls read no more than their sizes.
    let is_put = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(to.cpu, &mut set);
        let none: libc::sched_param = std::mem::zeroed();
        libc::sched_setaffinity(thread, size_of_val(&set), &set) == 0
            && (!to.is_behind || libc::sched_setscheduler(thread, libc::SCHED_IDLE, &none) == 0)
    };
    if is_put { Ok(()) } else { Err(Error::last_os_error()) }
}

/// How long the shards of a process were ready and did not run, in nanoseconds since they began.
pub(crate) fn waited_ns(pid: u32) -> Result<u64, Failure> {
    let shards = threads(pid)?.into_iter().filter(|(_, name)| name.starts_with("shard-"));
    let waited = shards.filter_map(|(thread, _)| {
        waited(&fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?)
    });
    Ok(waited.sum())
}

/// The second of the three numbers: time in the queue of a CPU.
fn waited(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::Builder;

    /// The CPUs a thread may use and its policy.
    fn place(thread: libc::pid_t) -> (Vec<usize>, libc::c_int) {
        // SAFETY: the set lives on the stack and the call writes no more than its size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(thread, size_of_val(&set), &mut set), 0);
            let cpus = (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set));
            (cpus.collect(), libc::sched_getscheduler(thread))
        }
    }

    #[test]
    fn all_but_shards_are_moved() {
        // A process of its own: the threads of this one are other tests.
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
        let (pid, before) = (child.id(), place(child.id() as libc::pid_t));
        let cpu = *before.0.last().expect("a CPU");
        let why = confine(pid, Elsewhere { cpu, is_behind: true }).expect_err("it has no shard");
        assert!(why.contains("no thread whose name"), "{why}");
        assert_eq!(place(pid as libc::pid_t), before, "nothing is moved where there is no shard");
        put(pid as libc::pid_t, Elsewhere { cpu, is_behind: true }).expect("moved");
        assert_eq!(place(pid as libc::pid_t), (vec![cpu], libc::SCHED_IDLE));
        child.kill().expect("ended");
        child.wait().expect("ended");
        for (name, expected) in [
            ("shard-0", true),
            ("shard-12", true),
            ("iou-wrk-7", true),
            ("admin", false),
            ("tidegate", false),
        ] {
            assert_eq!(is_shard(name), expected, "{name}");
        }
    }

    #[test]
    fn the_time_that_shards_wait_is_read() {
        assert_eq!(waited("123456 789 10\n"), Some(789));
        let (ended, until) = channel::<()>();
        let shard = Builder::new().name("shard-0".into()).spawn(move || until.recv());
        assert!(waited_ns(std::process::id()).is_ok());
        drop(ended);
        let _ = shard.expect("a thread").join();
    }
}
