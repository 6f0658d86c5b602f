//! One gateway under measurement: started, checked, and asked what it has used. All of them go through the same steps,
//! so that none is favoured.

use crate::Failure;
use crate::arguments::{Compare, Gateway};
use crate::child::{Child, installed};
use crate::interrupt::wait_for;
use crate::machine::date;
use crate::nginx::Language;
use crate::peer::{Peer, version_of};
use crate::processor::{self, CpuTime};
use crate::scripts::Script;
use crate::setup::{Certificate, Setup, Task};
use crate::workload::{Answer, DOMAINS, Exchange, ROUTES_PER_DOMAIN, SMALL_BODY, domain};
use crate::{caddy, dgate, envoy, haproxy, nginx, pingora, probe, tidegate, traefik};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

/// A start may replay a configuration of 10,000 routes.
const START: Duration = Duration::from_secs(60);
/// From the first connection on: some listen before they know their routes.
const READY: Duration = Duration::from_secs(15);

/// A gateway that can be started.
#[derive(Clone, Debug)]
pub(crate) enum Entrant {
    Tidegate(PathBuf),
    Peer(Peer, PathBuf),
    /// No gateway: the service itself is asked.
    Direct,
}

impl Entrant {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tidegate(_) => "tidegate",
            Self::Peer(peer, _) => peer.name(),
            Self::Direct => "direct",
        }
    }

    /// The file that is run, so that nobody takes the figures of one build for those of another.
    pub(crate) fn program(&self) -> Option<&Path> {
        match self {
            Self::Tidegate(path) | Self::Peer(_, path) => Some(path),
            Self::Direct => None,
        }
    }

    /// What it says its version is.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::Tidegate(path) => {
                let (version, built) = (version_of(path, "--version")?, built(path));
                Some(built.map_or(version.clone(), |built| format!("{version} (built {built} UTC)")))
            }
            Self::Peer(peer, path) => peer.version(path),
            Self::Direct => None,
        }
    }
}

/// When a program was built: when its file was written.
fn built(program: &Path) -> Option<String> {
    let written = fs::metadata(program).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(date(i64::try_from(written.as_secs()).ok()?))
}

/// Everyone that can take part in any of the workloads, and who was asked for but is not installed.
pub(crate) fn entrants(options: &Compare) -> Result<(Vec<Entrant>, Vec<Peer>), Failure> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    if !options.without_tidegate {
        found.push(Entrant::Tidegate(tidegate::binary(options.tidegate.as_deref())?));
    }
    for peer in options.all_peers() {
        match peer.find(options.peer_path(peer), &options.peers_dir()) {
            Some(program) => found.push(Entrant::Peer(peer, program)),
            None => missing.push(peer),
        }
    }
    found.push(Entrant::Direct);
    Ok((found, missing))
}

/// One gateway, for a measurement that has no others beside it.
pub(crate) fn entrant(gateway: Gateway, tidegate: Option<&Path>) -> Result<Entrant, Failure> {
    let peer = match gateway {
        Gateway::Tidegate => return Ok(Entrant::Tidegate(tidegate::binary(tidegate)?)),
        Gateway::Nginx => Peer::Nginx,
        Gateway::Haproxy => Peer::Haproxy,
    };
    let program = installed(peer.program()).ok_or_else(|| format!("{} is not installed", peer.name()))?;
    Ok(Entrant::Peer(peer, program))
}

/// How a gateway is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    /// The CPUs it may use; Tidegate has a shard on each.
    pub(crate) cpus: &'a [usize],
    /// Further arguments of Tidegate's `serve`.
    pub(crate) flags: &'a [&'a str],
}

/// A gateway that runs and answers rightly.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    /// None of the upstream, which is not ours to measure.
    child: Option<Child>,
    pids: Vec<u32>,
}

impl Contestant {
    /// Starts a gateway for a task in a folder of its own and checks one answer.
    pub(crate) fn start(
        entrant: &Entrant,
        task: Task,
        upstream: u16,
        certificate: &Certificate,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let how = How { cpus: &[cpu], flags: &[] };
        Self::start_as(entrant, task, upstream, certificate, how, dir)
    }

