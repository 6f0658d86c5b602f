//! The host as its files under `/proc` and `/sys` show it. The folder that stands for `/` is given, so that every check
//! can be tried on a host that is not this one. A file that is not there is no error: kernels differ.

use crate::machine::Machine;
use crate::topology::Topology;
use std::fs;
use std::path::{Path, PathBuf};

/// A host, and what the gateway wants of it.
pub struct Host {
    root: PathBuf,
    /// Its CPUs, cores and nodes.
    pub topology: Topology,
    /// The CPUs of the shards, each once, in order.
    pub cpus: Vec<usize>,
    /// How many shards there will be.
    pub shards: usize,
}

impl Host {
    /// The host below `root` for a machine that was decided on.
    pub fn new(root: &Path, machine: &Machine) -> Self {
        let mut cpus = machine.accepting.cpus.clone();
        cpus.sort_unstable();
        cpus.dedup();
        let shards = machine.places.len();
        Self { root: root.to_owned(), topology: Topology::read(root), cpus, shards }
    }

    /// The same for given CPUs.
    #[cfg(test)]
    pub fn of(root: &Path, cpus: &[usize]) -> Self {
        let (cpus, shards) = (cpus.to_vec(), cpus.len());
        Self { root: root.to_owned(), topology: Topology::read(root), cpus, shards }
    }

    /// A file's text without the white space around it.
    pub fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok().map(|text| text.trim().to_owned())
    }

    /// The first number in a file.
    pub fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.split_whitespace().next()?.parse().ok()
    }

    /// A value under `/proc/sys`, by its name with dots.
    pub fn sysctl(&self, name: &str) -> Option<u64> {
        self.number(&format!("proc/sys/{}", name.replace('.', "/")))
    }

    /// The names in a folder, sorted.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Whether there is such a file or folder.
    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}
