//! Each check on hosts that are made of files: what it finds, how bad it is, and that it says what to do.

use super::host::Host;
use super::{Check, Grade, cores, kernel, network, tcp};
use crate::args::Serve;
use crate::machine::Machine;
use crate::metal::Metal;
use crate::steer::Steer;
use crate::topology::tests::{TWO_SOCKETS, host};

fn metal(words: &str) -> Metal {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    Serve::over(&words, &Default::default()).expect("flags").metal
}

/// Every check on a host with these files and shards on these CPUs.
fn checks(files: &[(&str, &str)], cpus: &[usize], words: &str) -> Vec<Check> {
    let root = host(files);
    let (host, metal) = (Host::of(root.path(), cpus), metal(words));
    // The machine is only asked for its list of CPUs.
    let machine = Machine::decide(&self::metal("--cpus any")).expect("decided");
    let mut all = kernel::checks(&host, &metal);
    all.extend(cores::checks(&host, &machine));
    all.extend(cores::ring_threads(&host, &metal));
    all.extend(tcp::checks(&host, &metal, 4_096));
    all.extend(network::checks(&host, metal.steer, "8080"));
    all
}

#[track_caller]
fn check(files: &[(&str, &str)], cpus: &[usize], words: &str, what: &str, grade: Grade, parts: &[&str]) {
    let all = checks(files, cpus, words);
    let found = all.iter().find(|check| check.what == what);
    let found = found.unwrap_or_else(|| panic!("no check {what} of {files:?}"));
    assert_eq!(found.grade, grade, "{found:?}");
    let text = format!("{}|{}|{}", found.finding, found.cost, found.fix);
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?}: {found:?}");
    let is_advice = matches!(grade, Grade::Weak | Grade::Note);
    assert_eq!(is_advice, !found.cost.is_empty() && !found.fix.is_empty(), "{found:?}");
}

const CLOCKS: &str = "sys/devices/system/clocksource/clocksource0";

#[test]
fn the_kernel() {
    use Grade::{Good, Note, Weak};
    let clock = |current, available| {
        vec![
            (format!("{CLOCKS}/current_clocksource"), current),
            (format!("{CLOCKS}/available_clocksource"), available),
        ]
    };
    for (path, text, what, grade, parts) in [
        ("proc/sys/kernel/osrelease", "5.15.0-91-generic\n", "kernel", Weak, &["Linux 5.15", "6.1"][..]),
        ("proc/sys/kernel/osrelease", "6.1.0\n", "kernel", Good, &["6.1.0"]),
        ("proc/sys/kernel/osrelease", "6.12.3-arch1\n", "kernel", Good, &["6.12.3"]),
        ("proc/sys/kernel/io_uring_disabled", "0\n", "io_uring_sysctl", Good, &[]),
        (
            "proc/sys/kernel/io_uring_disabled",
            "1\n",
            "io_uring_sysctl",
            Weak,
            &["CAP_SYS_ADMIN", "sysctl -w"],
        ),
        ("proc/sys/kernel/io_uring_disabled", "2\n", "io_uring_sysctl", Weak, &["nobody", "epoll"]),
        ("proc/stat", "cpu  900 0 90 0 0 0 0 10 0 0\ncpu0 1", "stolen_time", Weak, &["1.00 %"]),
        ("proc/stat", "cpu  900 0 90 0 0 0 0 1 0 0", "stolen_time", Good, &["0.10 %"]),
        (
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor",
            "powersave\n",
            "cpu_frequency",
            Weak,
            &["powersave on CPUs 1", "cpupower -c 1"],
        ),
        ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n", "cpu_frequency", Good, &[]),
        ("sys/devices/system/cpu/cpu7/cpufreq/scaling_governor", "powersave\n", "cpu_frequency", Good, &[]),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "[always] madvise never",
            "huge_pages",
            Note,
            &["echo madvise"],
        ),
        (
            "sys/kernel/mm/transparent_hugepage/enabled",
            "always [madvise] never",
            "huge_pages",
            Good,
            &["madvise"],
        ),
        (
            "sys/devices/system/cpu/vulnerabilities/spectre_v2",
            "Mitigation: IBRS",
            "mitigations",
            Note,
            &["spectre_v2"],
        ),
        ("sys/devices/system/cpu/vulnerabilities/spectre_v2", "Not affected", "mitigations", Good, &[]),
    ] {
        check(&[(path, text)], &[0, 1], "", what, grade, parts);
    }
    let release = [("proc/sys/kernel/osrelease", "6.1.0")];
    for (words, grade, part) in [
        ("--steer incoming-cpu", Weak, "6.2"),
        ("--busy-poll-us 50", Weak, "6.9"),
        ("--steer cpu", Good, "6.1.0"),
    ] {
        check(&release, &[0], words, "kernel", grade, &[part]);
    }
    for (current, available, grade, part) in [
        ("tsc", "tsc hpet acpi_pm", Good, "tsc"),
        ("kvm-clock", "kvm-clock tsc", Good, "kvm-clock"),
        ("hpet", "hpet acpi_pm", Weak, "dmesg"),
        ("acpi_pm", "tsc acpi_pm", Weak, "echo tsc >"),
    ] {
        let files = clock(current, available);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        check(&files, &[0], "", "clock_source", grade, &[part]);
    }
}