    /// The same in a way of its own.
    pub(crate) fn start_as(
        entrant: &Entrant,
        task: Task,
        upstream: u16,
        certificate: &Certificate,
        how: How,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let name = entrant.name();
        let dir = dir.join(name).join(if task.plain { "plain" } else { "whole" });
        fs::create_dir_all(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        let setup = |port| Setup { task, dir: &dir, port, upstream, certificate };
        let (mut child, port) = match entrant {
            Entrant::Direct => return direct(task, upstream),
            Entrant::Tidegate(program) => {
                let setup = setup(0);
                setup.write("config.yaml", &tidegate::config(task, upstream).to_string())?;
                let command = tidegate::command(program, &dir, &setup.config(), how);
                let mut child = Child::start_on(name, command, how.cpus, &dir)?;
                let port = wait_for(START, || child.still_runs().map(|()| tidegate::port(&dir)))?;
                let port = port
                    .ok_or_else(|| format!("{name} wrote no ports file in {START:?}:\n{}", child.said()))?;
                (child, port)
            }
            Entrant::Peer(peer, program) => {
                let port = probe::free_port()?;
                let command = peer_command(*peer, program, &setup(port))?;
                (Child::start_on(name, command, how.cpus, &dir)?, port)
            }
        };
        wait_until_listening(&mut child, port)?;
        if task.script() == Some(Script::Cache) {
            probe::put(port, &task.exchange());
        }
        check(&mut child, port, task)
            .map_err(|why| format!("{name}, {}: {why}\n{}", task.workload.name(), child.said()))?;
        let pids = processor::family(child.pid());
        Ok(Self { name, port, child: Some(child), pids })
    }

    /// Its process; none if there is no gateway.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// CPU time it has used so far; none if there is no gateway.
    pub(crate) fn cpu_time(&mut self) -> Result<Option<CpuTime>, Failure> {
        let Some(child) = &mut self.child else { return Ok(None) };
        child.still_runs()?;
        processor::cpu_time(&self.pids).map(Some)
    }

    /// Most memory it ever had, in bytes; none if there is no gateway.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        self.child.as_ref().map(|_| processor::peak_memory(&self.pids))
    }
}

/// The service itself, which runs already.
fn direct(task: Task, upstream: u16) -> Result<Contestant, Failure> {
    let exchange = task.workload.without_gateway().ok_or("nothing is asked of the service itself")?;
    probe::check(upstream, task.transport(), &exchange).map_err(|why| format!("direct: {why}"))?;
    Ok(Contestant { name: "direct", port: upstream, child: None, pids: Vec::new() })
}

/// Writes a peer's configuration and gives the command that runs it.
fn peer_command(peer: Peer, program: &Path, setup: &Setup) -> Result<Command, Failure> {
    let (dir, file) = (setup.dir, setup.config());
    let write = |text: String| setup.write("config.yaml", &text).map(drop);
    let nginx = |language| {
        write(nginx::config(program, language, setup)?)?;
        Ok(nginx::command(program, dir, &file))
    };
    match peer {
        Peer::Nginx => nginx(Language::Nothing),
        Peer::NginxNjs => nginx(Language::Njs),
        Peer::NginxLua => nginx(Language::Lua),
        Peer::Haproxy | Peer::HaproxyLua => {
            write(haproxy::config(setup)?).map(|()| haproxy::command(program, &file))
        }
        Peer::Envoy => write(envoy::config(setup).to_string()).map(|()| envoy::command(program, &file)),
        Peer::Traefik => {
            write(traefik::config(setup)?.to_string()).map(|()| traefik::command(program, &file))
        }
        Peer::Caddy => write(caddy::config(setup).to_string()).map(|()| caddy::command(program, dir, &file)),
        Peer::Pingora => pingora::command(program, setup),
        Peer::Dgate => write(dgate::config(setup)?.to_string()).map(|()| dgate::command(program, &file)),
    }
}

