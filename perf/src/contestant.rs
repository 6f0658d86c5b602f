//! One gateway under measurement: started, checked, and asked what it has used. All of them go through the same steps,
//! so that none is favoured.

use crate::Failure;
use crate::arguments::{Compare, Peer};
use crate::child::{Child, installed};
use crate::interrupt::wait_for;
use crate::processor::{self, CpuTime};
use crate::workload::Workload;
use crate::{haproxy, nginx, probe, tidegate};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A start may replay a configuration of 10,000 routes.
const START: Duration = Duration::from_secs(60);

/// A gateway that can be started.
#[derive(Clone, Debug)]
pub(crate) enum Entrant {
    Tidegate(PathBuf),
    Peer(Peer, PathBuf),
}

impl Entrant {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tidegate(_) => "tidegate",
            Self::Peer(Peer::Nginx, _) => "nginx",
            Self::Peer(Peer::Haproxy, _) => "haproxy",
        }
    }

    /// Its name and the file that is run, so that nobody takes the figures of one build for those of another.
    pub(crate) fn program(&self) -> (&'static str, PathBuf) {
        let (Self::Tidegate(path) | Self::Peer(_, path)) = self;
        (self.name(), path.clone())
    }
}

/// Everyone that can take part, and who was asked for but is not installed.
pub(crate) fn entrants(options: &Compare) -> Result<(Vec<Entrant>, Vec<String>), Failure> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    if !options.without_tidegate {
        found.push(Entrant::Tidegate(tidegate::binary(options.tidegate.as_deref())?));
    }
    for peer in &options.peers {
        let name = match peer {
            Peer::Nginx => "nginx",
            Peer::Haproxy => "haproxy",
        };
        match installed(name) {
            Some(program) => found.push(Entrant::Peer(*peer, program)),
            None => missing.push(name.to_owned()),
        }
    }
    Ok((found, missing))
}

/// A gateway that runs and answers rightly.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Child,
    pids: Vec<u32>,
}

impl Contestant {
    /// Starts a gateway for a workload in a folder of its own and checks one answer.
    pub(crate) fn start(
        entrant: &Entrant,
        workload: Workload,
        upstream: u16,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let name = entrant.name();
        let dir = dir.join(name);
        let config = dir.join("config.yaml");
        let write = |text: String| {
            fs::create_dir_all(&dir)
                .and_then(|()| fs::write(&config, text))
                .map_err(|why| format!("{}: {why}", config.display()))
        };
        let (mut child, port) = match entrant {
            Entrant::Tidegate(program) => {
                write(tidegate::config(workload, upstream).to_string())?;
                let mut child =
                    Child::start(name, tidegate::command(program, &dir, &config, cpu), cpu, &dir)?;
                let port = wait_for(START, || child.still_runs().map(|()| tidegate::port(&dir)))?;
                let port = port
                    .ok_or_else(|| format!("{name} wrote no ports file in {START:?}:\n{}", child.said()))?;
                (child, port)
            }
            Entrant::Peer(peer, program) => {
                let port = probe::free_port()?;
                let command = match peer {
                    Peer::Nginx => {
                        write(nginx::config(&dir, port, upstream))?;
                        nginx::command(program, &dir, &config)
                    }
                    Peer::Haproxy => {
                        write(haproxy::config(port, upstream))?;
                        haproxy::command(program, &config)
                    }
                };
                (Child::start(name, command, cpu, &dir)?, port)
            }
        };
        wait_until_listening(&mut child, port)?;
        probe::check(port, &workload.exchange())
            .map_err(|why| format!("{name}, {}: {why}\n{}", workload.name(), child.said()))?;
        let pids = processor::family(child.pid());
        Ok(Self { name, port, child, pids })
    }

    /// CPU time it has used so far.
    pub(crate) fn cpu_time(&mut self) -> Result<CpuTime, Failure> {
        self.child.still_runs()?;
        processor::cpu_time(&self.pids)
    }

    /// Most memory it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        processor::peak_memory(&self.pids)
    }
}

/// Waits until the port takes connections, or says why it never will.
pub(crate) fn wait_until_listening(child: &mut Child, port: u16) -> Result<(), Failure> {
    let listening = wait_for(START, || child.still_runs().map(|()| probe::listens(port).then_some(())))?;
    listening.ok_or_else(|| format!("nobody listens on port {port} after {START:?}:\n{}", child.said()))
}