#[test]
fn the_cores() {
    use Grade::{Good, Note, Weak};
    let with = |more: &[(&'static str, &'static str)]| [TWO_SOCKETS, more].concat();
    let card = ("sys/class/net/eth0/device/numa_node", "1\n");
    let balancing = ("proc/sys/kernel/numa_balancing", "1\n");
    let everywhere = [0, 1, 2, 3];
    check(&with(&[]), &everywhere, "", "smt", Good, &["one shard per core"]);
    check(&with(&[]), &[0, 1, 4], "", "smt", Note, &["CPUs 0,4", "--cpus physical"]);
    check(&[("sys/devices/system/cpu/online", "0-1")], &[0, 1], "", "smt", Good, &["every CPU is a core"]);
    let loose = "--ring-mode kernel-thread";
    check(&with(&[]), &[0, 1], loose, "ring_threads", Weak, &["without --ring-thread-cpus", "-cpus 2-3"]);
    let two = [("sys/devices/system/cpu/online", "0-1")];
    check(&two, &[0, 1], loose, "ring_threads", Weak, &["no CPU beside", "--ring-mode defer"]);
    check(&with(&[]), &everywhere, "", "numa", Note, &["nodes 0, 1"]);
    check(&with(&[]), &[0, 1], "", "numa", Good, &["node 0 of 2"]);
    check(&with(&[card]), &[0, 1], "", "numa", Weak, &["node 0", "eth0 on node 1", "--cpus node:1"]);
    check(&with(&[card]), &[2, 3], "", "numa", Good, &["node 1"]);
    check(&with(&[balancing]), &[2], "", "numa_balancing", Weak, &["numa_balancing=0"]);
    let one = [("sys/devices/system/cpu/online", "0-1"), balancing];
    assert!(checks(&one, &[0], "").iter().all(|check| check.what != "numa_balancing"), "one node");
}

