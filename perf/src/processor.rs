//! What the kernel says about CPU time and memory, from /proc. Everything is a difference of two readings; nothing is
//! estimated.

use crate::Failure;
use std::fs;

/// CPU time, in nanoseconds, of a process and its children since they began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// Every thread of every process.
    pub(crate) all: u64,
    /// Those threads whose name says they are a shard; zero if there is none.
    pub(crate) shard: u64,
}

/// A process and its descendants, as they are now.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while next < family.len() {
        let of = family[next];
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(pid, _)| *pid));
        next += 1;
    }
    family
}

/// The parent in a line of `/proc/PID/stat`; the name before it may contain anything, also a parenthesis.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// CPU time of these processes: the clock of each, which counts threads that have ended too, and `schedstat` of the
/// shards' threads.
pub(crate) fn cpu_time(pids: &[u32]) -> Result<CpuTime, Failure> {
    let mut time = CpuTime::default();
    for pid in pids {
        time.all += clock(*pid).ok_or_else(|| format!("the CPU time of process {pid} cannot be read"))?;
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .map_err(|why| format!("process {pid} is gone while it is measured: {why}"))?;
        for task in tasks.flatten() {
            let dir = task.path();
            // A thread that ended between the two reads has no time that could be read.
            let Ok(text) = fs::read_to_string(dir.join("schedstat")) else { continue };
            let ran = on_cpu(&text).ok_or("the kernel has no schedstat; CPU time cannot be measured")?;
            if fs::read_to_string(dir.join("comm")).is_ok_and(|name| name.contains("shard")) {
                time.shard += ran;
            }
        }
    }
    Ok(time)
}

/// The CPU clock of a process, in nanoseconds.
fn clock(pid: u32) -> Option<u64> {
    // SAFETY: both calls get valid pointers to values on the stack.
    let time = unsafe {
        let (mut clock, mut time) = (0, std::mem::zeroed::<libc::timespec>());
        if libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) != 0
            || libc::clock_gettime(clock, &mut time) != 0
        {
            return None;
        }
        time
    };
    Some(u64::try_from(time.tv_sec).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec).ok()?)
}

/// Nanoseconds on a CPU: the first of the three numbers.
fn on_cpu(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

/// Most memory these processes ever had resident, summed, in bytes.
pub(crate) fn peak_memory(pids: &[u32]) -> u64 {
    let peak = |pid: &u32| peak_resident(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?);
    pids.iter().filter_map(peak).sum()
}

fn peak_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Time of one CPU since boot, in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticks {
    pub(crate) busy: u64,
    pub(crate) idle: u64,
}

impl Ticks {
    /// Share of the time since `before` that the CPU was busy, 0 to 1.
    pub(crate) fn busy_since(self, before: Self) -> Option<f64> {
        let busy = self.busy.saturating_sub(before.busy) as f64;
        let all = busy + self.idle.saturating_sub(before.idle) as f64;
        (all > 0.0).then(|| busy / all)
    }
}

/// What one CPU did so far.
pub(crate) fn ticks(cpu: usize) -> Option<Ticks> {
    ticks_in(&fs::read_to_string("/proc/stat").ok()?, cpu)
}

fn ticks_in(stat: &str, cpu: usize) -> Option<Ticks> {
    let name = format!("cpu{cpu} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let numbers: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are counted in user already.
    let (before, after) = (numbers.get(..3)?, numbers.get(5..8)?);
    Some(Ticks { busy: before.iter().chain(after).sum(), idle: numbers[3] + numbers[4] })
}

/// Whether this process may run on that CPU.
pub(crate) fn exists(cpu: usize) -> bool {
    ticks(cpu).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(on_cpu("123456 789 10\n"), Some(123456));
        assert_eq!(peak_resident("VmPeak:\t9 kB\nVmHWM:\t  12 kB\n"), Some(12 * 1024));
        let stat = "cpu  1 1 1 1\ncpu1 10 1 5 100 4 2 3 1 9 9\ncpu10 7 7 7 7 7 7 7 7\n";
        assert_eq!(ticks_in(stat, 1), Some(Ticks { busy: 22, idle: 104 }));
        assert_eq!(ticks_in(stat, 2), None);
    }

    #[test]
    fn shares_are_of_the_time_between() {
        let (before, after) = (Ticks { busy: 10, idle: 10 }, Ticks { busy: 40, idle: 20 });
        assert_eq!(after.busy_since(before), Some(0.75));
        assert_eq!(after.busy_since(after), None);
    }

    #[test]
    fn this_process_has_a_time_and_a_size() {
        let me = std::process::id();
        assert!(family(me).contains(&me));
        assert!(cpu_time(&[me]).expect("time").all > 0);
        assert!(peak_memory(&[me]) > 0);
    }

    #[test]
    fn the_time_of_a_thread_that_ended_stays_counted() {
        let me = std::process::id();
        let before = cpu_time(&[me]).expect("time").all;
        let burnt = std::thread::spawn(|| {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            while time.tv_sec == 0 && time.tv_nsec < 20_000_000 {
                // SAFETY: a valid pointer to a value on the stack.
                unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
            }
            time.tv_nsec as u64
        });
        let burnt = burnt.join().expect("it ends");
        assert!(cpu_time(&[me]).expect("time").all >= before + burnt);
    }
}
