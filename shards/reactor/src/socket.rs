//! TCP sockets with owned buffers. A socket is split into a reader and a writer that work at the same time and share
//! one deadline. Reads append to a `Vec`, so that nothing is copied to make room.

use crate::deadline::{Cut, Deadline};
use monoio::buf::SliceMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use std::cell::UnsafeCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

/// What is set on every socket.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketOptions {
    /// Kernel receive buffer in bytes; 0 leaves it to the kernel.
    pub receive_buffer: usize,
    /// Kernel send buffer in bytes; 0 leaves it to the kernel.
    pub send_buffer: usize,
}

struct Shared {
    // Dropped first: the wheel must forget the descriptor before it is closed.
    deadline: Deadline,
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
}

/// The writing half.
pub struct Writer {
    shared: Rc<Shared>,
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
        Self { shared: Rc::new(Shared { deadline: Deadline::new(fd), fd, stream: UnsafeCell::new(stream) }) }
    }

    /// Into halves that can work at the same time.
    pub fn split(self) -> (Reader, Writer) {
        (Reader { shared: self.shared.clone() }, Writer { shared: self.shared })
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

    /// Whether the peer has sent or closed something that was not read: for a connection that should be silent.
    pub fn is_disturbed(&self) -> bool {
        let mut byte = 0u8;
        // SAFETY: the descriptor is open and `byte` is one writable byte.
        let seen = unsafe {
            libc::recv(self.shared.fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        };
        let silent = seen < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock;
        !silent
    }

    /// The socket's deadline.
    pub fn deadline(&self) -> &Deadline {
        &self.shared.deadline
    }

    /// Whether two halves belong to one socket.
    pub fn is_half_of(&self, writer: &Writer) -> bool {
        Rc::ptr_eq(&self.shared, &writer.shared)
    }
}

impl Writer {
    /// Writes all of `bytes`, which is empty afterwards and keeps its capacity.
    pub async fn write_all(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let (result, mut back) = self.shared.stream().write_all(std::mem::take(bytes)).await;
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

    /// The socket's deadline.
    pub fn deadline(&self) -> &Deadline {
        &self.shared.deadline
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
    raw.set_tcp_nodelay(true).map_err(refused)?;
    set_buffers(&raw, options);
    match raw.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(refused(error)),
        _ => {}
    }
    // SAFETY: `raw` gives up its descriptor, which is an open socket.
    let std = unsafe { std::net::TcpStream::from_raw_fd(raw.into_raw_fd()) };
    let socket = Socket::new(TcpStream::from_std(std).map_err(refused)?);
    let stream = socket.shared.stream();
    socket.shared.deadline.arm(timeout, Cut::Both);
    let ready = stream.writable(false).await;
    let late = socket.shared.deadline.fired();
    socket.shared.deadline.disarm();
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
        view.set_nonblocking(false).map_err(refused)?;
    }
    Ok(socket)
}

pub(crate) fn set_buffers(socket: &socket2::Socket, options: SocketOptions) {
    // The kernel clamps these; a refusal changes nothing that matters.
    if options.receive_buffer > 0 {
        let _ = socket.set_recv_buffer_size(options.receive_buffer);
    }
    if options.send_buffer > 0 {
        let _ = socket.set_send_buffer_size(options.send_buffer);
    }
}
