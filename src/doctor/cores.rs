//! The cores the shards get: whether they are whole ones, near their memory and their network card, and all the time
//! theirs.

use super::Check;
use super::host::Host;
use crate::cores::show;
use crate::machine::Machine;
use crate::metal::{Metal, Mode};

pub fn checks(host: &Host, machine: &Machine) -> Vec<Check> {
    let mut checks = vec![Check::good("cpus", format!("{} ({} shards)", machine.cpus, host.shards))];
    checks.extend(shared_cpus(host));
    checks.extend(siblings(host));
    checks.extend(nodes(host));
    checks.extend(numa_balancing(host));
    checks.push(quota(host));
    checks
}

/// Kernel threads of rings that nobody gave CPUs to.
pub fn ring_threads(host: &Host, metal: &Metal) -> Option<Check> {
    let is_loose = metal.ring_mode == Mode::KernelThread && metal.ring_thread_cpus.is_none();
    let spare: Vec<usize> =
        host.topology.cpus().into_iter().filter(|cpu| !host.cpus.contains(cpu)).take(host.shards).collect();
    is_loose.then(|| {
        let check = Check::weak("ring_threads", "--ring-mode kernel-thread without --ring-thread-cpus")
            .costs("threads that spin run anywhere, also on the CPUs of the shards, and take their time");
        if spare.is_empty() {
            check.fix("--ring-mode defer: there is no CPU beside those of the shards")
        } else {
            check.fix(format!("--ring-thread-cpus {}", show(&spare)))
        }
    })
}

fn shared_cpus(host: &Host) -> Option<Check> {
    (host.shards > host.cpus.len()).then(|| {
        Check::weak("cpu_sharing", format!("{} shards on {} CPUs", host.shards, host.cpus.len()))
            .costs("shards of one CPU wait for each other for whole time slices, of milliseconds")
            .fix(format!("--shards {}", host.cpus.len()))
    })
}

fn siblings(host: &Host) -> Option<Check> {
    let what = "smt";
    let core = |cpu: usize| host.topology.core_of(cpu);
    let pairs: Vec<usize> = host
        .cpus
        .iter()
        .copied()
        .filter(|cpu| host.cpus.iter().any(|other| other != cpu && core(*other) == core(*cpu)))
        .collect();
    let has_siblings = host.topology.cpus().iter().any(|cpu| core(*cpu) != *cpu);
    if pairs.is_empty() {
        let finding = if has_siblings { "one shard per core" } else { "every CPU is a core" };
        return Some(Check::good(what, finding));
    }
    Some(
        Check::note(what, format!("CPUs {} are threads that share cores", show(&pairs)))
            .costs("two shards of one core do about 1.2 times the work of one, each at half the speed")
            .fix("--cpus physical for latency; leave it for throughput"),
    )
}

/// Network cards and the node they are on, where the kernel knows.
fn cards(host: &Host) -> Vec<(String, u32)> {
    let node = |name: &str| {
        let node = host.text(&format!("sys/class/net/{name}/device/numa_node"))?;
        node.parse::<u32>().ok()
    };
    host.names("sys/class/net").into_iter().filter_map(|name| Some((name.clone(), node(&name)?))).collect()
}

fn nodes(host: &Host) -> Option<Check> {
    let what = "numa";
    let all = host.topology.nodes();
    if all.len() < 2 {
        return Some(Check::good(what, "one node"));
    }
    let mut ours: Vec<u32> = host.cpus.iter().map(|cpu| host.topology.node_of(*cpu)).collect();
    ours.sort_unstable();
    ours.dedup();
    let list = ours.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let far: Vec<(String, u32)> =
        cards(host).into_iter().filter(|(_, node)| ours.iter().any(|own| own != node)).collect();
    if let Some((card, node)) = far.first() {
        return Some(
            Check::weak(what, format!("shards on node {list}, network card {card} on node {node}"))
                .costs(
                    "packets of shards on another node cross the sockets' link, twice per request and side",
                )
                .fix(format!("--cpus node:{node}, or one gateway per node and card")),
        );
    }
    if ours.len() > 1 {
        return Some(
            Check::note(what, format!("shards on nodes {list}"))
                .costs(
                    "the snapshot is in one node's memory: the others read it through their caches from afar",
                )
                .fix("one gateway per node (--cpus node:N), where configurations are larger than a cache"),
        );
    }
    Some(Check::good(what, format!("shards on node {list} of {}", all.len())))
}

fn numa_balancing(host: &Host) -> Option<Check> {
    let on = host.sysctl("kernel.numa_balancing")? != 0;
    (on && host.topology.nodes().len() > 1).then(|| {
        Check::weak("numa_balancing", "kernel.numa_balancing is on")
            .costs("the kernel unmaps pages to see who uses them: page faults in shards that never move")
            .fix("sysctl -w kernel.numa_balancing=0")
    })
}

/// CPUs' worth of time that this process's control groups allow, and how often it was throttled.
fn allowance(host: &Host) -> Option<(f64, u64)> {
    let groups = host.text("proc/self/cgroup")?;
    let mut least: Option<(f64, u64)> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let is_second = controllers.is_empty();
        if !is_second && !controllers.split(',').any(|name| name == "cpu") {
            continue;
        }
        let base = if is_second { "sys/fs/cgroup" } else { "sys/fs/cgroup/cpu" };
        // A parent's limit holds for its children too.
        let mut path = path.trim_matches('/').to_owned();
        loop {
            let folder = format!("{base}/{path}");
            let folder = folder.trim_end_matches('/');
            let cpus = if is_second {
                host.text(&format!("{folder}/cpu.max")).and_then(|text| {
                    let (quota, period) = text.split_once(' ')?;
                    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
                })
            } else {
                let quota =
                    host.text(&format!("{folder}/cpu.cfs_quota_us")).and_then(|t| t.parse::<f64>().ok());
                let period = host.number(&format!("{folder}/cpu.cfs_period_us"));
                quota
                    .zip(period)
                    .filter(|(quota, _)| *quota > 0.0)
                    .map(|(quota, period)| quota / period as f64)
            };
            let throttled = host.text(&format!("{folder}/cpu.stat")).and_then(|text| {
                text.lines().find_map(|line| line.strip_prefix("nr_throttled "))?.trim().parse().ok()
            });
            if let Some(cpus) = cpus
                && least.is_none_or(|(least, _)| cpus < least)
            {
                least = Some((cpus, throttled.unwrap_or(0)));
            }
            if path.is_empty() {
                break;
            }
            path = path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
        }
    }
    least
}

fn quota(host: &Host) -> Check {
    let what = "cpu_quota";
    let Some((cpus, throttled)) = allowance(host) else {
        return Check::good(what, "no control group limits it");
    };
    let finding = format!("a control group allows {cpus:.2} CPUs, throttled {throttled} times so far");
    if cpus >= host.shards as f64 && throttled == 0 {
        return Check::good(what, finding);
    }
    let fit = (cpus.floor() as usize).max(1);
    Check::weak(what, format!("{finding}; {} shards", host.shards))
        .costs("when the quota of a period (100 ms) is used up, every shard stands still until the next one")
        .fix(format!("take the limit away (systemd: CPUQuota=, Kubernetes: limits.cpu), or --shards {fit}"))
}
