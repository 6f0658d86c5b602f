//! Which shard gets a new connection. The shards' listeners share a port, and the kernel picks one of them by a hash of
//! the addresses; or, when asked, the one whose shard runs on the CPU that handles the connection's packets, so that
//! interrupt, protocol work and the shard's own happen on one core and in one cache.
//!
//! The program is classic BPF: nothing is loaded that needs a privilege.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;

/// How the kernel picks the shard of a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Steer {
    /// By a hash of the addresses: even, whatever the network card does.
    None,
    /// The shard on the CPU that handles the packets; of a CPU without a shard, the shard whose index is the CPU's
    /// number modulo the shards.
    Cpu,
    /// The shard on the CPU that handles the packets; of a CPU without a shard, by the hash (`SO_INCOMING_CPU`, Linux 6.2).
    IncomingCpu,
}

/// Whether shards can be told apart by their CPU. `cpus` is that of each shard.
pub fn is_possible(cpus: &[usize], is_bound: bool) -> Result<(), String> {
    if !is_bound {
        return Err("the shards are bound to no CPUs (--cpus any)".into());
    }
    if cpus.len() > MOST_SHARDS {
        return Err(format!("the kernel's program has room for {MOST_SHARDS} shards"));
    }
    let double = cpus.iter().enumerate().find(|(index, cpu)| cpus[..*index].contains(cpu));
    double.map_or(Ok(()), |(_, cpu)| {
        Err(format!("several shards share CPU {cpu}: all but one would get nothing"))
    })
}

/// Two instructions per shard, of the 4096 that a program may have (`BPF_MAXINSNS`).
const MOST_SHARDS: usize = 2_000;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const MODULO: u16 = (libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K) as u16;
const RETURN_VALUE: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const RETURN_LOADED: u16 = (libc::BPF_RET | libc::BPF_A) as u16;

/// Answers the place among the listeners, in the order in which they began to listen, of the shard on this CPU.
fn program(cpus: &[usize]) -> Vec<libc::sock_filter> {
    let one = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = vec![one(LOAD, 0, 0, (libc::SKF_AD_OFF + libc::SKF_AD_CPU) as u32)];
    for (index, cpu) in cpus.iter().enumerate() {
        // Where shard N runs on CPU N for all of them, the modulo says the same in one step.
        if cpus.iter().enumerate().any(|(index, cpu)| index != *cpu) {
            program.push(one(JUMP_IF_EQUAL, 0, 1, *cpu as u32));
            program.push(one(RETURN_VALUE, 0, 0, index as u32));
        }
    }
    program.push(one(MODULO, 0, 0, cpus.len() as u32));
    program.push(one(RETURN_LOADED, 0, 0, 0));
    program
}

/// Gives the listeners of a port, in the order in which they began to listen, the program for their shards' CPUs.
pub fn attach(listeners: &[TcpListener], cpus: &[usize]) -> io::Result<()> {
    let Some(first) = listeners.first() else { return Ok(()) };
    let mut program = program(cpus);
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    set(first, libc::SO_ATTACH_REUSEPORT_CBPF, &program)
}

/// Tells the kernel which CPU each listener's shard runs on.
pub fn prefer(listeners: &[TcpListener], cpus: &[usize]) -> io::Result<()> {
    let mut pairs = listeners.iter().zip(cpus);
    pairs.try_for_each(|(listener, cpu)| set(listener, libc::SO_INCOMING_CPU, &(*cpu as libc::c_int)))
}

fn set<T>(listener: &TcpListener, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the kernel reads as many bytes as the value has.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with the program on a CPU.
    fn run(program: &[libc::sock_filter], cpu: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                LOAD => loaded = cpu,
                JUMP_IF_EQUAL => at += usize::from(if loaded == step.k { step.jt } else { step.jf }),
                MODULO => loaded %= step.k,
                RETURN_VALUE => return step.k,
                RETURN_LOADED => return loaded,
                code => panic!("{code}"),
            }
        }
    }

    #[test]
    fn each_cpu_has_its_shard() {
        for (cpus, expected) in [
            (vec![0], vec![0, 0, 0]),
            (vec![0, 1], vec![0, 1, 0, 1]),
            (vec![1, 0], vec![1, 0, 0, 1]),
            (vec![2, 3], vec![0, 1, 0, 1, 0, 1]),
            (vec![1, 3, 5], vec![0, 0, 2, 1, 1, 2, 0]),
        ] {
            let program = program(&cpus);
            let found: Vec<u32> = (0..expected.len() as u32).map(|cpu| run(&program, cpu)).collect();
            assert_eq!(found, expected, "{cpus:?}");
        }
        assert_eq!(program(&[0, 1, 2, 3]).len(), 3, "no list where none is needed");
        assert!(program(&(1..=MOST_SHARDS).collect::<Vec<_>>()).len() <= 4_096);
    }

    #[test]
    fn only_where_a_cpu_says_which_shard() {
        assert_eq!(is_possible(&[0, 1], true), Ok(()));
        assert!(is_possible(&[0, 1], false).is_err_and(|why| why.contains("--cpus any")));
        assert!(is_possible(&[0, 1, 0], true).is_err_and(|why| why.contains("share CPU 0")));
    }
}
