//! The shard's clock. Deadlines use the kernel's coarse clock, which costs a memory read and moves every few
//! milliseconds; a latency that is being measured uses the precise one, which is read once on each side of the ring's
//! call into the kernel and taken from there wherever something ended in that call.

use io_uring::turn;
use std::cell::Cell;
use std::os::fd::RawFd;
use std::time::Duration;

/// How long the distance between the two precise clocks is believed. A wall clock that is slewed by 500 ppm moves by 50 µs
/// in that time.
const BELIEVED_NS: u64 = 100_000_000;
/// A stamp older than this is of a wall clock that was set meanwhile.
const OLDEST_NS: u64 = 10_000_000_000;

thread_local! {
    /// From the wall clock to the precise one, and when that was found out. Nanoseconds.
    static DISTANCE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

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

/// When this turn of the shard began, on the clock of [`precise_ns`]: whatever its ring has brought was there by then,
/// however long it waited in the turn since. Costs nothing but on epoll, where it is now.
pub fn turn_ns() -> u64 {
    match turn::began_ns() {
        0 => precise_ns(),
        began => began,
    }
}

/// On the clock of [`precise_ns`], when something had arrived that this turn has brought and the kernel has stamped by the
/// wall clock; 0 is without a stamp, and then it is when the turn began.
pub(crate) fn arrived_ns(stamp_ns: u64) -> u64 {
    let turn_ns = turn_ns();
    if stamp_ns == 0 {
        return turn_ns;
    }
    let (mut distance_ns, found_ns) = DISTANCE.get();
    if turn_ns.saturating_sub(found_ns) > BELIEVED_NS {
        distance_ns = (wall().as_nanos() as u64).wrapping_sub(precise_ns());
        DISTANCE.set((distance_ns, turn_ns));
    }
    believed(stamp_ns.wrapping_sub(distance_ns), turn_ns)
}

fn believed(arrived_ns: u64, turn_ns: u64) -> u64 {
    let earliest_ns = turn_ns.saturating_sub(OLDEST_NS);
    if (earliest_ns..=turn_ns).contains(&arrived_ns) { arrived_ns } else { turn_ns }
}

/// Whether what was begun in a turn was waited for, now that it has ended: what a ring can do at once has been done when
/// the next turn begins.
pub(crate) fn was_waited_for(turn: u32) -> bool {
    turn::number().wrapping_sub(turn) != 1
}

/// About when the kernel took what was last sent to a socket, on the clock of [`precise_ns`].
pub(crate) fn sent_ns(fd: RawFd) -> u64 {
    match turn::sent_ns(fd) {
        0 => precise_ns(),
        sent => sent,
    }
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

    #[test]
    fn stamps_of_another_time_are_not_believed() {
        let turn_ns = 50_000_000_000;
        for (arrived_ns, believed_ns) in [
            (turn_ns - 20_000, turn_ns - 20_000),
            (turn_ns, turn_ns),
            // The wall clock was set back, or forth.
            (turn_ns + 1, turn_ns),
            (turn_ns - 3_600_000_000_000_u64.min(turn_ns), turn_ns),
            (0_u64.wrapping_sub(1), turn_ns),
        ] {
            assert_eq!(super::believed(arrived_ns, turn_ns), believed_ns, "{arrived_ns}");
        }
        // Without a ring on this thread: now.
        let before = super::precise_ns();
        let stamp = super::wall().as_nanos() as u64;
        assert!(super::turn_ns() >= before && super::arrived_ns(0) >= before);
        assert!(super::arrived_ns(stamp).abs_diff(super::precise_ns()) < 1_000_000_000);
    }
}
