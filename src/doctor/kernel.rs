//! The kernel and the machine below it: version, io_uring, clocks, memory, what a hypervisor takes, what safety costs.

use super::Check;
use super::host::Host;
use crate::metal::Metal;
use crate::steer::Steer;

pub fn checks(host: &Host, metal: &Metal) -> Vec<Check> {
    let mut checks = vec![version(host, metal)];
    checks.extend(io_uring_disabled(host));
    checks.extend(clock_source(host));
    checks.extend(steal(host));
    checks.extend(governor(host));
    checks.extend(huge_pages(host));
    checks.extend(mitigations(host));
    checks
}

fn version(host: &Host, metal: &Metal) -> Check {
    let release = host.text("proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let finding = format!("Linux {release}");
    if version < (6, 1) {
        return Check::weak("kernel", finding)
            .costs("the shards run on epoll: io_uring pays from 6.1 on (DEFER_TASKRUN)")
            .fix("boot Linux 6.1 or newer");
    }
    let missed = [
        (metal.steer == Steer::IncomingCpu, (6, 2), "--steer incoming-cpu does nothing; --steer cpu works"),
        (metal.busy_poll_us > 0, (6, 9), "--busy-poll-us looks at the ring only, not into the network card"),
    ];
    if let Some((_, (major, minor), cost)) = missed.iter().find(|(asked, from, _)| *asked && version < *from)
    {
        let fix = format!("boot Linux {major}.{minor} or newer, or leave the flag away");
        return Check::weak("kernel", finding).costs(*cost).fix(fix);
    }
    Check::good("kernel", finding)
}

fn io_uring_disabled(host: &Host) -> Option<Check> {
    let what = "io_uring_sysctl";
    let disabled = host.sysctl("kernel.io_uring_disabled")?;
    let finding = format!("kernel.io_uring_disabled is {disabled}");
    let who = match disabled {
        0 => return Some(Check::good(what, finding)),
        1 => "only processes with CAP_SYS_ADMIN or of the group kernel.io_uring_group",
        _ => "nobody",
    };
    let check = Check::weak(what, format!("{finding}: {who} may use io_uring"));
    Some(check.costs("the shards run on epoll").fix("sysctl -w kernel.io_uring_disabled=0"))
}

fn clock_source(host: &Host) -> Option<Check> {
    let what = "clock_source";
    let folder = "sys/devices/system/clocksource/clocksource0";
    let current = host.text(&format!("{folder}/current_clocksource"))?;
    // These are read in user space; every other one takes a system call and a slow device.
    let is_fast =
        ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"];
    if is_fast.contains(&current.as_str()) {
        return Some(Check::good(what, current));
    }
    let available = host.text(&format!("{folder}/available_clocksource")).unwrap_or_default();
    let better = is_fast.iter().find(|name| available.split_whitespace().any(|other| other == **name));
    let check = Check::weak(what, format!("{current}, of {available}")).costs(
        "a precise clock read is a system call of 0.5 to 2 µs instead of 25 ns; a request makes several",
    );
    Some(match better {
        Some(better) => check.fix(format!("echo {better} > /{folder}/current_clocksource")),
        None => check
            .fix("look in `dmesg | grep -i tsc` why tsc was given up; boot with tsc=reliable if it is sound"),
    })
}

fn steal(host: &Host) -> Option<Check> {
    let what = "stolen_time";
    let stat = host.text("proc/stat")?;
    let times: Vec<u64> = stat
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|part| part.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal (proc(5)); guest times are in user and nice already.
    let (total, steal) = (times.iter().take(8).sum::<u64>(), *times.get(7)?);
    let share = steal as f64 * 100.0 / total.max(1) as f64;
    let finding = format!("{share:.2} % of CPU time since boot went to other guests");
    if share < 0.5 {
        return Some(Check::good(what, finding));
    }
    Some(
        Check::weak(what, finding)
            .costs("a shard that is not run answers nothing: p99 and p99.9 are the hypervisor's")
            .fix("take dedicated CPUs from whoever runs the hypervisor, or move the machine"),
    )
}

fn governor(host: &Host) -> Option<Check> {
    let what = "cpu_frequency";
    let governors = host.cpus.iter().filter_map(|cpu| {
        let text = host.text(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))?;
        Some((*cpu, text))
    });
    let governors: Vec<(usize, String)> = governors.collect();
    if governors.is_empty() {
        return Some(Check::good(what, "not the kernel's to choose (a virtual machine or the firmware)"));
    }
    let slow: Vec<usize> =
        governors.iter().filter(|(_, name)| name != "performance").map(|(cpu, _)| *cpu).collect();
    let Some(first) = slow.first() else { return Some(Check::good(what, "governor performance")) };
    let name = governors.iter().find(|(cpu, _)| cpu == first).map_or("", |(_, name)| name);
    Some(
        Check::weak(what, format!("governor {name} on CPUs {}", crate::cores::show(&slow)))
            .costs("a shard that was idle works at a low frequency for its first milliseconds")
            .fix(format!("cpupower -c {} frequency-set -g performance", crate::cores::show(&slow))),
    )
}

fn huge_pages(host: &Host) -> Option<Check> {
    let what = "huge_pages";
    let text = host.text("sys/kernel/mm/transparent_hugepage/enabled")?;
    let chosen = text.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or(&text);
    if chosen != "always" {
        return Some(Check::good(what, format!("transparent huge pages: {chosen}")));
    }
    Some(
        Check::note(what, "transparent huge pages: always")
            .costs("memory grows in steps of 2 MiB, and compaction may stall a shard for milliseconds")
            .fix("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
    )
}

fn mitigations(host: &Host) -> Option<Check> {
    let what = "mitigations";
    let folder = "sys/devices/system/cpu/vulnerabilities";
    let active = host.names(folder).into_iter().filter(|name| {
        host.text(&format!("{folder}/{name}")).is_some_and(|text| text.starts_with("Mitigation"))
    });
    let active: Vec<String> = active.collect();
    if !host.has(folder) {
        return None;
    }
    if active.is_empty() {
        return Some(Check::good(what, "none is active"));
    }
    Some(
        Check::note(what, format!("active against {}", active.join(", ")))
            .costs("each system call and interrupt takes longer, how much depends on the CPU; a request makes a few")
            .fix("leave them, unless this host runs nothing but code you trust: then boot with mitigations=off"),
    )
}
