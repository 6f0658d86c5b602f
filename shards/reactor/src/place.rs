//! Where a shard's thread runs and where its memory comes from. Said by a thread for itself, before it allocates.

use std::io;

/// Where a thread's memory comes from on a host with several NUMA nodes (set_mempolicy(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// As the process was started; the kernel's own rule is the node of the CPU that touches a page first.
    Inherited,
    /// The node of the CPU that touches a page first, whatever the process was started with; another one when it is full.
    Local,
    /// This node and no other: when it is full the kernel reclaims there, and ends the process before it goes elsewhere.
    Node(u32),
}

/// Binds this thread to a CPU.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    // SAFETY: a zeroed set is valid, CPU_SET checks its bounds, and the call reads it only.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Chooses where this thread's pages come from that are not there yet.
pub fn take_memory_from(memory: Memory) -> io::Result<()> {
    const WORD: usize = libc::c_ulong::BITS as usize;
    // As many nodes as the kernel can be built for.
    let mut nodes = [0 as libc::c_ulong; 1_024 / WORD];
    let mode = match memory {
        Memory::Inherited => return Ok(()),
        Memory::Local => libc::MPOL_LOCAL,
        Memory::Node(node) => {
            let word = nodes.get_mut(node as usize / WORD).ok_or(io::ErrorKind::InvalidInput)?;
            *word |= 1 << (node as usize % WORD);
            libc::MPOL_BIND
        }
    };
    let (mask, bits) = match memory {
        Memory::Node(_) => (nodes.as_ptr(), nodes.len() * WORD),
        _ => (std::ptr::null(), 0),
    };
    // SAFETY: the mask has the said number of bits, or there is none; the call reads it only.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> libc::c_int {
        let mut mode: libc::c_int = -1;
        let none = std::ptr::null_mut::<libc::c_ulong>();
        // SAFETY: the call writes one int, and nothing where the pointer is null.
        let result =
            unsafe { libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, none, 0usize, none, 0usize) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        mode
    }

    #[test]
    fn a_threads_memory_policy_is_its_own() {
        if take_memory_from(Memory::Local).is_err_and(|e| e.raw_os_error() == Some(libc::ENOSYS)) {
            return; // A kernel without NUMA has one node and no policies.
        }
        assert_eq!(policy(), libc::MPOL_LOCAL);
        take_memory_from(Memory::Node(0)).expect("every host has node 0");
        assert_eq!(policy(), libc::MPOL_BIND);
        let other = std::thread::spawn(|| {
            take_memory_from(Memory::Inherited).expect("nothing to do");
            policy()
        });
        assert_eq!(other.join().expect("no panic"), libc::MPOL_BIND, "what the thread was started with");
        assert!(take_memory_from(Memory::Node(1_023)).is_err(), "no such node");
        assert!(take_memory_from(Memory::Node(100_000)).is_err());
    }
}
