//! Deadlines of sockets without a timer per operation: one wheel per shard, and a socket that is late is shut down in
//! the kernel, so that the operation which waits on it ends by itself. Nothing is cancelled half-way and no bytes are
//! lost in a dropped buffer.
//!
//! Setting a deadline writes two words; the wheel is only touched when a deadline comes closer than what is already
//! scheduled. A deadline fires at most `TICK_MS` + `LONGEST_SLEEP_MS` late.

use crate::{clock, sleep, spawn};
use std::cell::RefCell;
use std::os::fd::RawFd;
use std::time::Duration;

const TICK_MS: u64 = 10;
const SLOTS: u64 = 512;
const LONGEST_SLEEP_MS: u64 = 50;
const NEVER: u64 = u64::MAX;

/// Which direction of a late socket is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Reading: what waits for bytes sees the end of input; an answer can still be sent.
    Read,
    /// The same, for a socket that waits for work that may never come: [`cut_idle`] may do it at any time. What has
    /// arrived already can still be read.
    Idle,
    /// Both ways.
    Both,
}

struct Entry {
    fd: RawFd,
    due: u64,
    /// The tick whose slot holds this entry, or `NEVER`.
    scheduled: u64,
    cut: Cut,
    fired: bool,
    used: bool,
    /// Told apart from an earlier user of the same index by what the slots hold.
    generation: u32,
}

struct Wheel {
    entries: Vec<Entry>,
    free: Vec<u32>,
    slots: Vec<Vec<(u32, u32)>>,
    /// The first tick that has not been looked at.
    next: u64,
    scheduled: usize,
}

thread_local! {
    static WHEEL: RefCell<Wheel> = RefCell::new(Wheel::new());
}

fn now_tick() -> u64 {
    clock::coarse_ms() / TICK_MS
}

impl Wheel {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            next: now_tick(),
            scheduled: 0,
        }
    }

    fn register(&mut self, fd: RawFd) -> u32 {
        let fresh = Entry {
            fd,
            due: NEVER,
            scheduled: NEVER,
            cut: Cut::Both,
            fired: false,
            used: true,
            generation: 0,
        };
        match self.free.pop() {
            Some(index) => {
                let entry = &mut self.entries[index as usize];
                *entry = Entry { generation: entry.generation.wrapping_add(1), ..fresh };
                index
            }
            None => {
                self.entries.push(fresh);
                self.entries.len() as u32 - 1
            }
        }
    }

    fn schedule(&mut self, index: u32, due: u64) {
        let tick = due.clamp(self.next, self.next + SLOTS - 1);
        let entry = &mut self.entries[index as usize];
        entry.scheduled = tick;
        self.slots[(tick % SLOTS) as usize].push((index, entry.generation));
        self.scheduled += 1;
    }

    fn arm(&mut self, index: u32, due: u64, cut: Cut) {
        let entry = &mut self.entries[index as usize];
        entry.due = due;
        entry.cut = cut;
        if entry.scheduled > due {
            self.schedule(index, due);
        }
    }

    /// Looks at every tick up to `now` and shuts down what is late.
    fn turn(&mut self, now: u64) {
        // After a long pause of the thread every slot has to be seen, but each only once.
        self.next = self.next.max(now.saturating_sub(SLOTS - 1));
        while self.next <= now {
            let slot = (self.next % SLOTS) as usize;
            let mut due = std::mem::take(&mut self.slots[slot]);
            self.next += 1;
            for (index, generation) in due.drain(..) {
                self.scheduled -= 1;
                let entry = &mut self.entries[index as usize];
                if entry.generation != generation || !entry.used {
                    continue;
                }
                // A closer deadline may have put the entry into two slots; the later one is then stale.
                if entry.scheduled >= self.next {
                    continue;
                }
                entry.scheduled = NEVER;
                match entry.due {
                    NEVER => {}
                    late if late <= now => entry.fire(),
                    due => self.schedule(index, due),
                }
            }
            // The slot keeps its room; what `schedule` put into it meanwhile stays.
            let fresh = std::mem::replace(&mut self.slots[slot], due);
            self.slots[slot].extend(fresh);
        }
    }

    fn pause(&self) -> Duration {
        let longest = LONGEST_SLEEP_MS / TICK_MS;
        let ticks = match self.scheduled {
            0 => longest,
            _ => (1..longest)
                .find(|n| !self.slots[((self.next + n) % SLOTS) as usize].is_empty())
                .unwrap_or(longest),
        };
        Duration::from_millis(ticks * TICK_MS)
    }
}

impl Entry {
    fn fire(&mut self) {
        self.fired = true;
        self.due = NEVER;
        let how = match self.cut {
            Cut::Read | Cut::Idle => libc::SHUT_RD,
            Cut::Both => libc::SHUT_RDWR,
        };
        // SAFETY: the descriptor is open: its owner unregisters the entry before closing it.
        unsafe { libc::shutdown(self.fd, how) };
    }
}

