//! The ring of the runtime. The runtime asks for the crate `io-uring` 0.6 and waits for completions in one way only; the
//! workspace gives it this instead: the kept version of that crate, with the ways of waiting and of looking at the clock
//! that the runtime has no door for. Nothing here knows the runtime, and whoever replaces the runtime drops this with it.

pub mod arrival;
mod queues;
pub mod turn;

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

pub use queues::{cqueue, squeue};
pub use uring::{Parameters, Probe, opcode, types};

/// `IORING_ENTER_GETEVENTS`: the kernel does what it has put off for the ring.
const GET_EVENTS: u32 = 1;
/// Looks at the queues between two at the clock.
const LOOKS: usize = 16;

/// How a ring waits for completions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// How long the thread looks for completions before it sleeps, and then the kernel for packets in the network card's
    /// queue where it knows how (Linux 6.9).
    pub busy_poll_us: u32,
}

/// Makes rings.
#[derive(Clone)]
pub struct Builder {
    inner: uring::Builder,
    waiting: Waiting,
    is_stamped: bool,
}

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty)?)),* $(,)?) => {
        $(
            #[doc = concat!("See `", stringify!($name), "` of the crate `io-uring`.")]
            pub fn $name(&mut self $(, $argument: $kind)?) -> &mut Self {
                self.inner.$name($($argument)?);
                self
            }
        )*
    };
}

impl Builder {
    passed_on!(
        setup_sqpoll(idle_ms: u32),
        setup_sqpoll_cpu(cpu: u32),
        setup_cqsize(entries: u32),
        setup_coop_taskrun(),
        setup_taskrun_flag(),
        setup_defer_taskrun(),
        setup_single_issuer(),
    );

    /// How the ring waits. Looking needs `setup_taskrun_flag` where the kernel puts work off.
    pub fn waiting(&mut self, waiting: Waiting) -> &mut Self {
        self.waiting = waiting;
        self
    }

    /// Receives also ask when the bytes arrived, for [`arrival::take_ns`]. Sockets have to be told to stamp them.
    pub fn stamped(&mut self, is_stamped: bool) -> &mut Self {
        self.is_stamped = is_stamped;
        self
    }

    /// A ring with so many submission entries, for this thread.
    pub fn build(&self, entries: u32) -> io::Result<IoUring> {
        let ring = self.inner.build(entries)?;
        let Self { waiting, is_stamped, .. } = *self;
        if waiting.busy_poll_us > 0 {
            let card = types::Napi::new().set_busy_poll_timeout(waiting.busy_poll_us);
            // A kernel that cannot leaves it to the thread to look.
            let _ = ring.submitter().register_napi(&mut card.set_prefer_busy_poll(true));
        }
        Ok(IoUring { ring, waiting, is_stamped })
    }
}

/// A ring.
pub struct IoUring {
    ring: uring::IoUring,
    waiting: Waiting,
    is_stamped: bool,
}

impl IoUring {
    /// A ring as the kernel makes it.
    pub fn new(entries: u32) -> io::Result<Self> {
        Self::builder().build(entries)
    }

    /// What makes rings.
    pub fn builder() -> Builder {
        Builder { inner: uring::IoUring::builder(), waiting: Waiting::default(), is_stamped: false }
    }

    /// What the kernel said when it was made.
    pub fn params(&self) -> &Parameters {
        self.ring.params()
    }

