//! What was decided for this machine from its flags: which shard runs on which CPU, where its memory comes from, its
//! ring, and how connections are taken.

use crate::cores::{self, Choice};
use crate::listen::Accepting;
use crate::metal::{Metal, NumaMemory};
use crate::steer::{self, Steer};
use crate::topology::Topology;
use std::path::Path;
use tidegate_shards::{Memory, RingOptions};
use tracing::warn;

/// One shard's place.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The CPU it is bound to.
    pub cpu: Option<usize>,
    /// Where its memory comes from.
    pub memory: Memory,
    /// Its ring.
    pub ring: RingOptions,
}

/// The decisions.
pub struct Machine {
    /// The CPUs as a list, or `any`.
    pub cpus: String,
    /// Which shard runs on which CPU of which node, for people.
    pub mapping: String,
    /// One for each shard.
    pub places: Vec<Place>,
    /// How the proxy's listeners take connections.
    pub accepting: Accepting,
}

impl Machine {
    /// Decides. Logs what is asked for and cannot be had where the gateway runs well without it.
    pub fn decide(metal: &Metal) -> Result<Self, String> {
        metal.check()?;
        let (available, topology) = (cores::available(), Topology::read(Path::new("/")));
        let choice = cores::choose(metal.cpus.as_deref(), &available, &topology)?;
        let shards = metal.shards.unwrap_or(choice.cpus.len() as u16);
        if shards == 0 {
            return Err("--shards 0: there must be at least one".into());
        }
        if metal.numa_memory == NumaMemory::Bound && !choice.is_bound {
            return Err(
                "--numa-memory bound needs shards that are bound to CPUs: leave out --cpus any".into()
            );
        }
        if metal.numa_memory != NumaMemory::Inherited && topology.nodes().len() < 2 {
            warn!("--numa-memory changes nothing here: this host has one node");
        }
        let thread_cpus = match metal.ring_thread_cpus.as_deref() {
            Some(list) => {
                cores::choose(Some(list), &topology.cpus(), &topology)
                    .map_err(|why| why.replace("--cpus", "--ring-thread-cpus"))?
                    .cpus
            }
            None => Vec::new(),
        };
        let cpus: Vec<usize> = choice.cpus.iter().cycle().take(usize::from(shards)).copied().collect();
        let places = cpus.iter().enumerate().map(|(shard, cpu)| Place {
            cpu: choice.is_bound.then_some(*cpu),
            memory: match metal.numa_memory {
                NumaMemory::Inherited => Memory::Inherited,
                NumaMemory::Local => Memory::Local,
                NumaMemory::Bound => Memory::Node(topology.node_of(*cpu)),
            },
            ring: metal.ring(shard, &thread_cpus),
        });
        Ok(Self {
            cpus: if choice.is_bound { cores::show(&choice.cpus) } else { "any".into() },
            mapping: cores::mapping(&choice, shards, &topology),
            places: places.collect(),
            accepting: accepting(metal, &choice, cpus),
        })
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        self.places.len() as u16
    }
}

fn accepting(metal: &Metal, choice: &Choice, cpus: Vec<usize>) -> Accepting {
    let steer = match (metal.steer, steer::is_possible(&cpus, choice.is_bound)) {
        (Steer::None, _) => Steer::None,
        (steer, Ok(())) => steer,
        (_, Err(why)) => {
            warn!("--steer is left out: {why}");
            Steer::None
        }
    };
    if metal.tcp_fastopen > 0 {
        let sysctl = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen").unwrap_or_default();
        if sysctl.trim().parse::<u32>().is_ok_and(|bits| bits & 2 == 0) {
            warn!("--tcp-fastopen does nothing yet: sysctl -w net.ipv4.tcp_fastopen=3 lets servers take it");
        }
    }
    Accepting {
        backlog: metal.backlog,
        defer: metal.defer_accept,
        fast_open: metal.tcp_fastopen,
        congestion_control: metal.congestion_control.clone(),
        steer,
        cpus,
    }
}
