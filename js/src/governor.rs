//! CPU time of a call: counts it over the call's slices and interrupts the engine when it is used up. It must never
//! end a call because the *thread* had to wait for a core: the wall clock only says when to look at the CPU clock.

use std::cell::Cell;
use std::time::Instant;

/// What is charged at most for a stretch that the CPU clock did not see: up to the first tick of a call's first
/// slice. A stretch without a tick is at most 10,000 steps of the engine, or one builtin that cannot be interrupted.
const UNSEEN_NS: u64 = 2_000_000;

/// A slice that has ended.
pub(crate) struct Slice {
    pub(crate) began: Instant,
    /// From its begin to its end.
    pub(crate) wall_ns: u64,
    /// CPU time, as well as it is known.
    pub(crate) took_ns: u64,
    /// What of it the call is charged.
    pub(crate) charged_ns: u64,
}

/// Clock and deadline of the slice that runs now. One per runtime: only one slice runs at a time.
pub(crate) struct Governor {
    limit_ns: Cell<u64>,
    /// Charged to the call by its earlier slices.
    spent_ns: Cell<u64>,
    began: Cell<Instant>,
    /// CPU clock at the first tick, and what was charged up to there.
    seen: Cell<Option<(u64, u64)>>,
    fired: Cell<bool>,
    /// Bytes that were worked on since the last look at the clock.
    unseen_bytes: Cell<usize>,
}

/// Bytes of a sum that take about a tenth of [`UNSEEN_NS`].
const UNSEEN_BYTES: usize = 64 << 10;

impl Governor {
    pub(crate) fn new() -> Governor {
        Governor {
            limit_ns: Cell::new(u64::MAX),
            spent_ns: Cell::new(0),
            began: Cell::new(Instant::now()),
            seen: Cell::new(None),
            fired: Cell::new(false),
            unseen_bytes: Cell::new(0),
        }
    }

    /// Begins a slice of a call that has used `spent_ns` so far. A resumed call reads the CPU clock at once; a new
    /// one only when it has run for 10,000 steps, because that clock is a system call.
    pub(crate) fn begin(&self, limit_ns: u64, spent_ns: u64, resumed: bool) {
        self.limit_ns.set(limit_ns);
        self.spent_ns.set(spent_ns);
        self.fired.set(false);
        self.seen.set(resumed.then(|| (thread_cpu_ns(), 0)));
        self.unseen_bytes.set(0);
        self.began.set(Instant::now());
    }

    /// Counts work that nobody else sees. True: it is time for a tick.
    pub(crate) fn adds_up(&self, bytes: usize) -> bool {
        // Whoever sums nothing still calls.
        let unseen = self.unseen_bytes.get() + bytes.max(256);
        let is_much = unseen >= UNSEEN_BYTES;
        self.unseen_bytes.set(if is_much { 0 } else { unseen });
        is_much
    }

    /// Ends the slice.
    pub(crate) fn end(&self) -> Slice {
        let (began, wall_ns) = (self.began.get(), self.wall_ns());
        let (took_ns, charged_ns) = match self.seen.get() {
            None => (wall_ns, wall_ns.min(UNSEEN_NS)),
            Some((cpu, before)) => {
                let used = wall_ns.min(before + thread_cpu_ns().saturating_sub(cpu));
                (used, used)
            }
        };
        Slice { began, wall_ns, took_ns, charged_ns }
    }

    /// The engine asks, every 10,000 steps, whether to stop.
    pub(crate) fn tick(&self) -> bool {
        if self.fired.get() {
            return true;
        }
        let wall = self.wall_ns();
        let Some((cpu, before)) = self.seen.get() else {
            self.seen.set(Some((thread_cpu_ns(), wall.min(UNSEEN_NS))));
            return false;
        };
        if self.spent_ns.get() + wall < self.limit_ns.get() {
            return false;
        }
        let used = before + thread_cpu_ns().saturating_sub(cpu);
        let over = self.spent_ns.get() + used >= self.limit_ns.get();
        self.fired.set(over);
        over
    }

    /// True once the slice was interrupted; it stays so until the next one begins.
    pub(crate) fn fired(&self) -> bool {
        self.fired.get()
    }

    fn wall_ns(&self) -> u64 {
        self.began.get().elapsed().as_nanos() as u64
    }
}

/// CPU time of this thread.
pub(crate) fn thread_cpu_ns() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid out-pointer; the clock exists on every Linux.
    let rc = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    debug_assert_eq!(rc, 0);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn waiting_is_not_charged_but_spinning_is() {
        let g = Governor::new();
        g.begin(5_000_000, 0, true);
        std::thread::sleep(Duration::from_millis(20));
        assert!(!g.tick(), "the wall clock alone must not fire");
        let start = Instant::now();
        while !g.tick() {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
        assert!(g.fired());
        assert!(g.end().charged_ns >= 5_000_000);
        g.begin(5_000_000, 0, false);
        assert!(!g.fired());
    }
}