    /// The submission queue.
    pub fn submission(&mut self) -> squeue::SubmissionQueue<'_> {
        squeue::SubmissionQueue { inner: self.ring.submission(), is_stamped: self.is_stamped }
    }

    /// The completion queue.
    pub fn completion(&mut self) -> cqueue::CompletionQueue<'_> {
        cqueue::CompletionQueue { inner: self.ring.completion(), is_stamped: self.is_stamped }
    }

    /// Submits.
    pub fn submit(&self) -> io::Result<usize> {
        turn::enter(|| self.ring.submit())
    }

    /// Submits and waits for so many completions.
    pub fn submit_and_wait(&self, want: usize) -> io::Result<usize> {
        turn::enter(|| {
            if want > 0 && self.has_some()? {
                return Ok(0);
            }
            self.ring.submit_and_wait(want)
        })
    }

    /// What submits, waits and registers.
    pub fn submitter(&self) -> Submitter<'_> {
        Submitter { ring: self }
    }

    fn is_complete(&self) -> bool {
        // SAFETY: no other view of the queue exists: it is only lent for as long as this ring is lent mutably.
        unsafe { !self.ring.completion_shared().is_empty() }
    }

    /// Whether the kernel has work that it put off until the ring asks for completions.
    fn has_work(&self) -> bool {
        // SAFETY: as above.
        unsafe { self.ring.submission_shared().taskrun() }
    }

    /// Where the ring looks before it sleeps: submits, and looks as long as it may. Whether there are completions now;
    /// if not, it has to sleep, or to let the kernel do its work, which the same call does.
    #[expect(clippy::disallowed_methods, reason = "how long to look is no matter of a turn's clock")]
    fn has_some(&self) -> io::Result<bool> {
        if self.waiting.busy_poll_us == 0 {
            return Ok(false);
        }
        if self.ring.params().is_setup_sqpoll() {
            self.ring.submit()?;
        } else {
            // SAFETY: as above.
            let to_submit = unsafe { self.ring.submission_shared().len() } as u32;
            // SAFETY: no argument is passed.
            unsafe { self.ring.submitter().enter::<libc::sigset_t>(to_submit, 0, GET_EVENTS, None)? };
        }
        if self.is_complete() {
            return Ok(true);
        }
        let end = Instant::now() + Duration::from_micros(self.waiting.busy_poll_us.into());
        loop {
            for _ in 0..LOOKS {
                if self.is_complete() || self.has_work() {
                    return Ok(self.is_complete());
                }
                std::hint::spin_loop();
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
    }
}

impl AsRawFd for IoUring {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// Submits, waits and registers.
pub struct Submitter<'a> {
    ring: &'a IoUring,
}

impl Submitter<'_> {
    /// Submits.
    pub fn submit(&self) -> io::Result<usize> {
        self.ring.submit()
    }

    /// Submits and waits for so many completions, as long as the arguments say.
    pub fn submit_with_args(&self, want: usize, args: &types::SubmitArgs<'_, '_>) -> io::Result<usize> {
        turn::enter(|| {
            if want > 0 && self.ring.has_some()? {
                return Ok(0);
            }
            self.ring.ring.submitter().submit_with_args(want, args)
        })
    }

    /// Asks which operations the kernel knows.
    pub fn register_probe(&self, probe: &mut Probe) -> io::Result<()> {
        self.ring.ring.submitter().register_probe(probe)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the clock")]
mod tests {
    use super::*;

    fn ring(waiting: Waiting) -> Option<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun().setup_taskrun_flag();
        // Where there is no io_uring there is nothing to test; shards run on epoll then.
        builder.waiting(waiting).build(8).ok()
    }

    fn push(ring: &mut IoUring, entry: squeue::Entry, id: u64) {
        // SAFETY: what the entries of these tests point to lives until they are complete.
        unsafe { ring.submission().push(&entry.user_data(id)).expect("room") };
    }

    fn ids(ring: &mut IoUring) -> Vec<u64> {
        ring.completion().map(|entry| entry.user_data()).collect()
    }

    #[test]
    fn every_way_of_waiting_submits_and_waits() {
        for busy_poll_us in [0, 200] {
            let Some(mut ring) = ring(Waiting { busy_poll_us }) else { return };
            // Complete at once.
            push(&mut ring, opcode::Nop::new().build(), 1);
            push(&mut ring, opcode::Nop::new().build(), 2);
            ring.submit_and_wait(1).expect("entered");
            assert_eq!(ids(&mut ring), [1, 2], "{busy_poll_us}");
            // Complete long after the thread has stopped looking, and by the kernel's own clock.
            let pause = types::Timespec::new().nsec(20_000_000);
            push(&mut ring, opcode::Timeout::new(&pause).build(), 3);
            let began = Instant::now();
            let long = types::Timespec::new().sec(5);
            while ring.completion().is_empty() {
                ring.submitter()
                    .submit_with_args(1, &types::SubmitArgs::new().timespec(&long))
                    .expect("entered");
            }
            assert_eq!(ids(&mut ring), [3], "{busy_poll_us}");
            assert!(began.elapsed() >= Duration::from_millis(20) && began.elapsed() < Duration::from_secs(4));
            // Nothing to wait for: the time of the arguments ends it.
            let short = types::Timespec::new().nsec(5_000_000);
            let outcome = ring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&short));
            assert!(outcome.is_err_and(|error| error.raw_os_error() == Some(libc::ETIME)));
        }
    }

    #[test]
    fn what_comes_while_the_thread_looks_is_seen_without_sleep() {
        let Some(mut ring) = ring(Waiting { busy_poll_us: 5_000_000 }) else { return };
        let pause = types::Timespec::new().nsec(5_000_000);
        push(&mut ring, opcode::Timeout::new(&pause).build(), 7);
        let began = Instant::now();
        while ring.completion().is_empty() {
            ring.submit_and_wait(1).expect("entered");
        }
        assert_eq!(ids(&mut ring), [7]);
        assert!(began.elapsed() < Duration::from_secs(4), "it does not look to its end");
    }
}
