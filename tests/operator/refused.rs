//! What a host refuses a process, put into effect between fork and exec: only calls that are safe there.

use std::io;

/// Answers io_uring's calls with an error, as a container's seccomp profile does.
pub fn no_io_uring(errno: i32) -> impl FnMut() -> io::Result<()> {
    // The number of the call decides; everything else is allowed (struct seccomp_data begins with it).
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const JUMP_ABOVE: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    move || {
        let one = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let mut filter = [
            one(LOAD, 0, 0, 0),
            one(JUMP_AT_LEAST, 0, 2, libc::SYS_io_uring_setup as u32),
            one(JUMP_ABOVE, 1, 0, libc::SYS_io_uring_register as u32),
            one(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
            one(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: the program lives through the calls, which are allowed between fork and exec.
        unsafe {
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &program) != 0
            {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}
