//! Walks one thread of a process instruction by instruction and notes what a profile cannot show: instructions that lock
//! the bus, and system calls. x86-64 only. The thread goes on untouched when the tracer is done.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test looks at another process")]

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

const PAGE: u64 = 4_096;
/// No instruction is longer.
const LONGEST: usize = 15;

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Instructions in user mode.
    pub instructions: u64,
    /// Where locked instructions stand, and how often each was executed.
    pub locked: HashMap<u64, u64>,
    /// System calls by their number.
    pub calls: HashMap<u64, u64>,
}

/// What an instruction is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It locks the bus: a prefix says so, or it exchanges with memory, which always does.
    Locked,
    /// `syscall`.
    Call,
    Other,
}

fn kind(bytes: &[u8]) -> Kind {
    let mut bytes = bytes.iter().copied().skip_while(|byte| {
        matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0x66 | 0x67 | 0xf2 | 0xf3)
    });
    let mut opcode = bytes.next();
    if opcode == Some(0xf0) {
        return Kind::Locked;
    }
    if matches!(opcode, Some(0x40..=0x4f)) {
        opcode = bytes.next();
    }
    match (opcode, bytes.next()) {
        (Some(0x0f), Some(0x05)) => Kind::Call,
        // The operand is memory unless both upper bits say register.
        (Some(0x86 | 0x87), Some(modrm)) if modrm >> 6 != 3 => Kind::Locked,
        _ => Kind::Other,
    }
}

/// Puts this thread and another on one CPU: between two, each step would wake a CPU that sleeps, ten times slower.
fn share_a_cpu(thread: libc::pid_t) -> io::Result<()> {
    // SAFETY: a zeroed set is valid, and the calls read it only.
    unsafe {
        let cpu = usize::try_from(libc::sched_getcpu()).map_err(|_| io::Error::last_os_error())?;
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        for thread in [0, thread] {
            check(libc::sched_setaffinity(thread, size_of::<libc::cpu_set_t>(), &set).into())?;
        }
    }
    Ok(())
}