/// Asks until the answer is right, for a moment, and then whether what must be refused is.
fn check(child: &mut Child, port: u16, task: Task) -> Result<(), Failure> {
    let transport = task.transport();
    let longest = if task.many_routes() { START } else { READY };
    for exchange in checked(task) {
        let mut last = String::new();
        let right = wait_for(longest, || {
            child.still_runs()?;
            Ok(probe::check(port, transport, &exchange).map_err(|why| last = why).ok())
        })?;
        right.ok_or(last)?;
    }
    task.workload.refused().map_or(Ok(()), |exchange| probe::check_refused(port, transport, &exchange))
}

/// The task's exchange; of many routes also the first and the last.
fn checked(task: Task) -> Vec<Exchange> {
    let exchange = task.exchange();
    let route = |of: usize, n: usize| Exchange {
        host: domain(of),
        path: format!("/small/{n}"),
        answer: Answer::Bytes(SMALL_BODY.into()),
        ..exchange.clone()
    };
    let ends = task.many_routes().then(|| [route(0, 0), route(DOMAINS - 1, ROUTES_PER_DOMAIN - 1)]);
    [exchange.clone()].into_iter().chain(ends.into_iter().flatten()).collect()
}

/// Waits until the port takes connections, or says why it never will.
pub(crate) fn wait_until_listening(child: &mut Child, port: u16) -> Result<(), Failure> {
    let listening = wait_for(START, || child.still_runs().map(|()| probe::listens(port).then_some(())))?;
    listening.ok_or_else(|| format!("nobody listens on port {port} after {START:?}:\n{}", child.said()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ability;
    use crate::workload::Workload;
    use clap::ValueEnum;

    /// Everything that a peer is started with: its command line and the files in its folder.
    fn written(peer: Peer, workload: Workload, plain: bool) -> Result<String, Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::make("gateway.example", dir.path())?;
        let own = dir.path().join("own");
        fs::create_dir(&own).expect("a folder");
        let task = Task { workload, plain };
        let setup = Setup { task, dir: &own, port: 40_001, upstream: 40_002, certificate: &certificate };
        // nginx is asked where its modules are; who has none of them has no such peer either.
        let program = installed(peer.program()).unwrap_or_else(|| peer.program().into());
        let command = peer_command(peer, &program, &setup)?;
        let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy().into_owned()).collect();
        let files = fs::read_dir(&own).expect("a folder").flatten();
        let files: String = files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
        Ok(arguments.join(" ") + &files)
    }

    #[test]
    fn everybody_is_configured_for_what_it_takes_part_in() {
        for peer in Peer::value_variants() {
            for workload in Workload::value_variants() {
                let entrant = Entrant::Peer(*peer, PathBuf::new());
                if ability::can(&entrant, *workload).is_err() {
                    continue;
                }
                let what = format!("{peer:?} {workload:?}");
                let text = match written(*peer, *workload, false) {
                    Ok(text) => text,
                    Err(why) if why.contains("has no module") => continue,
                    Err(why) => panic!("{what}: {why}"),
                };
                assert!(text.contains("40001"), "{what} listens nowhere:\n{text}");
                let task = Task { workload: *workload, plain: false };
                assert_eq!(
                    text.contains("certificate.pem") || text.contains("both.pem"),
                    task.transport().tls(),
                    "{what}"
                );
                assert!(task.own_answer().is_none_or(|_| text.contains("4711")), "{what}:\n{text}");
                assert!(!task.session() || text.contains("shop"), "{what}:\n{text}");
                assert_eq!(text.contains("/small/99"), task.many_routes(), "{what}");
            }
        }
    }

    #[test]
    fn many_routes_are_checked_at_both_ends() {
        let of = |plain| checked(Task { workload: Workload::Routes10k, plain });
        let hosts: Vec<String> = of(false).into_iter().map(|exchange| exchange.host).collect();
        assert_eq!(hosts, ["shop-050.example", "shop-000.example", "shop-099.example"]);
        assert_eq!(of(true).len(), 1);
    }
}
