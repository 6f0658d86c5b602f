//! The relay: one ring with the flags of a shard, four operations a request (receive from the client, send to the
//! upstream, receive from it, send to the client), one request at a time on a connection. It knows the CPU time of its
//! own thread and nothing else of time; an operation that fails or is cut short ends the run.

use super::buffers::{Buffers, GROUP};
use super::message::{Message, ask_for_times};
use super::way::{GATHERED, Receive, Way};
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};
use uring::{IoUring, cqueue, opcode, squeue, types};

/// Entries of the submission queue, as a shard has by default.
const ENTRIES: u32 = 1024;
/// Bytes of a connection's own buffer.
const ROOM: usize = 4096;
/// Turns between two looks at the clock.
const TURNS: u64 = 32;
/// So long without a completion means that the load has stopped, in seconds.
const PATIENCE_S: u64 = 2;

/// What one run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Figures {
    /// Responses that the kernel has taken.
    pub(crate) requests: u64,
    /// CPU time of the relay's thread, in nanoseconds.
    pub(crate) cpu_ns: u64,
    /// By the clock.
    pub(crate) wall_ns: u64,
    /// Calls of `io_uring_enter` that waited.
    pub(crate) turns: u64,
    pub(crate) completions: u64,
    /// Receives that brought a time.
    pub(crate) stamps: u64,
    /// Receives that ended early: for want of buffers, or those that were to go on because the kernel chose so.
    pub(crate) rearmed: u64,
}

/// What an operation was, in the last two bits of its `user_data`; the rest is the socket's place.
mod kind {
    pub(super) const SEND: u64 = 0;
    pub(super) const RECEIVE: u64 = 1;
    pub(super) const RECEIVE_STAMPED: u64 = 2;
}

/// One end of a connection: a client's at even places, its upstream's at the odd one after it.
struct End {
    fd: RawFd,
    /// What was received here, until it is sent on.
    bytes: Box<[u8; ROOM]>,
    message: Option<Box<Message>>,
    /// How much is being sent here.
    sending: usize,
}

pub(crate) struct Relay {
    way: &'static Way,
    // Dropped before what the kernel writes to.
    ring: IoUring,
    ends: Vec<End>,
    buffers: Option<Buffers>,
    completions: Vec<(u64, i32, u32)>,
    receives: u64,
    figures: Figures,
}