/// A traced thread.
pub struct Tracer {
    thread: libc::pid_t,
    memory: std::fs::File,
    pages: HashMap<u64, Option<Box<[u8; PAGE as usize]>>>,
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Tracer {
    /// Stops the thread of that name. All calls must come from the thread that makes this one.
    pub fn attach(process: u32, name: &str) -> io::Result<Self> {
        let thread: libc::pid_t = std::fs::read_dir(format!("/proc/{process}/task"))?
            .flatten()
            .find(|task| {
                std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
            })
            .and_then(|task| task.file_name().to_str()?.parse().ok())
            .ok_or(io::ErrorKind::NotFound)?;
        share_a_cpu(thread)?;
        let none = null_mut::<libc::c_void>();
        // SAFETY: these requests take no addresses; the thread is another process's.
        unsafe {
            check(libc::ptrace(libc::PTRACE_SEIZE, thread, none, none))?;
            check(libc::ptrace(libc::PTRACE_INTERRUPT, thread, none, none))?;
        }
        let tracer = Self {
            thread,
            memory: std::fs::File::open(format!("/proc/{process}/mem"))?,
            pages: HashMap::new(),
        };
        tracer.wait()?;
        Ok(tracer)
    }

    fn wait(&self) -> io::Result<()> {
        let mut status = 0;
        // SAFETY: `status` is valid for the call.
        unsafe { check(libc::waitpid(self.thread, &mut status, libc::__WALL).into())? };
        if libc::WIFSTOPPED(status) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn registers(&self) -> io::Result<libc::user_regs_struct> {
        // SAFETY: the structure is plain numbers, and the request fills it.
        unsafe {
            let mut registers: libc::user_regs_struct = std::mem::zeroed();
            check(libc::ptrace(
                libc::PTRACE_GETREGS,
                self.thread,
                null_mut::<libc::c_void>(),
                (&raw mut registers).cast::<libc::c_void>(),
            ))?;
            Ok(registers)
        }
    }

    /// The bytes of an instruction. Code does not change, so each page is read once.
    fn code(&mut self, at: u64) -> [u8; LONGEST] {
        let mut bytes = [0; LONGEST];
        for (offset, byte) in bytes.iter_mut().enumerate() {
            let address = at + offset as u64;
            let memory = &self.memory;
            let page = self.pages.entry(address / PAGE).or_insert_with(|| {
                let mut page = Box::new([0; PAGE as usize]);
                memory.read_exact_at(&mut page[..], address / PAGE * PAGE).ok().map(|()| page)
            });
            *byte = page.as_ref().map_or(0, |page| page[(address % PAGE) as usize]);
        }
        bytes
    }

    /// The function that an address of the traced program stands in, with those it was inlined into, as the C compiler's
    /// `addr2line` knows them; `None` for what is no part of the program.
    pub fn function(&self, address: u64) -> Option<String> {
        let auxiliary = std::fs::read(format!("/proc/{}/auxv", self.thread)).ok()?;
        let word = |at: usize| Some(u64::from_ne_bytes(auxiliary.get(at..at + 8)?.try_into().ok()?));
        // The program's entry as it was loaded, and as it stands in the file.
        let entry = (0..).step_by(16).map_while(|at| Some((word(at)?, word(at + 8)?)));
        let loaded = entry.take_while(|(key, _)| *key != 0).find(|(key, _)| *key == libc::AT_ENTRY)?.1;
        let program = format!("/proc/{}/exe", self.thread);
        let mut head = [0; 32];
        std::fs::File::open(&program).ok()?.read_exact_at(&mut head, 0).ok()?;
        let written = u64::from_le_bytes(head[24..].try_into().ok()?);
        let place = format!("{:#x}", address.checked_sub(loaded)?.checked_add(written)?);
        let out =
            std::process::Command::new("addr2line").args(["-f", "-i", "-C", "-e", &program, &place]).output();
        let text = String::from_utf8(out.ok()?.stdout).ok()?;
        // Each function is followed by its place.
        let names: Vec<&str> = text.lines().step_by(2).collect();
        names.first().filter(|name| !name.starts_with('?')).map(|_| names.join(" in "))
    }

    /// Steps on until `is_over`.
    pub fn walk(&mut self, mut is_over: impl FnMut() -> bool) -> io::Result<Seen> {
        let mut seen = Seen::default();
        while !is_over() {
            let registers = self.registers()?;
            seen.instructions += 1;
            match kind(&self.code(registers.rip)) {
                Kind::Locked => *seen.locked.entry(registers.rip).or_default() += 1,
                Kind::Call => *seen.calls.entry(registers.rax).or_default() += 1,
                Kind::Other => {}
            }
            let none = null_mut::<libc::c_void>();
            // SAFETY: takes no addresses.
            unsafe { check(libc::ptrace(libc::PTRACE_SINGLESTEP, self.thread, none, none))? };
            self.wait()?;
        }
        Ok(seen)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let none = null_mut::<libc::c_void>();
        // SAFETY: takes no addresses; a thread that is gone already is refused.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.thread, none, none) };
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    #[test]
    fn instructions_are_told_apart() {
        for (bytes, expected) in [
            (&[0xf0, 0x48, 0xff, 0x00][..], Kind::Locked),
            (&[0x66, 0xf0, 0x0f, 0xb1, 0x0a], Kind::Locked),
            (&[0x48, 0x87, 0x07], Kind::Locked),
            (&[0x87, 0xc8], Kind::Other),
            (&[0x0f, 0x05], Kind::Call),
            (&[0x48, 0x89, 0xc7], Kind::Other),
            (&[0x0f, 0xb1, 0x0a], Kind::Other),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:x?}");
        }
    }
}
