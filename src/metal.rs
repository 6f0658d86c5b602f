//! The flags of `tidegate serve` that fit it to a machine: CPUs and memory, the ring, TCP. Each says what it changes; the
//! defaults are those that lose nowhere. A flag that has no effect which can be shown does not stand here.

use crate::args::{Runtime, duration, size};
use crate::steer::Steer;
use std::net::IpAddr;
use std::time::Duration;
use tidegate_shards::{KeepAlive, RingMode, RingOptions, SocketOptions};

/// When the kernel does a ring's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// When the shard asks for completions (Linux 6.1): fewest interruptions, largest batches.
    Defer,
    /// At the shard's next system call (Linux 6.0).
    Cooperative,
    /// At once, interrupting the shard.
    Interrupting,
    /// In a kernel thread per shard that spins on a CPU of its own; see --ring-thread-cpus.
    KernelThread,
}

/// Where a shard's memory comes from on a host with several NUMA nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NumaMemory {
    /// As the process was started (numactl); usually the node of the CPU that touches a page first.
    Inherited,
    /// The node of the shard's CPU while it has room.
    Local,
    /// The node of the shard's CPU and no other.
    Bound,
}

/// `60s`, `60s,10s` or `60s,10s,6`; `0s` is none.
fn keep_alive(text: &str) -> Result<Probes, String> {
    let why = || {
        format!("'{text}' is no keep-alive: write IDLE[,INTERVAL[,COUNT]] as in 60s,10s,6, or 0s for none")
    };
    let mut parts = text.split(',');
    let seconds = |text: &str| {
        let time = duration(text)?;
        let fits = time.subsec_millis() == 0 && time.as_secs() <= 32_767;
        if fits { Ok(time) } else { Err(format!("{text}: keep-alive takes whole seconds, up to 32767s")) }
    };
    let idle = seconds(parts.next().ok_or_else(why)?)?;
    let interval = parts.next().map_or(Ok(Duration::from_secs(10)), seconds)?;
    let count = match parts.next() {
        Some(count) => count.parse().ok().filter(|count| (1..=127).contains(count)).ok_or_else(why)?,
        None => 6,
    };
    if parts.next().is_some() || interval.is_zero() {
        return Err(why());
    }
    Ok(Probes((!idle.is_zero()).then_some(KeepAlive { idle, interval, count })))
}

/// Keep-alive probes, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes(Option<KeepAlive>);

/// Flags that fit the gateway to a machine.
#[derive(Debug, Clone, clap::Args)]
pub struct Metal {
    /// Shards [default: one for each CPU of `--cpus`]
    #[arg(long, value_name = "N", help_heading = "Cores")]
    pub shards: Option<u16>,
    /// CPUs the shards are bound to in turn: `0-3,8`, `node:0` for those of a NUMA node, `physical` to keep one CPU of each
    /// core (also `node:0,physical`), `any` to bind none. Keep shards on the node of the network card; leave SMT siblings
    /// out when latency counts more than the last tenth of throughput [default: all this process may use]
    #[arg(long, value_name = "LIST", help_heading = "Cores")]
    pub cpus: Option<String>,
    /// Where a shard's memory comes from on a host with several NUMA nodes. A bound shard's memory is local anyway, as
    /// long as the process was not started with another policy and the node has room; `bound` would rather reclaim than
    /// take a page from afar
    #[arg(long, value_enum, default_value_t = NumaMemory::Inherited, help_heading = "Cores")]
    pub numa_memory: NumaMemory,
    /// Which shard gets a new connection: `cpu` and `incoming-cpu` give it to the shard on the CPU that handles its packets,
    /// which pays when the network card has a queue for every shard's CPU, and starves shards where it has not
    #[arg(long, value_enum, default_value_t = Steer::None, help_heading = "Cores")]
    pub steer: Steer,
    /// What drives a shard's I/O
    #[arg(long, value_enum, default_value_t = Runtime::Auto, help_heading = "Cores")]
    pub runtime: Runtime,