#[test]
fn control_groups() {
    use Grade::{Good, Weak};
    let second = ("proc/self/cgroup", "0::/a/b\n");
    let first = ("proc/self/cgroup", "4:memory:/m\n1:cpu,cpuacct:/a\n0::/\n");
    for (files, grade, parts) in [
        (vec![], Good, &["no control group"][..]),
        (vec![second, ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n")], Good, &["no control group"]),
        (vec![second, ("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n")], Good, &["4.00 CPUs"]),
        (vec![second, ("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n")], Weak, &["1.50 CPUs", "--shards 1"]),
        // A parent's limit counts.
        (vec![second, ("sys/fs/cgroup/a/cpu.max", "50000 100000\n")], Weak, &["0.50 CPUs"]),
        (
            vec![
                second,
                ("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"),
                ("sys/fs/cgroup/a/b/cpu.stat", "usage_usec 1\nnr_periods 9\nnr_throttled 7\n"),
            ],
            Weak,
            &["throttled 7 times"],
        ),
        (
            vec![
                first,
                ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n"),
                ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"),
            ],
            Weak,
            &["1.00 CPUs"],
        ),
        (
            vec![
                first,
                ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"),
            ],
            Good,
            &["no control group"],
        ),
    ] {
        check(&files, &[0, 1], "", "cpu_quota", grade, parts);
    }
}

#[test]
fn tcp_of_the_kernel() {
    use Grade::{Good, Note, Weak};
    let range = "proc/sys/net/ipv4/ip_local_port_range";
    let fast_open = "proc/sys/net/ipv4/tcp_fastopen";
    for (path, text, words, what, grade, parts) in [
        ("proc/sys/net/core/somaxconn", "128", "", "backlog", Weak, &["somaxconn=4096"][..]),
        ("proc/sys/net/core/somaxconn", "128", "--backlog 100", "backlog", Good, &[]),
        (range, "32768\t60999", "", "ports", Good, &["28232 ports", "8192 wanted"]),
        (range, "50000\t50999", "", "ports", Weak, &["1000 ports", "1024 65535"]),
        ("proc/sys/net/ipv4/tcp_tw_reuse", "2", "", "time_wait", Note, &["tcp_tw_reuse=1"]),
        ("proc/sys/net/ipv4/tcp_tw_reuse", "1", "", "time_wait", Good, &[]),
        ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1", "", "slow_start", Note, &["after_idle=0"]),
        ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "0", "", "slow_start", Good, &[]),
        ("proc/sys/net/core/rmem_max", "212992", "", "socket_buffers", Good, &[]),
        (
            "proc/sys/net/core/rmem_max",
            "212992",
            "--client-receive-buffer 1m",
            "socket_buffers",
            Weak,
            &["net.core.rmem_max=1048576"],
        ),
        (
            "proc/sys/net/core/wmem_max",
            "212992",
            "--upstream-send-buffer 300k",
            "socket_buffers",
            Weak,
            &["wmem_max"],
        ),
        (fast_open, "1", "--tcp-fastopen 10", "fast_open", Weak, &["tcp_fastopen=3"]),
    ] {
        check(&[(path, text)], &[0, 1], words, what, grade, parts);
    }
    let half_open = |cookies, most| {
        [("proc/sys/net/ipv4/tcp_syncookies", cookies), ("proc/sys/net/ipv4/tcp_max_syn_backlog", most)]
    };
    check(&half_open("1", "128"), &[0], "", "half_open", Good, &[]);
    check(&half_open("0", "128"), &[0], "", "half_open", Weak, &["tcp_syncookies=1"]);
    assert!(
        checks(&[(fast_open, "1")], &[0], "").iter().all(|check| check.what != "fast_open"),
        "not asked for"
    );
}

/// A card with two queues: interrupt 40 is its configuration's, 41 and 42 its queues'.
const CARD: &[(&str, &str)] = &[
    ("sys/class/net/lo/operstate", "unknown"),
    ("sys/class/net/eth0/operstate", "up"),
    ("sys/class/net/eth0/device/vendor", "0x8086"),
    ("sys/class/net/eth0/queues/rx-0/rps_cpus", "0"),
    ("sys/class/net/eth0/queues/rx-1/rps_cpus", "0"),
    ("sys/class/net/eth0/queues/tx-0/xps_cpus", "0"),
    ("sys/class/net/eth0/queues/tx-1/xps_cpus", "0"),
    ("sys/class/net/eth0/device/msi_irqs/40", "msix"),
    ("sys/class/net/eth0/device/msi_irqs/41", "msix"),
    ("sys/class/net/eth0/device/msi_irqs/42", "msix"),
    (
        "proc/interrupts",
        "     CPU0 CPU1\n 40:  0  0  PCI eth0-config\n 41:  5  0  PCI eth0-0\n 42:  0  9  PCI eth0-1\n",
    ),
    ("proc/irq/40/smp_affinity_list", "7"),
    ("proc/irq/41/smp_affinity_list", "0-7"),
    ("proc/irq/41/effective_affinity_list", "0"),
    ("proc/irq/42/effective_affinity_list", "1"),
];

#[test]
fn network_cards() {
    use Grade::{Good, Note, Weak};
    let but = |path: &str, text: &'static str| -> Vec<(&str, &str)> {
        CARD.iter().map(|(p, t)| if *p == path { (*p, text) } else { (*p, *t) }).collect()
    };
    check(CARD, &[0, 1], "", "network_queues", Good, &["eth0 has 2 receive queues for 2 shards"]);
    check(CARD, &[0, 1, 4, 5], "", "network_queues", Weak, &["ethtool -L eth0 combined 4", "echo 33 >"]);
    let rps = but("sys/class/net/eth0/queues/rx-0/rps_cpus", "00000001,00000030");
    check(&rps, &[0, 1, 2], "", "network_queues", Note, &["CPUs 4-5,32"]);
    check(CARD, &[0, 1], "", "interrupts", Good, &["CPUs 0-1"]);
    check(CARD, &[1], "", "interrupts", Note, &["CPUs 0 run no shard"]);
    check(CARD, &[0, 1], "--steer cpu", "interrupts", Good, &[]);
    check(CARD, &[0, 1, 2], "--steer cpu", "interrupts", Weak, &["CPUs 2 get no connections"]);
    check(CARD, &[0, 1], "", "send_queues", Note, &["tx-N/xps_cpus"]);
    check(&but("sys/class/net/eth0/queues/tx-1/xps_cpus", "2"), &[0, 1], "", "send_queues", Good, &[]);
    check(&[("sys/class/net/lo/operstate", "up")], &[0, 1], "", "network_queues", Good, &["no network card"]);
    let down = but("sys/class/net/eth0/operstate", "down");
    check(&down, &[0, 1], "", "network_queues", Good, &["no network card"]);
    let (count, most) =
        ("proc/sys/net/netfilter/nf_conntrack_count", "proc/sys/net/netfilter/nf_conntrack_max");
    check(&[(count, "0"), (most, "1000")], &[0], "", "conntrack", Good, &[]);
    check(&[(count, "10"), (most, "1000")], &[0], "", "conntrack", Note, &["dport 8080 notrack"]);
    check(&[(count, "900"), (most, "1000")], &[0], "", "conntrack", Weak, &["nf_conntrack_max=4000"]);
    // A host of which nothing is known is no reason to warn.
    let unknown = checks(&[], &[0], "");
    let loud: Vec<&Check> = unknown.iter().filter(|check| check.grade != Grade::Good).collect();
    assert!(loud.iter().all(|check| ["kernel", "backlog"].contains(&check.what)), "{loud:?}");
    assert_eq!(metal("").steer, Steer::None);
}

#[test]
fn folders_of_logs() {
    let (disk, memory) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir_in("/dev/shm"));
    let there = disk.path().join("logs/of/today");
    let file = disk.path().join("file");
    std::fs::write(&file, "x").expect("a file");
    let of = |dir: &std::path::Path, data: &std::path::Path| {
        super::disks::check("access_log", "--access-log-dir", dir, data)
    };
    let bad = of(&file.join("logs"), disk.path());
    assert!(bad.grade == Grade::Bad && bad.fix.contains("--access-log-dir"), "{bad:?}");
    // Whatever is found, the folder was not made and nothing is left.
    let found = of(&there, disk.path());
    assert!(found.grade != Grade::Bad && found.grade != Grade::Good, "the data's disk, or worse: {found:?}");
    assert!(!found.cost.is_empty() && !found.fix.is_empty(), "{found:?}");
    if let Ok(memory) = memory {
        let found = of(memory.path(), disk.path());
        assert!(!found.finding.contains("the disk of the data"), "{found:?}");
        assert_eq!(std::fs::read_dir(memory.path()).expect("a folder").count(), 0);
    }
    assert_eq!(std::fs::read_dir(disk.path()).expect("a folder").count(), 1);
}
