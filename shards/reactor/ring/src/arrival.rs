//! When bytes arrived. The kernel stamps every packet of a socket that asks for it (`SO_TIMESTAMPNS`) and gives the stamp of
//! the last one it read, but only to `recvmsg`, for which the runtime has no door: its receives are turned into that on
//! their way into the ring. Where a stamp is missing a receive is as good as without.

use std::cell::RefCell;
use std::mem::{offset_of, size_of};
use std::os::fd::RawFd;
use std::ptr;
use uring::{opcode, squeue};

/// The bytes of one control message with a time in it.
const CONTROL: usize = size_of::<libc::cmsghdr>() + size_of::<libc::timespec>();

#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// The arguments of one receive, where the kernel finds them for as long as it lasts.
struct Slot {
    message: libc::msghdr,
    vector: libc::iovec,
    control: Control,
    fd: RawFd,
    is_used: bool,
}

#[derive(Default)]
struct Arrivals {
    /// By the number of the operation. Never given back: the kernel may write to them until the ring is gone.
    slots: Vec<Option<ptr::NonNull<Slot>>>,
    /// By descriptor: when what was read last had arrived; 0 where nobody knows.
    sockets: Vec<u64>,
}

thread_local! {
    static ARRIVALS: RefCell<Arrivals> = const { RefCell::new(Arrivals { slots: Vec::new(), sockets: Vec::new() }) };
}

/// The first half of `struct io_uring_sqe` as the kernel defines it.
#[repr(C)]
struct Submission {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: RawFd,
    offset: u64,
    address: u64,
    length: u32,
    operation_flags: u32,
    user_data: u64,
    rest: [u64; 3],
}

const _: () = assert!(size_of::<Submission>() == size_of::<squeue::Entry>());
const _: () = assert!(offset_of!(Submission, user_data) == 32);

/// Operations numbered from here on are nobody's: wake-ups, time-outs and cancellations.
const MOST_OPERATIONS: u64 = 1 << 24;

fn fields(entry: &squeue::Entry) -> &Submission {
    // SAFETY: an entry is `repr(C)` around the kernel's struct; size and fields are those of its ABI.
    unsafe { &*ptr::from_ref(entry).cast() }
}

/// The socket that an entry sends to.
pub(crate) fn sends_to(entry: &squeue::Entry) -> Option<RawFd> {
    let fields = fields(entry);
    (fields.opcode == opcode::Send::CODE).then_some(fields.fd)
}

/// The entry to submit in place of a receive, which also asks for the time of arrival.
pub(crate) fn stamped(entry: &squeue::Entry) -> Option<squeue::Entry> {
    let &Submission {
        opcode, flags: 0, priority: 0, fd, address, length, operation_flags: 0, user_data, ..
    } = fields(entry)
    else {
        return None;
    };
    if opcode != opcode::Recv::CODE || user_data >= MOST_OPERATIONS || fd < 0 {
        return None;
    }
    ARRIVALS.with_borrow_mut(|arrivals| {
        let at = user_data as usize;
        if arrivals.slots.len() <= at {
            arrivals.slots.resize(at + 1, None);
        }
        let slot = *arrivals.slots[at].get_or_insert_with(new_slot);
        // SAFETY: slots are never freed, and one of this number that was used before is complete.
        unsafe {
            let slot = slot.as_ptr();
            (*slot).vector = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length as usize };
            (*slot).fd = fd;
            (*slot).is_used = true;
            // The kernel writes how much it has used.
            (*slot).message.msg_controllen = CONTROL;
            Some(
                opcode::RecvMsg::new(uring::types::Fd(fd), &raw mut (*slot).message)
                    .build()
                    .user_data(user_data),
            )
        }
    })
}

fn new_slot() -> ptr::NonNull<Slot> {
    // SAFETY: a msghdr and an iovec of zeros are valid ones.
    let slot: &'static mut Slot = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
    slot.message.msg_iov = &raw mut slot.vector;
    slot.message.msg_iovlen = 1;
    slot.message.msg_control = (&raw mut slot.control).cast();
    slot.into()
}

/// Takes the time of arrival out of a complete receive.
pub(crate) fn complete(user_data: u64, result: i32) {
    ARRIVALS.with_borrow_mut(|arrivals| {
        let Some(Some(slot)) = arrivals.slots.get(user_data as usize) else { return };
        // SAFETY: slots are never freed, and the kernel is done with this one.
        let slot = unsafe { slot.clone().as_mut() };
        if !std::mem::take(&mut slot.is_used) {
            return;
        }
        let at = slot.fd as usize;
        if arrivals.sockets.len() <= at {
            arrivals.sockets.resize(at + 1, 0);
        }
        arrivals.sockets[at] = if result > 0 { stamp(slot) } else { 0 };
    });
}

fn stamp(slot: &Slot) -> u64 {
    if slot.message.msg_controllen < CONTROL {
        return 0;
    }
    let control: *const u8 = slot.control.0.as_ptr();
    // SAFETY: the kernel has written a whole header and a time, aligned to eight bytes.
    unsafe {
        let head = &*control.cast::<libc::cmsghdr>();
        if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_TIMESTAMPNS {
            return 0;
        }
        let time = &*control.add(size_of::<libc::cmsghdr>()).cast::<libc::timespec>();
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

/// When what was read last from a socket had arrived at this host, in nanoseconds of `CLOCK_REALTIME`, and forgets it.
/// 0 where nobody knows.
pub fn take_ns(fd: RawFd) -> u64 {
    ARRIVALS.with_borrow_mut(|arrivals| {
        let socket = usize::try_from(fd).ok().and_then(|at| arrivals.sockets.get_mut(at));
        socket.map_or(0, std::mem::take)
    })
}
