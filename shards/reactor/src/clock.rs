//! The shard's clock. Deadlines use the kernel's coarse clock, which costs a memory read and moves every few
//! milliseconds; only a latency that is being measured reads the precise one.

use std::time::Duration;

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec; these clocks exist on every Linux we run on, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

/// Milliseconds since some fixed point, a few milliseconds coarse.
pub fn coarse_ms() -> u64 {
    let time = read(libc::CLOCK_MONOTONIC_COARSE);
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

/// Nanoseconds since the same point, precise. For measuring.
pub fn precise_ns() -> u64 {
    let time = read(libc::CLOCK_MONOTONIC);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Wall clock: time since the epoch.
pub fn wall() -> Duration {
    let time = read(libc::CLOCK_REALTIME);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn clocks_move_forward_together() {
        let (coarse, precise) = (super::coarse_ms(), super::precise_ns() / 1_000_000);
        assert!(precise.abs_diff(coarse) < 1_000, "{coarse} {precise}");
        assert!(super::wall().as_secs() > 1_700_000_000);
    }
}
