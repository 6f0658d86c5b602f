//! The options of `compare`, and what follows from them: who is measured in which workload, and where peers are. Finds
//! nobody and starts nothing.

use super::{Format, rate, whole_seconds};
use crate::peer::Peer;
use crate::workload::{DEFAULT, SCRIPTED, Workload};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// Rounds per workload; every round measures every contestant once
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// How long each measurement is, in whole seconds: 3s, 1m
    #[arg(long = "for", alias = "seconds", value_name = "TIME", default_value = "3s", value_parser = whole_seconds)]
    pub(crate) seconds: u32,
    /// Connections of the load, where the workload does not say otherwise
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8000))]
    pub(crate) connections: u32,
    /// Requests a second, in workloads at a fixed rate [default: half of what the baseline takes in a closed loop]
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// What scripts cost: all workloads and peers that have scripts, where the two are not given. Each product is also
    /// measured without the script, next to it in every round; the difference is the cost of the call
    #[arg(long)]
    pub(crate) scripts: bool,
    /// Peers to measure beside Tidegate [default: all that the workload is for]; one that is not installed is left out
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Where a peer's program is, if it is neither on the PATH nor in the folder of peers; may be repeated
    #[arg(long = "peer-path", value_name = "NAME=PATH", value_parser = peer_path)]
    peer_paths: Vec<(Peer, PathBuf)>,
    /// Where `peers --install` has put peers [default: target/peers]
    #[arg(long, value_name = "DIR")]
    peers_dir: Option<PathBuf>,
    /// Workloads, in this order [default: all that peers are compared at]
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// Whom the others are divided by; without it nginx, nginx-njs, or the first that runs
    #[arg(long)]
    pub(crate) baseline: Option<String>,
    /// The tidegate binary; without it cargo builds that of the sources in this folder
    #[arg(long, value_name = "PATH")]
    pub(crate) tidegate: Option<PathBuf>,
    /// Measure the peers alone
    #[arg(long)]
    pub(crate) without_tidegate: bool,
    /// CPU that every contestant is pinned to
    #[arg(long, default_value_t = 0)]
    pub(crate) cpu: usize,
    /// CPU for the upstream and the load
    #[arg(long, default_value_t = 1)]
    pub(crate) load_cpu: usize,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Also write it as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Also write it as Markdown, as the README has it
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Also draw it
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Peers {
    /// Install those that are missing into this folder [default: target/peers]; what comes from Debian is only shown
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "")]
    pub(crate) install: Option<PathBuf>,
    /// Only these
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Peer>,
}

impl Peers {
    /// Where peers are looked for and put.
    pub(crate) fn dir(&self) -> PathBuf {
        let named = self.install.clone().filter(|dir| !dir.as_os_str().is_empty());
        named.unwrap_or_else(default_peers_dir)
    }
}

/// A folder beside what cargo builds: not a part of the sources, and away with them.
fn default_peers_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from).join("peers")
}

impl Compare {
    /// Who is to be measured in a workload.
    pub(crate) fn peers(&self, workload: Workload) -> Vec<Peer> {
        if self.peers.is_empty() { workload.peers().to_vec() } else { self.peers.clone() }
    }

    /// Everyone that is to be measured in any of the workloads, in the order in which they are listed everywhere.
    pub(crate) fn all_peers(&self) -> Vec<Peer> {
        let mut all: Vec<Peer> = Vec::new();
        for peer in self.workloads().into_iter().flat_map(|workload| self.peers(workload)) {
            if !all.contains(&peer) {
                all.push(peer);
            }
        }
        all.sort_by_key(|peer| Peer::value_variants().iter().position(|other| other == peer));
        all
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        match (self.workloads.is_empty(), self.scripts) {
            (false, _) => self.workloads.clone(),
            (true, true) => SCRIPTED.to_vec(),
            (true, false) => DEFAULT.to_vec(),
        }
    }

    pub(crate) fn peers_dir(&self) -> PathBuf {
        self.peers_dir.clone().unwrap_or_else(default_peers_dir)
    }

    /// The program that was given for a peer.
    pub(crate) fn peer_path(&self, peer: Peer) -> Option<&Path> {
        self.peer_paths.iter().rev().find(|(of, _)| *of == peer).map(|(_, path)| path.as_path())
    }
}

fn peer_path(text: &str) -> Result<(Peer, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is NAME=PATH")?;
    let path = std::path::absolute(path).map_err(|why| format!("{path}: {why}"))?;
    if !path.is_file() {
        return Err(format!("{}: no such file", path.display()));
    }
    Ok((Peer::from_str(name, false)?, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command};
    use clap::Parser;

    #[test]
    fn paths_of_peers_are_files() {
        assert!(peer_path("nginx").is_err() && peer_path("nginx=/nowhere").is_err());
        let own = std::env::current_exe().expect("a path");
        let given = format!("dgate={}", own.display());
        assert_eq!(peer_path(&given), Ok((Peer::Dgate, own)));
    }

    #[test]
    fn everybody_is_listed_once_whatever_the_workloads() {
        let Command::Compare(compare) = Arguments::parse_from(["perf", "compare"]).command else {
            panic!("another command")
        };
        assert_eq!(compare.all_peers(), Peer::value_variants());
        assert_eq!(compare.workloads(), DEFAULT);
    }
}
