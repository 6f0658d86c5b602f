//! TCP sockets with owned buffers. A socket is split into a reader and a writer that work at the same time, each
//! with a deadline of its own. Reads append to a `Vec`, so that nothing is copied to make room.

use crate::clock;
use crate::deadline::{Cut, Deadline};
use crate::options::SocketOptions;
use monoio::buf::{IoBuf, SliceMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use std::cell::UnsafeCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

struct Shared {
    // Dropped first: the wheel must forget the descriptor before it is closed. Two, because a body that goes up and one
    // that comes down at the same time would disarm each other's.
    reading: Deadline,
    writing: Deadline,
    fd: RawFd,
    stream: UnsafeCell<TcpStream>,
}

/// A connected socket.
pub struct Socket {
    shared: Rc<Shared>,
}

/// The reading half.
pub struct Reader {
    shared: Rc<Shared>,
    /// Made when the first read ahead is asked for, and used again for all others.
    ahead: Option<Box<dyn Ahead>>,
    /// What the read ahead gave, until it is asked for.
    early: Option<ReadOutcome>,
}

type ReadOutcome = (io::Result<usize>, Vec<u8>);

/// One read that is under way without anybody awaiting it. The runtime's future has no name, so it is kept behind this;
/// its place on the heap is used again for every read.
trait Ahead {
    fn start(&mut self, buffer: Vec<u8>);
    fn is_started(&self) -> bool;
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ReadOutcome>;
}

struct Slot<M, F> {
    make: M,
    future: Pin<Box<Option<F>>>,
}

impl<M, F> Ahead for Slot<M, F>
where
    M: FnMut(Vec<u8>) -> F,
    F: Future<Output = ReadOutcome>,
{
    fn start(&mut self, buffer: Vec<u8>) {
        let future = (self.make)(buffer);
        self.future.set(Some(future));
    }

    fn is_started(&self) -> bool {
        self.future.is_some()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<ReadOutcome> {
        let Some(future) = self.future.as_mut().as_pin_mut() else { return Poll::Pending };
        let outcome = future.poll(context);
        if outcome.is_ready() {
            self.future.set(None);
        }
        outcome
    }
}

fn ahead(shared: Rc<Shared>) -> Box<dyn Ahead> {
    Box::new(slot(move |buffer| {
        let shared = shared.clone();
        async move { shared.stream().read(buffer).await }
    }))
}

fn slot<M: FnMut(Vec<u8>) -> F, F: Future<Output = ReadOutcome>>(make: M) -> Slot<M, F> {
    Slot { make, future: Box::pin(None) }
}

/// The writing half.
pub struct Writer {
    shared: Rc<Shared>,
    /// How long writes have waited for room since somebody took this number, nanoseconds: those that the kernel could not
    /// take at once, from where they were begun to where it had taken all.
    pub stalled_ns: u64,
}

/// Why a connection was not made.
#[derive(Debug)]
pub enum ConnectError {
    /// Not within the time.
    TimedOut,
    /// The kernel or the peer refused.
    Refused(io::Error),
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let fd = stream.as_raw_fd();
        Self {
            shared: Rc::new(Shared {
                reading: Deadline::new(fd),
                writing: Deadline::new(fd),
                fd,
                stream: UnsafeCell::new(stream),
            }),
        }
    }

    /// Into halves that can work at the same time.
    pub fn split(self) -> (Reader, Writer) {
        (
            Reader { shared: self.shared.clone(), ahead: None, early: None },
            Writer { shared: self.shared, stalled_ns: 0 },
        )
    }
}

impl Shared {
    #[expect(clippy::mut_from_ref, reason = "reads and writes of a socket are independent in the runtime")]
    fn stream(&self) -> &mut TcpStream {
        // SAFETY: the runtime's `TcpStream` implements `Split`: its read and write sides touch nothing in common,
        // and each half here is used through `&mut`, so that at most one read and one write are under way.
        unsafe { &mut *self.stream.get() }
    }
}

impl Reader {
    /// Reads once, appending to `buffer` at most what its spare capacity holds (`want` is reserved first if there is
    /// less). 0 is the end of input.
    pub async fn read(&mut self, buffer: &mut Vec<u8>, want: usize) -> io::Result<usize> {
        if self.is_reading() {
            return self.read_started(buffer).await;
        }
        let mut bytes = std::mem::take(buffer);
        let start = bytes.len();
        if bytes.capacity() - start < want {
            bytes.reserve(want);
        }
        let result = if start == 0 {
            let (result, back) = self.shared.stream().read(bytes).await;
            *buffer = back;
            result
        } else {
            let end = bytes.capacity();
            let (result, back) = self.shared.stream().read(SliceMut::new(bytes, start, end)).await;
            *buffer = back.into_inner();
            result
        };
        match result {
            Ok(read) => Ok(read),
            Err(error) => {
                buffer.truncate(start);
                Err(error)
            }
        }
    }

    /// Whether a read ahead is under way or has ended: the next read gives its bytes, in its buffer.
    pub fn is_reading(&self) -> bool {
        self.early.is_some() || self.ahead.as_ref().is_some_and(|ahead| ahead.is_started())
    }

    async fn read_started(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let (result, bytes) = match (self.early.take(), &mut self.ahead) {
            (Some(outcome), _) => outcome,
            (None, Some(ahead)) => poll_fn(|context| ahead.poll(context)).await,
            (None, None) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        if buffer.is_empty() {
            *buffer = bytes;
        } else {
            buffer.extend_from_slice(&bytes);
        }
        result
    }

    /// Starts a read into `buffer` that the next [`Reader::read`] will give, so that a connection which should be silent
    /// can be watched without a system call.
    pub fn read_ahead(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.ahead.get_or_insert_with(|| ahead(self.shared.clone())).start(buffer);
        // The operation goes to the driver with its first poll.
        self.is_disturbed();
    }

    /// Whether a read ahead has ended: the peer has sent something or closed.
    pub fn is_disturbed(&mut self) -> bool {
        if let (None, Some(ahead)) = (&self.early, &mut self.ahead)
            && ahead.is_started()
            && let Poll::Ready(outcome) = ahead.poll(&mut Context::from_waker(Waker::noop()))
        {
            self.early = Some(outcome);
        }
        self.early.is_some()
    }

    /// When the bytes of the read that ended last had arrived at this host, on the clock of [`clock::precise_ns`]. Without a
    /// stamp of the kernel (`SocketOptions::arrival_stamps`) it is when the shard's turn began that brought them.
    pub fn arrived_ns(&self) -> u64 {
        clock::arrived_ns(io_uring::arrival::take_ns(self.shared.fd))
    }

    /// The deadline of reading.
    pub fn deadline(&self) -> &Deadline {
        &self.shared.reading
    }

    /// Whether the other end is this host itself: both ends have one address, or the peer's is a loopback one. Costs two
    /// system calls. A socket that cannot tell may be anywhere, so that the answer is yes.
    pub fn leads_to_this_host(&self) -> bool {
        // SAFETY: borrowed for two calls and released, the descriptor stays open.
        let view = std::mem::ManuallyDrop::new(unsafe { socket2::Socket::from_raw_fd(self.shared.fd) });
        let ip = |address: io::Result<socket2::SockAddr>| {
            address.ok().and_then(|address| address.as_socket()).map(|address| address.ip().to_canonical())
        };
        match (ip(view.local_addr()), ip(view.peer_addr())) {
            (Some(own), Some(peer)) => own == peer || peer.is_loopback(),
            _ => true,
        }
    }

    /// Whether two halves belong to one socket.
    pub fn is_half_of(&self, writer: &Writer) -> bool {
        Rc::ptr_eq(&self.shared, &writer.shared)
    }
}

impl Writer {
    /// Writes all of `bytes`, which is empty afterwards and keeps its capacity.
    pub async fn write_all(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let length = bytes.len();
        let stream = self.shared.stream();
        let (turn, mut began_ns) = (io_uring::turn::number(), 0);
        let (mut result, mut back) = {
            let mut write = pin!(stream.write(std::mem::take(bytes)));
            poll_fn(|context| {
                let polled = write.as_mut().poll(context);
                if polled.is_pending() && began_ns == 0 {
                    began_ns = clock::turn_ns();
                }
                polled
            })
            .await
        };
        // On a ring every write is pending once, until the turn it goes out with is over.
        if began_ns > 0 && clock::was_waited_for(turn) {
            self.stalled_ns += clock::turn_ns().saturating_sub(began_ns);
        }
        let taken = match &result {
            Ok(written) => *written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(_) => length,
        };
        if taken < length {
            let began_ns = clock::precise_ns();
            let (rest, slice) = stream.write_all(back.slice(taken..)).await;
            (result, back) = (rest, slice.into_inner());
            self.stalled_ns += clock::precise_ns() - began_ns;
        }
        back.clear();
        *bytes = back;
        result.map(drop)
    }

    /// Sends the end of output (FIN); reading goes on.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.shared.stream().shutdown().await
    }

    /// Makes closing discard what was not sent and reset the connection, so that the peer cannot take a cut body for
    /// a whole one.
    pub fn reset_on_close(&self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the descriptor is open and the option is a valid `linger`.
        unsafe {
            libc::setsockopt(
                self.shared.fd,
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            );
        }
    }

    /// About when the kernel had taken the last part of what was written last, on the clock of [`clock::precise_ns`].
    pub fn sent_ns(&self) -> u64 {
        clock::sent_ns(self.shared.fd)
    }

    /// Whether the peer has reset the connection before it had all that was written: nobody will read it. One that only
    /// ended its output may still be reading (RFC 9112 section 9.6), and one far away may reset later. Costs a system call.
    pub fn is_lost(&self) -> bool {
        /// `TCP_CLOSE`: after a reset, as this end has not closed.
        const CLOSED: u8 = 7;
        /// Where `struct tcp_info` has `tcpi_bytes_acked` and, since Linux 4.19, `tcpi_bytes_sent`.
        const ACKED: usize = 120;
        const SENT: usize = 200;
        let mut info = [0u8; 256];
        let mut length = info.len() as libc::socklen_t;
        // SAFETY: the descriptor is open; the kernel writes at most `length` bytes and says how many.
        let result = unsafe {
            libc::getsockopt(
                self.shared.fd,
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let number = |at: usize| info[at..at + 8].try_into().map_or(0, u64::from_ne_bytes);
        result == 0 && length as usize >= SENT + 8 && info[0] == CLOSED && number(ACKED) < number(SENT)
    }

    /// The deadline of writing.
    pub fn deadline(&self) -> &Deadline {
        &self.shared.writing
    }

    /// The deadline of the other half, for whoever has written and waits for an answer.
    pub fn reading_deadline(&self) -> &Deadline {
        &self.shared.reading
    }
}

fn is_uring() -> bool {
    !monoio::utils::is_legacy()
}

/// Connects to an address, in at most `timeout`.
pub async fn connect(
    address: SocketAddr,
    timeout: Duration,
    options: SocketOptions,
) -> Result<Socket, ConnectError> {
    let refused = ConnectError::Refused;
    let domain = socket2::Domain::for_address(address);
    let raw = socket2::Socket::new(domain, socket2::Type::STREAM.nonblocking(), None).map_err(refused)?;
    options.set(&raw).map_err(refused)?;
    options.bind_source(&raw, address).map_err(refused)?;
    match raw.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(refused(error)),
        _ => {}
    }
    // SAFETY: `raw` gives up its descriptor, which is an open socket.
    let std = unsafe { std::net::TcpStream::from_raw_fd(raw.into_raw_fd()) };
    let socket = Socket::new(TcpStream::from_std(std).map_err(refused)?);
    let stream = socket.shared.stream();
    socket.shared.writing.arm(timeout, Cut::Both);
    let ready = stream.writable(false).await;
    let late = socket.shared.writing.fired();
    socket.shared.writing.disarm();
    if late {
        return Err(ConnectError::TimedOut);
    }
    ready.map_err(refused)?;
    // SAFETY: borrowed for two calls and released, the descriptor stays open.
    let view = std::mem::ManuallyDrop::new(unsafe { socket2::Socket::from_raw_fd(socket.shared.fd) });
    if let Some(error) = view.take_error().map_err(refused)? {
        return Err(refused(error));
    }
    if is_uring() {
        // The ring would answer EAGAIN for a non-blocking socket instead of waiting.
        let mut off: libc::c_int = 0;
        // SAFETY: the descriptor is open and the argument an int. One system call, where fcntl takes two.
        if unsafe { libc::ioctl(socket.shared.fd, libc::FIONBIO, &raw mut off) } != 0 {
            return Err(refused(io::Error::last_os_error()));
        }
    }
    Ok(socket)
}
