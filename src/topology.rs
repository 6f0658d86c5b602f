//! Which node of memory and which core each CPU belongs to, as the kernel shows it under `/sys/devices/system`. The
//! folder that stands for `/` is given, so that tests and `tidegate doctor` can look at hosts that are not this one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    node: u32,
    /// The lowest CPU of the core: siblings (SMT) have the same.
    core: usize,
}

/// The CPUs that are online.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    cpus: BTreeMap<usize, Place>,
}

/// A list as the kernel writes it: `0-3,8`.
pub fn read_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if last < first || last - first >= libc::CPU_SETSIZE as usize {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

fn list(path: &Path) -> Option<Vec<usize>> {
    read_list(&fs::read_to_string(path).ok()?)
}

impl Topology {
    /// Reads what is below `root`. What the kernel does not tell is taken for one node, and each CPU for a core.
    pub fn read(root: &Path) -> Self {
        let system = root.join("sys/devices/system");
        let online = list(&system.join("cpu/online")).unwrap_or_default();
        let mut cpus = BTreeMap::new();
        for cpu in online {
            let siblings = list(&system.join(format!("cpu/cpu{cpu}/topology/thread_siblings_list")));
            let core = siblings.and_then(|all| all.into_iter().min()).unwrap_or(cpu);
            cpus.insert(cpu, Place { node: 0, core });
        }
        for node in list(&system.join("node/online")).unwrap_or_default() {
            for cpu in list(&system.join(format!("node/node{node}/cpulist"))).unwrap_or_default() {
                if let Some(place) = cpus.get_mut(&cpu) {
                    place.node = node as u32;
                }
            }
        }
        Self { cpus }
    }

    /// The node of a CPU.
    pub fn node_of(&self, cpu: usize) -> u32 {
        self.cpus.get(&cpu).map_or(0, |place| place.node)
    }

    /// The lowest CPU of a CPU's core.
    pub fn core_of(&self, cpu: usize) -> usize {
        self.cpus.get(&cpu).map_or(cpu, |place| place.core)
    }

    /// A node's CPUs.
    pub fn cpus_of(&self, node: u32) -> Vec<usize> {
        self.cpus.iter().filter(|(_, place)| place.node == node).map(|(cpu, _)| *cpu).collect()
    }

    /// The nodes that have CPUs, in order.
    pub fn nodes(&self) -> Vec<u32> {
        let mut nodes: Vec<u32> = self.cpus.values().map(|place| place.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// All CPUs.
    pub fn cpus(&self) -> Vec<usize> {
        self.cpus.keys().copied().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Writes files below a folder of the test's own.
    pub(crate) fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    /// Two sockets of two cores with two threads each, numbered as servers do: siblings are four apart.
    pub(crate) const TWO_SOCKETS: &[(&str, &str)] = &[
        ("sys/devices/system/cpu/online", "0-7\n"),
        ("sys/devices/system/node/online", "0-1\n"),
        ("sys/devices/system/node/node0/cpulist", "0-1,4-5\n"),
        ("sys/devices/system/node/node1/cpulist", "2-3,6-7\n"),
        ("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,4\n"),
        ("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,5\n"),
        ("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2,6\n"),
        ("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "3,7\n"),
        ("sys/devices/system/cpu/cpu4/topology/thread_siblings_list", "0,4\n"),
        ("sys/devices/system/cpu/cpu5/topology/thread_siblings_list", "1,5\n"),
        ("sys/devices/system/cpu/cpu6/topology/thread_siblings_list", "2,6\n"),
        ("sys/devices/system/cpu/cpu7/topology/thread_siblings_list", "3,7\n"),
    ];

    #[test]
    fn nodes_and_cores() {
        let root = host(TWO_SOCKETS);
        let topology = Topology::read(root.path());
        assert_eq!(topology.nodes(), [0, 1]);
        assert_eq!(topology.cpus_of(1), [2, 3, 6, 7]);
        assert_eq!((topology.node_of(5), topology.core_of(5)), (0, 1));
        assert_eq!(topology.cpus().len(), 8);
        let nothing = host(&[("sys/devices/system/cpu/online", "0-1")]);
        let topology = Topology::read(nothing.path());
        assert_eq!((topology.nodes(), topology.core_of(1), topology.node_of(1)), (vec![0], 1, 0));
    }
}
