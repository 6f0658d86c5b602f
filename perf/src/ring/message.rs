//! Receiving with the kernel's time of arrival: a `msghdr` with room for one control message, which the kernel reads when
//! the operation begins and writes when it ends. It must not move meanwhile.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

/// One header of a control message with one time in it.
#[repr(C, align(8))]
struct Control {
    header: libc::cmsghdr,
    time: libc::timespec,
}

/// Where one receive puts bytes and their time.
pub(crate) struct Message {
    header: libc::msghdr,
    bytes: libc::iovec,
    control: Control,
}

impl Message {
    /// For one socket; kept for all of its receives.
    pub(crate) fn new() -> Box<Self> {
        // SAFETY: all three are plain data, for which zeros are valid.
        Box::new(unsafe { std::mem::zeroed() })
    }

    /// For a receive into so many bytes from `begin`; what the kernel wrote of the one before is gone.
    pub(crate) fn prepare(&mut self, begin: *mut u8, room: usize) -> *mut libc::msghdr {
        self.bytes = libc::iovec { iov_base: begin.cast(), iov_len: room };
        self.header.msg_iov = &raw mut self.bytes;
        self.header.msg_iovlen = 1;
        self.header.msg_control = (&raw mut self.control).cast();
        self.header.msg_controllen = size_of::<Control>();
        &raw mut self.header
    }

    /// When the last of the received bytes arrived, in nanoseconds since 1970, if the kernel said so.
    pub(crate) fn arrived_ns(&self) -> Option<u64> {
        let Control { header, time } = &self.control;
        let told = self.header.msg_controllen >= size_of::<Control>()
            && header.cmsg_level == libc::SOL_SOCKET
            && header.cmsg_type == libc::SCM_TIMESTAMPNS;
        told.then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

/// Makes the kernel keep times of arrival for a socket, and, while any such socket is open, stamp every packet.
pub(crate) fn ask_for_times(socket: RawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int on the stack, and its size is told.
    let outcome = unsafe {
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, ptr::from_ref(&on).cast(), size)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    #[test]
    fn only_what_the_kernel_wrote_is_a_time() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut sender = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (receiver, _) = listener.accept().expect("accepted");
        let mut buffer = [0; 16];
        let mut message = Message::new();
        let mut receive = |message: &mut Message| {
            sender.write_all(b"bytes").expect("sent");
            let header = message.prepare(buffer.as_mut_ptr(), buffer.len());
            // SAFETY: all that the header points to is alive.
            assert_eq!(unsafe { libc::recvmsg(receiver.as_raw_fd(), header, 0) }, 5);
            message.arrived_ns()
        };
        assert_eq!(receive(&mut message), None, "nobody asked");
        ask_for_times(receiver.as_raw_fd()).expect("asked");
        // The kernel begins to stamp a moment after the first socket asked for it.
        let patience = Instant::now() + Duration::from_secs(10);
        let mut next = || {
            while Instant::now() < patience {
                if let Some(time) = receive(&mut message) {
                    return time;
                }
            }
            panic!("no time");
        };
        let times = [next(), next()];
        assert!(times[0] > 1_700_000_000_000_000_000 && times[1] > times[0], "{times:?}");
    }
}
