//! The clock of the kit: it stands still until a test moves it, or until nothing else can go on. Sleeps are kept as weak
//! references, so that one that was cancelled is never waited for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use crate::host::Pending;

/// What a test finds when it does not set the clock: 2026-01-01T00:00:00Z, in milliseconds.
const EPOCH_MS: f64 = 1_767_225_600_000.0;

struct Sleep {
    due_ms: u64,
    waker: RefCell<Option<Waker>>,
}

struct Tick {
    until_ms: u64,
    is_over: Cell<bool>,
}

/// Wall clock and monotonic clock, both in milliseconds.
pub(crate) struct Clock {
    now_ms: Cell<u64>,
    /// Wall clock at 0 of the monotonic one.
    base_ms: Cell<f64>,
    sleeps: RefCell<Vec<Weak<Sleep>>>,
    ticks: RefCell<Vec<Weak<Tick>>>,
}

impl Default for Clock {
    fn default() -> Self {
        Clock {
            now_ms: Cell::new(0),
            base_ms: Cell::new(EPOCH_MS),
            sleeps: RefCell::default(),
            ticks: RefCell::default(),
        }
    }
}

impl Clock {
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.now_ms.get()
    }

    pub(crate) fn wall_ms(&self) -> f64 {
        self.base_ms.get() + self.now_ms.get() as f64
    }

    /// Sets the wall clock; timers do not notice.
    pub(crate) fn set_wall_ms(&self, ms: f64) {
        self.base_ms.set(ms - self.now_ms.get() as f64);
    }

    /// Back to the beginning, without sleeps.
    pub(crate) fn reset(&self) {
        self.now_ms.set(0);
        self.base_ms.set(EPOCH_MS);
        self.sleeps.borrow_mut().clear();
        self.ticks.borrow_mut().clear();
    }

    pub(crate) fn sleep(self: &Rc<Self>, ms: u64) -> Pending<()> {
        let sleep = Rc::new(Sleep { due_ms: self.now_ms.get() + ms, waker: RefCell::default() });
        self.sleeps.borrow_mut().push(Rc::downgrade(&sleep));
        let clock = self.clone();
        Box::pin(poll_fn(move |cx| {
            if clock.now_ms.get() >= sleep.due_ms {
                clock.sleeps.borrow_mut().retain(|known| !std::ptr::eq(known.as_ptr(), &*sleep));
                return Poll::Ready(());
            }
            *sleep.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    /// When the next sleep ends, if there is one.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let mut sleeps = self.sleeps.borrow_mut();
        sleeps.retain(|sleep| sleep.strong_count() > 0);
        sleeps.iter().filter_map(Weak::upgrade).map(|sleep| sleep.due_ms).min()
    }

    /// Moves to a time that is not before now and wakes who slept until then.
    pub(crate) fn advance_to(&self, ms: u64) {
        self.now_ms.set(self.now_ms.get().max(ms));
        for sleep in self.sleeps.borrow().iter().filter_map(Weak::upgrade) {
            if sleep.due_ms <= self.now_ms.get()
                && let Some(waker) = sleep.waker.borrow_mut().take()
            {
                waker.wake();
            }
        }
    }

    /// Moves on by `ms`, stopping at every sleep that ends on the way and letting run what waited for it. It is
    /// [`Clock::idle`] that moves: only when nothing else can go on is everything heard that was to be heard before.
    pub(crate) fn tick(self: &Rc<Self>, ms: u64) -> Pending<()> {
        let tick = Rc::new(Tick { until_ms: self.now_ms.get() + ms, is_over: Cell::new(false) });
        self.ticks.borrow_mut().push(Rc::downgrade(&tick));
        Box::pin(poll_fn(move |_| if tick.is_over.get() { Poll::Ready(()) } else { Poll::Pending }))
    }

    /// Nothing can go on: goes on with a tick that is under way, if there is one.
    pub(crate) fn idle(&self) -> bool {
        let mut ticks = self.ticks.borrow_mut();
        ticks.retain(|tick| tick.strong_count() > 0);
        let Some(tick) = ticks.iter().filter_map(Weak::upgrade).min_by_key(|tick| tick.until_ms) else {
            return false;
        };
        match self.next_due().filter(|due| *due <= tick.until_ms) {
            Some(due) => self.advance_to(due),
            None => {
                self.advance_to(tick.until_ms);
                tick.is_over.set(true);
                ticks.retain(|known| !std::ptr::eq(known.as_ptr(), &*tick));
            }
        }
        true
    }
}