/// Starts this thread's wheel. Called once by `run`.
pub(crate) fn start() {
    spawn(async {
        loop {
            let pause = WHEEL.with_borrow(Wheel::pause);
            sleep(pause).await;
            WHEEL.with_borrow_mut(|wheel| wheel.turn(now_tick()));
        }
    });
}

/// Ends every idle wait now.
pub fn cut_idle() {
    WHEEL.with_borrow_mut(|wheel| {
        let waiting = |entry: &&mut Entry| entry.used && entry.due != NEVER && entry.cut == Cut::Idle;
        wheel.entries.iter_mut().filter(waiting).for_each(Entry::fire);
    });
}

/// The deadline of one socket. At most one is armed at a time; arming replaces it.
#[derive(Debug)]
pub struct Deadline {
    index: u32,
}

impl Deadline {
    /// For an open descriptor, which must stay open for as long as this lives.
    pub(crate) fn new(fd: RawFd) -> Self {
        Self { index: WHEEL.with_borrow_mut(|wheel| wheel.register(fd)) }
    }

    /// Shuts the socket down in `after` from now, unless armed anew or disarmed before.
    pub fn arm(&self, after: Duration, cut: Cut) {
        // Rounded up, and one tick more for the coarse clock: never early.
        let ticks = (after.as_millis() as u64).div_ceil(TICK_MS) + 1;
        WHEEL.with_borrow_mut(|wheel| wheel.arm(self.index, now_tick() + ticks, cut));
    }

    /// No deadline for now.
    pub fn disarm(&self) {
        WHEEL.with_borrow_mut(|wheel| wheel.entries[self.index as usize].due = NEVER);
    }

    /// Whether the socket was shut down by its deadline.
    pub fn fired(&self) -> bool {
        WHEEL.with_borrow(|wheel| wheel.entries[self.index as usize].fired)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // A thread that ends drops its sockets after its wheel may be gone.
        let _ = WHEEL.try_with(|wheel| {
            let mut wheel = wheel.borrow_mut();
            wheel.entries[self.index as usize].used = false;
            wheel.free.push(self.index);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel_at(tick: u64) -> Wheel {
        Wheel { next: tick, ..Wheel::new() }
    }

    #[test]
    fn fires_when_due_and_not_before() {
        let mut wheel = wheel_at(1_000);
        let index = wheel.register(-1);
        wheel.arm(index, 1_010, Cut::Both);
        wheel.turn(1_009);
        assert!(!wheel.entries[index as usize].fired);
        wheel.turn(1_010);
        assert!(wheel.entries[index as usize].fired);
        assert_eq!(wheel.scheduled, 0);
    }

    #[test]
    fn moving_a_deadline_out_is_lazy_and_moving_it_in_is_not() {
        let mut wheel = wheel_at(1_000);
        let index = wheel.register(-1);
        wheel.arm(index, 1_010, Cut::Both);
        wheel.arm(index, 1_100, Cut::Both);
        assert_eq!(wheel.scheduled, 1);
        wheel.turn(1_099);
        assert!(!wheel.entries[index as usize].fired);
        wheel.arm(index, 1_101, Cut::Read);
        wheel.turn(1_101);
        assert!(wheel.entries[index as usize].fired);
        let other = wheel.register(-1);
        wheel.arm(other, 5_000, Cut::Both);
        wheel.arm(other, 1_150, Cut::Both);
        wheel.turn(1_150);
        assert!(wheel.entries[other as usize].fired);
    }

    #[test]
    fn a_deadline_beyond_the_wheel_is_carried_on() {
        let mut wheel = wheel_at(0);
        let index = wheel.register(-1);
        wheel.arm(index, SLOTS * 3 + 7, Cut::Both);
        for now in 0..SLOTS * 3 + 7 {
            wheel.turn(now);
            assert!(!wheel.entries[index as usize].fired, "{now}");
        }
        wheel.turn(SLOTS * 3 + 7);
        assert!(wheel.entries[index as usize].fired);
    }

    #[test]
    fn a_new_owner_of_an_index_is_not_hit_by_the_old_ones_deadline() {
        let mut wheel = wheel_at(0);
        let index = wheel.register(-1);
        wheel.arm(index, 5, Cut::Both);
        wheel.entries[index as usize].used = false;
        wheel.free.push(index);
        assert_eq!(wheel.register(-1), index);
        wheel.turn(10);
        assert!(!wheel.entries[index as usize].fired);
    }

    #[test]
    fn a_long_pause_of_the_thread_fires_everything_late() {
        let mut wheel = wheel_at(0);
        let all: Vec<u32> = (1..400)
            .map(|due| {
                let index = wheel.register(-1);
                wheel.arm(index, due, Cut::Both);
                index
            })
            .collect();
        wheel.turn(100_000);
        assert!(all.iter().all(|index| wheel.entries[*index as usize].fired));
    }
}
