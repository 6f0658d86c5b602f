//! The command line. Bounds are checked here, so that nothing is started for a run that cannot work.

use crate::workload::{SCRIPTED, Workload};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures Tidegate beside its peers.
#[derive(Parser)]
#[command(name = "tidegate-perf", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compare the CPU time per request of Tidegate and of installed peers, in interleaved rounds of wrk
    Compare(Compare),
    /// Measure what calls of modules cost by themselves: no network, one thread, the host interface answered at once
    Calls(Calls),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Calls {
    /// Also count the instructions of a call with valgrind's callgrind: exact to about a thousandth on any machine
    #[arg(long)]
    pub(crate) instructions: bool,
    /// Only the calls whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) only: String,
    /// What `--output json` wrote before, to show what has changed
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// Rounds per workload; every round measures every contestant once
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Seconds per measurement
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Connections of the load, where the workload does not say otherwise
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=8000))]
    pub(crate) connections: u32,
    /// What scripts cost: all workloads and peers that have scripts, where the two are not given. Each product is also
    /// measured without the script, next to it in every round; the difference is the cost of the call
    #[arg(long)]
    pub(crate) scripts: bool,
    /// Peers to measure beside Tidegate [default: nginx,haproxy]; one that is not installed is left out
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Where a peer's program is, if it is not on the PATH; may be repeated
    #[arg(long = "peer-path", value_name = "NAME=PATH", value_parser = peer_path)]
    peer_paths: Vec<(Peer, PathBuf)>,
    /// Workloads, in this order [default: small-get]
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// Whom the others are divided by; without it nginx, nginx-njs, or the first that runs
    #[arg(long)]
    pub(crate) baseline: Option<String>,
    /// The tidegate binary; without it the one beside this command, built if missing
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
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Also draw it
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

impl Compare {
    pub(crate) fn peers(&self) -> Vec<Peer> {
        match (self.peers.is_empty(), self.scripts) {
            (false, _) => self.peers.clone(),
            (true, true) => vec![Peer::NginxNjs, Peer::NginxLua, Peer::HaproxyLua, Peer::Dgate],
            (true, false) => vec![Peer::Nginx, Peer::Haproxy],
        }
    }

    pub(crate) fn workloads(&self) -> Vec<Workload> {
        match (self.workloads.is_empty(), self.scripts) {
            (false, _) => self.workloads.clone(),
            (true, true) => SCRIPTED.to_vec(),
            (true, false) => vec![Workload::SmallGet],
        }
    }

    /// The program that was given for a peer.
    pub(crate) fn peer_path(&self, peer: Peer) -> Option<&PathBuf> {
        self.peer_paths.iter().rev().find(|(of, _)| *of == peer).map(|(_, path)| path)
    }
}

/// Who is measured beside Tidegate. `nginx` and `haproxy` run no scripts, the others only where a workload has one.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    Haproxy,
    /// nginx with njs (Debian: libnginx-mod-http-js)
    NginxNjs,
    /// nginx with lua-nginx-module (Debian: libnginx-mod-http-lua, lua-cjson)
    NginxLua,
    /// HAProxy with Lua (Debian: haproxy, lua-cjson)
    HaproxyLua,
    /// DGate 2 (cargo install dgate; its build needs libclang)
    Dgate,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::NginxNjs => "nginx-njs",
            Self::NginxLua => "nginx-lua",
            Self::HaproxyLua => "haproxy-lua",
            Self::Dgate => "dgate",
        }
    }

    /// File name of its program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxNjs | Self::NginxLua => "nginx",
            Self::Haproxy | Self::HaproxyLua => "haproxy",
            Self::Dgate => "dgate-server",
        }
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

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_the_names_they_are_asked_for_by() {
        for peer in Peer::value_variants() {
            assert_eq!(Peer::from_str(peer.name(), false), Ok(*peer));
        }
        assert!(peer_path("nginx").is_err() && peer_path("nginx=/nowhere").is_err());
        let own = std::env::current_exe().expect("a path");
        let given = format!("dgate={}", own.display());
        assert_eq!(peer_path(&given), Ok((Peer::Dgate, own)));
    }
}
