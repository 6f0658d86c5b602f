//! The turns of this thread's ring by the clock: when the thread last went into the kernel and when it came back, and where
//! among the sends it brought along that of a socket was. One clock reading on each side of a call, for all that happened
//! in it. Nothing here waits or decides.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::RawFd;

/// What a send weighs where another operation is 1: it goes down to the device, and on a loopback device up to the receiver.
const SEND: u32 = 6;
/// The longest that the kernel takes for a weight of 1 which it does at once. A call that lasted longer for each of them has
/// slept in between, and says nothing of when it sent.
const LONGEST_NS: u64 = 10_000;

/// The send of a socket that was submitted last.
#[derive(Clone, Copy, Default)]
struct Sent {
    turn: u32,
    /// Weight of what was submitted before it in the same call.
    before: u32,
}

struct Turn {
    number: Cell<u32>,
    /// Weight of the operations gathered for the next call.
    gathered: Cell<u32>,
    /// Weight of what the last call took along.
    taken: Cell<u32>,
    entered_ns: Cell<u64>,
    returned_ns: Cell<u64>,
    /// By descriptor.
    sockets: RefCell<Vec<Sent>>,
}

thread_local! {
    static TURN: Turn = const {
        Turn {
            number: Cell::new(1),
            gathered: Cell::new(0),
            taken: Cell::new(0),
            entered_ns: Cell::new(0),
            returned_ns: Cell::new(0),
            sockets: RefCell::new(Vec::new()),
        }
    };
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec and the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Goes into the kernel.
pub(crate) fn enter(call: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    TURN.with(|turn| {
        turn.entered_ns.set(now_ns());
        let outcome = call();
        turn.returned_ns.set(now_ns());
        turn.number.set(turn.number.get().wrapping_add(1));
        turn.taken.set(turn.gathered.replace(0));
        outcome
    })
}

/// Counts an operation that the next call takes along, and remembers it if it is a send.
pub(crate) fn gather(sends_to: Option<RawFd>) {
    TURN.with(|turn| {
        let before = turn.gathered.get();
        turn.gathered.set(before + if sends_to.is_some() { SEND } else { 1 });
        let Some(at) = sends_to.and_then(|fd| usize::try_from(fd).ok()) else { return };
        let mut sockets = turn.sockets.borrow_mut();
        if sockets.len() <= at {
            sockets.resize(at + 1, Sent::default());
        }
        sockets[at] = Sent { turn: turn.number.get(), before };
    });
}

/// The number of this turn: it grows by one with every call. It stays what it is where no ring runs on this thread.
pub fn number() -> u32 {
    TURN.with(|turn| turn.number.get())
}

/// When this thread last came back from the kernel, in nanoseconds of `CLOCK_MONOTONIC`: what its ring brought back was
/// there by then. 0 where no ring has run on it.
pub fn began_ns() -> u64 {
    TURN.with(|turn| turn.returned_ns.get())
}

/// About when the kernel took a socket's last send, in nanoseconds of `CLOCK_MONOTONIC`: the operations of a call are done
/// one after another, so that the send's place among them says where in the call it was. What had to wait for room
/// was taken when the call came back, as far as anybody can tell. 0 where no ring has run on this thread.
pub fn sent_ns(fd: RawFd) -> u64 {
    TURN.with(|turn| {
        let returned_ns = turn.returned_ns.get();
        let sockets = turn.sockets.borrow();
        let sent = usize::try_from(fd).ok().and_then(|at| sockets.get(at)).copied().unwrap_or_default();
        if sent.turn.wrapping_add(1) != turn.number.get() {
            return returned_ns;
        }
        share(turn.entered_ns.get(), returned_ns, sent.before, turn.taken.get())
    })
}

/// When a send that followed a weight of `before` in a call of `taken` handed its packet over: a sixth into its share of the
/// call, as what comes after that is longer.
fn share(entered_ns: u64, returned_ns: u64, before: u32, taken: u32) -> u64 {
    let (length_ns, taken) = (returned_ns - entered_ns, u64::from(taken.max(1)));
    if length_ns > taken * LONGEST_NS {
        return returned_ns;
    }
    entered_ns + length_ns * (u64::from(before) + 1) / taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_is_where_its_place_in_the_call_says() {
        let check = |entered, returned, before, taken, expected| {
            assert_eq!(share(entered, returned, before, taken), expected);
        };
        check(1_000, 7_000, 0, SEND, 2_000);
        check(1_000, 13_000, 0, 2 * SEND, 2_000);
        check(1_000, 13_000, SEND, 2 * SEND, 8_000);
        // It slept: one operation does not take so long.
        check(1_000, 1_000 + LONGEST_NS + 1, 0, 1, 1_000 + LONGEST_NS + 1);
        check(1_000, 1_000, 0, 0, 1_000);
    }

    #[test]
    fn only_what_went_with_the_last_call_is_in_it() {
        assert_eq!((began_ns(), sent_ns(3), number()), (0, 0, 1));
        gather(None);
        gather(Some(7));
        enter(|| Ok(2)).expect("called");
        assert_eq!(number(), 2);
        let first = sent_ns(7);
        assert!(first <= began_ns() && first > 0);
        gather(Some(8));
        enter(|| Ok(1)).expect("called");
        assert!(sent_ns(7) == began_ns() && sent_ns(8) <= began_ns() && sent_ns(8) > first);
        assert_eq!(sent_ns(-1), began_ns());
    }
}
