//! What the kernel says of a gateway's shard threads, from /proc: time in user space and in the kernel, time they were ready
//! and had no CPU, and how often they gave the CPU away. Differences of two readings; nothing is estimated.

use crate::Failure;
use std::fs;

/// One reading of all shard threads of a process together, and of each its time on a CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Nanoseconds on a CPU, thread by thread in the order of their ids.
    pub(crate) ran_ns: Vec<u64>,
    /// Nanoseconds that they were ready and waited for a CPU.
    pub(crate) waited_ns: u64,
    /// Clock ticks in user space and in the kernel. Coarse, so only their shares are of use.
    pub(crate) user: u64,
    pub(crate) system: u64,
    /// How often a thread slept because it had nothing to do, and how often it had to give the CPU to another.
    pub(crate) slept: u64,
    pub(crate) displaced: u64,
}

/// Reads the threads of a process whose name says that they are a shard.
pub(crate) fn read(pid: u32) -> Result<Threads, Failure> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|why| format!("process {pid}: {why}"))?;
    let mut dirs: Vec<_> = tasks.flatten().map(|task| task.path()).collect();
    dirs.sort();
    let mut threads = Threads::default();
    for dir in dirs {
        let text = |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default();
        if text("comm").contains("shard") {
            let added = threads.add(&text("schedstat"), &text("stat"), &text("status"));
            added.ok_or_else(|| format!("{} says nothing of its time", dir.display()))?;
        }
    }
    if threads.ran_ns.is_empty() { Err(format!("process {pid} has no shards")) } else { Ok(threads) }
}

impl Threads {
    /// Adds a thread by its files (proc_pid_stat(5), proc_pid_status(5), and the kernel's sched-stats).
    fn add(&mut self, schedstat: &str, stat: &str, status: &str) -> Option<()> {
        let mut times = schedstat.split_whitespace().map(str::parse::<u64>);
        let (ran, waited) = (times.next()?.ok()?, times.next()?.ok()?);
        // The name before it may hold anything; utime and stime are the 14th and 15th of all fields.
        let (_, rest) = stat.rsplit_once(')')?;
        let mut ticks = rest.split_whitespace().skip(11).map(str::parse::<u64>);
        let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
        let count = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        self.slept += count("voluntary_ctxt_switches:")?;
        self.displaced += count("nonvoluntary_ctxt_switches:")?;
        self.ran_ns.push(ran);
        self.waited_ns += waited;
        self.user += user;
        self.system += system;
        Some(())
    }

    /// What has come since an earlier reading of the same threads.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            ran_ns: self.ran_ns.iter().zip(&before.ran_ns).map(|(now, then)| now - then).collect(),
            waited_ns: self.waited_ns - before.waited_ns,
            user: self.user - before.user,
            system: self.system - before.system,
            slept: self.slept - before.slept,
            displaced: self.displaced - before.displaced,
        }
    }

    /// Time on CPUs of all of them, in nanoseconds.
    pub(crate) fn ran(&self) -> u64 {
        self.ran_ns.iter().sum()
    }

    /// Share of their time that was in user space; none if it was too short to tell.
    pub(crate) fn user_share(&self) -> Option<f64> {
        let all = self.user + self.system;
        (all > 0).then(|| self.user as f64 / all as f64)
    }

    /// Time of the idlest as a share of the busiest's: 1 is an even split of the connections.
    pub(crate) fn evenness(&self) -> Option<f64> {
        let (least, most) = (*self.ran_ns.iter().min()?, *self.ran_ns.iter().max()?);
        (most > 0).then(|| least as f64 / most as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up() {
        let stat = "7 (shard 0) S 1 2 3 4 5 6 7 8 9 10 30 70 0 0 20 0";
        let status = "Name:\tshard\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t2\n";
        let mut threads = Threads::default();
        threads.add("1000 200 3", stat, status).expect("whole files");
        threads.add("500 100 3", stat, status).expect("whole files");
        assert_eq!((threads.ran(), threads.waited_ns, threads.slept, threads.displaced), (1_500, 300, 22, 4));
        assert_eq!((threads.user_share(), threads.evenness()), (Some(0.3), Some(0.5)));
        assert_eq!(threads.since(&threads).ran(), 0);
        assert_eq!(threads.since(&threads).user_share(), None);
        assert_eq!(threads.add("", stat, status), None);
    }
}