    /// Submission queue entries of each ring; more serve more connections per system call
    #[arg(long, value_name = "N", default_value_t = 1024, help_heading = "Ring",
          value_parser = clap::value_parser!(u32).range(256..=32_768))]
    pub ring_entries: u32,
    /// A shard without work looks for some for so many microseconds before it sleeps, and then the kernel in the network
    /// card's queue (Linux 6.9 and a driver with NAPI): lower latency for a core that is never idle. Only with CPUs that
    /// nobody else needs. 0 is off
    #[arg(long, value_name = "US", default_value_t = 0, help_heading = "Cores",
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub busy_poll_us: u32,
    /// Latencies count from when the kernel had a packet, not from when the shard came to it: what a busy shard lets wait is
    /// seen in its own figures
    #[arg(long, help_heading = "Ring")]
    pub arrival_stamps: bool,
    /// Completion queue entries of each ring, at least --ring-entries; 0 is twice as many. For many thousand connections
    /// that speak at once: what does not fit goes through a slower list in the kernel
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Ring",
          value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub ring_completions: u32,
    /// When the kernel does the ring's work
    #[arg(long, value_enum, default_value_t = Mode::Defer, help_heading = "Ring")]
    pub ring_mode: Mode,
    /// Without work for so long a kernel thread of `--ring-mode kernel-thread` sleeps
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration, help_heading = "Ring")]
    pub ring_thread_idle: Duration,
    /// CPUs of the kernel threads of `--ring-mode kernel-thread`, one for each shard in turn: none that a shard or an
    /// interrupt needs. Without them the threads run anywhere
    #[arg(long, value_name = "LIST", help_heading = "Ring")]
    pub ring_thread_cpus: Option<String>,

    /// Connections the kernel queues for each listener until they are accepted
    #[arg(long, value_name = "N", default_value_t = 4096, help_heading = "TCP")]
    pub backlog: i32,
    /// Clients are accepted once they have sent something, or after this time, in whole seconds: one wake-up less for
    /// each new connection, and port scans cost nothing. Silent clients wait in the kernel's queue of half-open ones
    /// until then. 0s is off
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration, help_heading = "TCP")]
    pub defer_accept: Duration,
    /// Requests that come with a client's first packet are taken, so many at once per listener (TCP Fast Open); needs bit
    /// 2 of net.ipv4.tcp_fastopen. A repeated packet repeats the request. 0 is off
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "TCP")]
    pub tcp_fastopen: i32,
    /// Probes of silent clients: IDLE[,INTERVAL[,COUNT]], 0s for none. Finds clients that are gone without a word while
    /// their answer is waited for
    #[arg(long, value_name = "TIMES", default_value = "60s,10s,6", value_parser = keep_alive, help_heading = "TCP")]
    pub tcp_keepalive: Probes,
    /// The same for upstreams
    #[arg(long, value_name = "TIMES", default_value = "0s", value_parser = keep_alive, help_heading = "TCP")]
    pub upstream_tcp_keepalive: Probes,
    /// Bytes that a client or an upstream does not acknowledge for so long reset its connection; 0s leaves it to the kernel
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, help_heading = "TCP")]
    pub tcp_user_timeout: Duration,
    /// Unsent bytes the kernel holds for a client before the gateway waits; less memory for slow downloads, more wake-ups
    /// for fast ones. 0 is no bound but the send buffer
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size, help_heading = "TCP")]
    pub tcp_unsent_bytes: usize,
    /// Congestion control towards clients, as `bbr` or `cubic` [default: net.ipv4.tcp_congestion_control]
    #[arg(long, value_name = "NAME", help_heading = "TCP")]
    pub congestion_control: Option<String>,
    /// Addresses of this host that connections to upstreams come from, in turn: each has ports of its own (28,000 as Linux
    /// comes) towards one upstream address
    #[arg(long, value_name = "IP,…", value_delimiter = ',', help_heading = "TCP")]
    pub upstream_source: Vec<IpAddr>,
    /// Kernel receive buffer of client sockets; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size, help_heading = "TCP")]
    pub client_receive_buffer: usize,
    /// Kernel send buffer of client sockets; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size, help_heading = "TCP")]
    pub client_send_buffer: usize,
    /// Kernel receive buffer of upstream sockets; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size, help_heading = "TCP")]
    pub upstream_receive_buffer: usize,
    /// Kernel send buffer of upstream sockets; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = size, help_heading = "TCP")]
    pub upstream_send_buffer: usize,
}

