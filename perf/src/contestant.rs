//! One gateway under measurement: started, checked, and asked what it has used. All of them go through the same steps,
//! so that none is favoured.

use crate::Failure;
use crate::arguments::{Compare, Gateway, Peer};
use crate::child::{Child, installed};
use crate::interrupt::wait_for;
use crate::processor::{self, CpuTime};
use crate::scripts::{Script, Unable};
use crate::workload::{Exchange, Workload};
use crate::{dgate, haproxy, nginx, probe, tidegate};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A start may replay a configuration of 10,000 routes.
const START: Duration = Duration::from_secs(60);
/// The file of nginx's njs module.
const NJS: &str = "ngx_http_js_module.so";
/// Those of its Lua module, in the order in which they are loaded.
const LUA: [&str; 2] = ["ndk_http_module.so", "ngx_http_lua_module.so"];

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
            Self::Peer(peer, _) => peer.name(),
        }
    }

    /// Its name and the file that is run, so that nobody takes the figures of one build for those of another.
    pub(crate) fn program(&self) -> (&'static str, PathBuf) {
        let (Self::Tidegate(path) | Self::Peer(_, path)) = self;
        (self.name(), path.clone())
    }

    /// An error if a script is more than this one can do.
    pub(crate) fn can(&self, script: Script) -> Result<(), Unable> {
        match self {
            Self::Tidegate(_) => Ok(()),
            Self::Peer(Peer::Nginx | Peer::Haproxy, _) => Err("it runs no scripts here"),
            Self::Peer(Peer::NginxNjs, _) => script.njs().map(|_| ()),
            Self::Peer(Peer::NginxLua, _) => script.nginx_lua().map(|_| ()),
            Self::Peer(Peer::HaproxyLua, _) => script.haproxy().map(|_| ()),
            Self::Peer(Peer::Dgate, _) => script.dgate().map(|_| ()),
        }
    }
}

/// Everyone that can take part, and who was asked for but is not installed.
pub(crate) fn entrants(options: &Compare) -> Result<(Vec<Entrant>, Vec<String>), Failure> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    if !options.without_tidegate {
        found.push(Entrant::Tidegate(tidegate::binary(options.tidegate.as_deref())?));
    }
    for peer in options.peers() {
        let program = options.peer_path(peer).cloned().or_else(|| installed(peer.program()));
        match program.filter(|program| has_scripting(peer, program)) {
            Some(program) => found.push(Entrant::Peer(peer, program)),
            None => missing.push(peer.name().to_owned()),
        }
    }
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

/// Whether the program has what makes it this peer: a module, a build option.
fn has_scripting(peer: Peer, program: &Path) -> bool {
    match peer {
        Peer::Nginx | Peer::Haproxy | Peer::Dgate => true,
        Peer::NginxNjs => nginx::module(program, NJS).is_some(),
        Peer::NginxLua => LUA.iter().all(|file| nginx::module(program, file).is_some()),
        Peer::HaproxyLua => haproxy::has_lua(program),
    }
}

/// The configuration of a peer, with a script if it is to run one; further files are written beside it.
fn peer_config(
    peer: Peer,
    program: &Path,
    script: Option<Script>,
    dir: &Path,
    port: u16,
    upstream: u16,
) -> Result<String, Failure> {
    let module = |file: &str| {
        nginx::module(program, file).ok_or_else(|| format!("{} has no module {file}", program.display()))
    };
    Ok(match (peer, script) {
        (Peer::NginxNjs, Some(script)) => {
            nginx::config(dir, port, upstream, &nginx::njs(&module(NJS)?, script, dir)?)
        }
        (Peer::NginxLua, Some(script)) => {
            let modules = [module(LUA[0])?, module(LUA[1])?];
            nginx::config(dir, port, upstream, &nginx::lua(&modules, script)?)
        }
        (Peer::Nginx | Peer::NginxNjs | Peer::NginxLua, _) => {
            nginx::config(dir, port, upstream, &nginx::Additions::default())
        }
        (Peer::HaproxyLua, Some(script)) => haproxy::config(port, upstream, &haproxy::lua(script, dir)?),
        (Peer::Haproxy | Peer::HaproxyLua, _) => {
            haproxy::config(port, upstream, &haproxy::Additions::default())
        }
        (Peer::Dgate, script) => dgate::config(port, upstream, script)?.to_string(),
    })
}

/// What a contestant is started for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) workload: Workload,
    /// The workload's script; without it in the run that shows what the gateway costs by itself.
    pub(crate) script: Option<Script>,
}

impl Task {
    pub(crate) fn exchange(self) -> Exchange {
        if self.script == self.workload.script() {
            self.workload.exchange()
        } else {
            self.workload.without_script()
        }
    }
}

/// A gateway that runs and answers rightly.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Child,
    pids: Vec<u32>,
}

impl Contestant {
    /// Starts a gateway for a task in a folder of its own and checks one answer.
    pub(crate) fn start(
        entrant: &Entrant,
        task: Task,
        upstream: u16,
        cpu: usize,
        dir: &Path,
    ) -> Result<Self, Failure> {
        let name = entrant.name();
        let Task { workload, script } = task;
        let dir = dir.join(name).join(if script.is_some() { "script" } else { "plain" });
        fs::create_dir_all(&dir).map_err(|why| format!("{}: {why}", dir.display()))?;
        let config = dir.join("config.yaml");
        let write =
            |text: String| fs::write(&config, text).map_err(|why| format!("{}: {why}", config.display()));
        let (mut child, port) = match entrant {
            Entrant::Tidegate(program) => {
                write(tidegate::config(workload, script, upstream).to_string())?;
                let mut child =
                    Child::start(name, tidegate::command(program, &dir, &config, cpu), cpu, &dir)?;
                let port = wait_for(START, || child.still_runs().map(|()| tidegate::port(&dir)))?;
                let port = port
                    .ok_or_else(|| format!("{name} wrote no ports file in {START:?}:\n{}", child.said()))?;
                (child, port)
            }
            Entrant::Peer(peer, program) => {
                let port = probe::free_port()?;
                write(peer_config(*peer, program, script, &dir, port, upstream)?)?;
                let command = match peer {
                    Peer::Nginx | Peer::NginxNjs | Peer::NginxLua => nginx::command(program, &dir, &config),
                    Peer::Haproxy | Peer::HaproxyLua => haproxy::command(program, &config),
                    Peer::Dgate => dgate::command(program, &config),
                };
                (Child::start(name, command, cpu, &dir)?, port)
            }
        };
        wait_until_listening(&mut child, port)?;
        let exchange = task.exchange();
        if script == Some(Script::Cache) {
            probe::put(port, &exchange);
        }
        probe::check(port, &exchange)
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
