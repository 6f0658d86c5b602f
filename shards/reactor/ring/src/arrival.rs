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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the clock")]
mod tests {
    use super::*;
    use crate::IoUring;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant, SystemTime};
    use uring::types;

    fn now_ns() -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos() as u64
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        (client, listener.accept().expect("accepted").0)
    }

    fn ask_for_stamps(socket: &TcpStream) {
        let on: libc::c_int = 1;
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open and the option an int.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                length,
            )
        };
        assert_eq!(set, 0);
    }

    fn receive(ring: &mut IoUring, socket: &TcpStream, buffer: &mut [u8], id: u64) {
        let entry =
            opcode::Recv::new(types::Fd(socket.as_raw_fd()), buffer.as_mut_ptr(), buffer.len() as u32);
        // SAFETY: the buffers of these tests live until their operations are complete.
        unsafe { ring.submission().push(&entry.build().user_data(id)).expect("room") };
    }

    fn completions(ring: &mut IoUring) -> Vec<(u64, i32)> {
        ring.submit_and_wait(1).expect("entered");
        ring.completion().map(|entry| (entry.user_data(), entry.result())).collect()
    }

    #[test]
    fn a_receive_tells_when_its_bytes_had_arrived() {
        // Where there is no io_uring there is nothing to test.
        let Ok(mut ring) = IoUring::builder().stamped(true).build(8) else { return };
        let (mut client, server) = pair();
        ask_for_stamps(&server);
        let (fd, mut buffer) = (server.as_raw_fd(), [0; 16]);
        // The kernel begins to stamp a moment after the first socket asked for it.
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            let before_ns = now_ns();
            client.write_all(b"hello").expect("sent");
            let after_ns = now_ns();
            receive(&mut ring, &server, &mut buffer, 3);
            assert_eq!((completions(&mut ring).as_slice(), &buffer[..5]), (&[(3, 5)][..], &b"hello"[..]));
            match take_ns(fd) {
                0 => assert!(Instant::now() < patience, "no stamp"),
                stamp_ns => {
                    assert!((before_ns..=after_ns).contains(&stamp_ns), "{before_ns} {stamp_ns} {after_ns}");
                    break;
                }
            }
        }
        // It is told once; of a socket that stamps nothing it is not known.
        assert_eq!((take_ns(fd), take_ns(-1), take_ns(client.as_raw_fd())), (0, 0, 0));
        (&server).write_all(b"ok").expect("sent");
        receive(&mut ring, &client, &mut buffer, 9);
        assert_eq!((completions(&mut ring), take_ns(client.as_raw_fd())), (vec![(9, 2)], 0));
        // The end of the input has no bytes that could have arrived.
        drop(client);
        receive(&mut ring, &server, &mut buffer, 3);
        assert_eq!((completions(&mut ring), take_ns(fd)), (vec![(3, 0)], 0));
    }

    #[test]
    fn a_receive_is_cancelled_by_the_number_it_was_given() {
        let Ok(mut ring) = IoUring::builder().stamped(true).build(8) else { return };
        let (client, server) = pair();
        let mut buffer = [0; 16];
        receive(&mut ring, &server, &mut buffer, 7);
        let cancel = opcode::AsyncCancel::new(7).build().user_data(u64::MAX);
        // SAFETY: a cancellation points to nothing.
        unsafe { ring.submission().push(&cancel).expect("room") };
        let mut seen = completions(&mut ring);
        while seen.len() < 2 {
            seen.extend(completions(&mut ring));
        }
        seen.sort_unstable();
        assert_eq!(seen, [(7, -libc::ECANCELED), (u64::MAX, 0)]);
        // Its place can be used again at once.
        (&client).write_all(b"x").expect("sent");
        receive(&mut ring, &server, &mut buffer, 7);
        assert_eq!(completions(&mut ring), [(7, 1)]);
    }
}