impl Metal {
    /// The ring of a shard. `thread_cpus` are those of `--ring-thread-cpus`.
    pub fn ring(&self, shard: usize, thread_cpus: &[usize]) -> RingOptions {
        let mode = match self.ring_mode {
            Mode::Defer => RingMode::Defer,
            Mode::Cooperative => RingMode::Cooperative,
            Mode::Interrupting => RingMode::Interrupting,
            Mode::KernelThread => RingMode::KernelThread {
                idle_ms: u32::try_from(self.ring_thread_idle.as_millis()).unwrap_or(u32::MAX).max(1),
                cpu: thread_cpus.get(shard % thread_cpus.len().max(1)).map(|cpu| *cpu as u32),
            },
        };
        RingOptions {
            entries: self.ring_entries,
            completions: self.ring_completions,
            mode,
            arrival_stamps: self.arrival_stamps,
            busy_poll_us: self.busy_poll_us,
        }
    }

    /// What clients' sockets get.
    pub fn client_socket(&self) -> SocketOptions {
        SocketOptions {
            receive_buffer: self.client_receive_buffer,
            send_buffer: self.client_send_buffer,
            keep_alive: self.tcp_keepalive.0,
            user_timeout: self.tcp_user_timeout,
            unsent_bytes: u32::try_from(self.tcp_unsent_bytes).unwrap_or(u32::MAX),
            arrival_stamps: self.arrival_stamps,
            ..SocketOptions::default()
        }
    }

    /// What upstreams' sockets get.
    pub fn upstream_socket(&self) -> SocketOptions {
        SocketOptions {
            receive_buffer: self.upstream_receive_buffer,
            send_buffer: self.upstream_send_buffer,
            keep_alive: self.upstream_tcp_keepalive.0,
            user_timeout: self.tcp_user_timeout,
            arrival_stamps: self.arrival_stamps,
            // Asked for once by each shard, and used as long as the process lives.
            sources: self.upstream_source.clone().leak(),
            ..SocketOptions::default()
        }
    }

    /// What cannot be meant.
    pub fn check(&self) -> Result<(), String> {
        if self.ring_completions > 0 && self.ring_completions < self.ring_entries {
            return Err(format!(
                "--ring-completions {} is less than --ring-entries {}: the kernel wants at least as many",
                self.ring_completions, self.ring_entries
            ));
        }
        if self.backlog < 1 {
            return Err(format!(
                "--backlog {}: there must be room for at least one connection",
                self.backlog
            ));
        }
        for address in &self.upstream_source {
            std::net::UdpSocket::bind((*address, 0)).map_err(|error| {
                format!("--upstream-source {address} is no address of this host: {error}")
            })?;
        }
        if self.defer_accept.subsec_millis() != 0 {
            return Err("--defer-accept takes whole seconds".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_of_silent_peers() {
        let probes = |idle, interval, count| {
            let (idle, interval) = (Duration::from_secs(idle), Duration::from_secs(interval));
            Some(Probes(Some(KeepAlive { idle, interval, count })))
        };
        for (text, expected) in [
            ("60s", probes(60, 10, 6)),
            ("2m,5s", probes(120, 5, 6)),
            ("60s,10s,3", probes(60, 10, 3)),
            ("0s", Some(Probes(None))),
            ("60s,10s,0", None),
            ("60s,10s,3,4", None),
            ("60s,0s", None),
            ("500ms", None),
            ("10h", None),
            ("", None),
        ] {
            assert_eq!(keep_alive(text).ok(), expected, "{text}");
        }
    }
}
