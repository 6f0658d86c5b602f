//! One connection of the load: opened without blocking, one exchange at a time, read into a buffer of the driver's.

use super::answer::{Answer, Ended};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An exchange under way; times in nanoseconds of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Under {
    pub(crate) due: u64,
    pub(crate) sent: u64,
    /// Which exchange of the load it is, from 0.
    pub(crate) number: u64,
}

pub(crate) enum State {
    Connecting,
    /// Since when, in nanoseconds of the load.
    Idle(u64),
    Busy(Under),
}

/// What reading has come to.
pub(crate) enum Got {
    /// Not the end yet.
    More,
    Ended(Ended),
    /// The peer closed it, or it failed.
    Closed,
    NotHttp,
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) state: State,
    answer: Answer,
    /// What the kernel had no room for yet.
    unsent: Vec<u8>,
}

impl Connection {
    /// Begins to connect.
    pub(crate) fn open(address: SocketAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(why) if why.raw_os_error() != Some(libc::EINPROGRESS) => return Err(why),
            _ => {}
        }
        Ok(Self {
            stream: socket.into(),
            state: State::Connecting,
            answer: Answer::new(),
            unsent: Vec::new(),
        })
    }

    /// Whether connecting, which is over, has worked.
    pub(crate) fn connected(&self) -> bool {
        matches!(self.stream.take_error(), Ok(None))
    }

    /// Sends a request, or what the kernel has room for; false if the connection failed.
    pub(crate) fn send(&mut self, request: &[u8]) -> bool {
        match self.stream.write(request) {
            Ok(written) => self.unsent.extend_from_slice(&request[written..]),
            Err(why) if why.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(request),
            Err(_) => return false,
        }
        true
    }

    /// Whether it waits for room in the kernel.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what is left; false if the connection failed.
    pub(crate) fn send_rest(&mut self) -> bool {
        match self.stream.write(&self.unsent) {
            Ok(written) => drop(self.unsent.drain(..written)),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        true
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Got {
        let length = match self.stream.read(buffer) {
            Ok(0) => return self.answer.closed().map_or(Got::Closed, Got::Ended),
            Ok(length) => length,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Got::More;
            }
            Err(_) => return Got::Closed,
        };
        match self.answer.feed(&buffer[..length]) {
            Ok(None) => Got::More,
            Ok(Some(ended)) => Got::Ended(ended),
            Err(_) => Got::NotHttp,
        }
    }
}