impl Relay {
    /// On this thread, which must be the one that runs it. The sockets must stay open until it is dropped.
    pub(crate) fn new(way: &'static Way, sockets: &[TcpStream]) -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun();
        let ring = builder.build(ENTRIES)?;
        if way.gather_us > 0 && !ring.params().is_feature_min_timeout() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it needs Linux 6.12; --only leaves it out",
            ));
        }
        let fds: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        if way.fixed {
            ring.submitter().register_files(&fds)?;
        }
        let stamped = way.receive.stamp_every() > 0;
        if stamped {
            fds.iter().try_for_each(|fd| ask_for_times(*fd))?;
        }
        let buffers =
            way.receive.picks().then(|| Buffers::new(&ring.submitter(), sockets.len())).transpose()?;
        let end = |(at, fd): (usize, &RawFd)| End {
            fd: if way.fixed { at as RawFd } else { *fd },
            bytes: Box::new([0; ROOM]),
            message: stamped.then(Message::new),
            sending: 0,
        };
        Ok(Self {
            way,
            ring,
            ends: fds.iter().enumerate().map(end).collect(),
            buffers,
            completions: Vec::new(),
            receives: 0,
            figures: Figures::default(),
        })
    }

    /// Relays, and counts after the warm-up.
    pub(crate) fn run(mut self, warm_up: Duration, length: Duration) -> io::Result<Figures> {
        let armed = if self.way.receive.lasts() || self.way.early { 1 } else { 2 };
        for at in (0..self.ends.len()).step_by(armed) {
            self.receive(at)?;
        }
        self.relay_for(warm_up)?;
        let (began, cpu_ns) = (Instant::now(), thread_cpu_ns());
        self.figures = Figures::default();
        self.relay_for(length)?;
        self.figures.cpu_ns = thread_cpu_ns() - cpu_ns;
        self.figures.wall_ns = began.elapsed().as_nanos() as u64;
        Ok(self.figures)
    }

    fn relay_for(&mut self, length: Duration) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < length {
            for _ in 0..TURNS {
                self.turn()?;
            }
        }
        Ok(())
    }

    /// Submits what there is, waits, and follows up on all completions.
    fn turn(&mut self) -> io::Result<()> {
        let patience = types::Timespec::new().sec(PATIENCE_S);
        let (want, least) = match self.way.gather_us {
            0 => (1, types::SubmitArgs::new()),
            us => (GATHERED, types::SubmitArgs::new().min_wait_usec(us)),
        };
        match self.ring.submitter().submit_with_args(want, &least.timespec(&patience)) {
            Err(why) if why.raw_os_error() == Some(libc::ETIME) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came from the load"));
            }
            Err(why) if why.raw_os_error() != Some(libc::EBUSY) => return Err(why),
            _ => {}
        }
        let mut completions = std::mem::take(&mut self.completions);
        completions.extend(self.ring.completion().map(|c| (c.user_data(), c.result(), c.flags())));
        self.figures.turns += 1;
        self.figures.completions += completions.len() as u64;
        for (id, result, flags) in completions.drain(..) {
            self.complete(id, result, flags)?;
        }
        self.completions = completions;
        if let Some(buffers) = &self.buffers {
            buffers.publish();
        }
        Ok(())
    }

    fn complete(&mut self, id: u64, result: i32, flags: u32) -> io::Result<()> {
        let (at, kind) = ((id >> 2) as usize, id & 3);
        let lasts = self.way.receive.lasts();
        if result == -libc::ENOBUFS {
            // Those that this turn gave back are there when the operation begins.
            self.figures.rearmed += 1;
            return self.receive(at);
        }
        let length = match usize::try_from(result) {
            Err(_) => return Err(io::Error::from_raw_os_error(-result)),
            Ok(0) => return Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(length) => length,
        };
        if kind == kind::SEND {
            if length < self.ends[at].sending {
                return Err(io::Error::new(io::ErrorKind::WriteZero, "a send was cut short"));
            }
            self.figures.requests += u64::from(at % 2 == 0);
            return if lasts || self.way.early { Ok(()) } else { self.receive(at) };
        }
        let end = &mut self.ends[at];
        if kind == kind::RECEIVE_STAMPED {
            self.figures.stamps += u64::from(end.message.as_ref().is_some_and(|m| m.arrived_ns().is_some()));
        }
        if let (Some(buffers), Some(buffer)) = (&mut self.buffers, cqueue::buffer_select(flags)) {
            end.bytes[..length].copy_from_slice(buffers.filled(buffer, length));
            buffers.give(buffer);
        }
        if lasts && !cqueue::more(flags) {
            self.figures.rearmed += 1;
            self.receive(at)?;
        }
        self.send(at, length)
    }

    /// Sends what was received at one end to the other.
    fn send(&mut self, from: usize, length: usize) -> io::Result<()> {
        let to = from ^ 1;
        self.ends[to].sending = length;
        let entry =
            opcode::Send::new(types::Fd(self.ends[to].fd), self.ends[from].bytes.as_ptr(), length as u32)
                .build();
        self.push(entry, to, kind::SEND)?;
        if self.way.early { self.receive(to) } else { Ok(()) }
    }

    fn receive(&mut self, at: usize) -> io::Result<()> {
        self.receives += 1;
        let end = &mut self.ends[at];
        let (fd, begin) = (types::Fd(end.fd), end.bytes.as_mut_ptr());
        let once = |begin| opcode::Recv::new(fd, begin, ROOM as u32);
        let mut kind = kind::RECEIVE;
        let entry = match (self.way.receive, &mut end.message) {
            (Receive::Stamped(every), Some(message)) if self.receives.is_multiple_of(every) => {
                kind = kind::RECEIVE_STAMPED;
                opcode::RecvMsg::new(fd, message.prepare(begin, ROOM)).build()
            }
            (Receive::Once | Receive::Stamped(_), _) => once(begin).build(),
            (Receive::Picked, _) => {
                // No length: as much as the buffer has room for.
                let entry = opcode::Recv::new(fd, std::ptr::null_mut(), 0).buf_group(GROUP).build();
                entry.flags(squeue::Flags::BUFFER_SELECT)
            }
            (Receive::Multishot, _) => opcode::RecvMulti::new(fd, GROUP).build(),
            (Receive::Bundled, _) => opcode::RecvMultiBundle::new(fd, GROUP).build(),
        };
        self.push(entry, at, kind)
    }

    fn push(&mut self, entry: squeue::Entry, at: usize, kind: u64) -> io::Result<()> {
        let mut entry = entry.user_data((at as u64) << 2 | kind);
        if self.way.fixed {
            entry = entry.flags(squeue::Flags::FIXED_FILE);
        }
        // SAFETY: what entries point to is on the heap and stays there until the ring is gone.
        while unsafe { self.ring.submission().push(&entry).is_err() } {
            self.ring.submit()?;
        }
        Ok(())
    }
}

impl Drop for Relay {
    /// Nothing is under way afterwards that would write here, or keep a socket, and what was switched on for it in the
    /// kernel, beyond its closing.
    fn drop(&mut self) {
        // An error says that nothing was under way, or nothing was registered.
        let _ = self.ring.submitter().register_sync_cancel(None, types::CancelBuilder::any());
        let _ = self.ring.submitter().unregister_files();
    }
}

/// CPU time of this thread so far.
fn thread_cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer to a value on the stack; every kernel has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
