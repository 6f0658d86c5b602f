//! One transport and its buffers: what a client's connection and an upstream's have in common. An input is what was
//! read and not used yet, an output is what will go out with the next write.

mod spare;

pub use spare::grow;

use crate::fault::Fault;
use crate::secure::{self, Insecure, Sealed, Server, Session};
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_codec::Version;
use tidegate_reactor::{Cut, Reader, Socket, Writer, clock};

/// The reading side.
pub struct Input {
    /// The socket's half.
    pub reader: Reader,
    /// Read and not used yet.
    pub buffer: Vec<u8>,
    /// When what was read last had arrived, or what was before it was over: nanoseconds on the reactor's precise clock.
    pub arrived_ns: u64,
    /// Bytes read since somebody took this number.
    pub read_bytes: u64,
    /// TLS, where the wire has it: the buffer holds what was in its records.
    sealed: Option<Box<Sealed>>,
}

/// The writing side.
pub struct Output {
    /// The socket's half.
    pub writer: Writer,
    /// Goes out with the next [`Output::flush`].
    pub buffer: Vec<u8>,
    /// Bytes written since somebody took this number.
    pub written_bytes: u64,
    /// How many bytes the head of the response last begun has.
    pub head_bytes: u64,
    /// What was begun cannot be ended: closing resets, and nothing more may be said, not even an end.
    pub is_cut: bool,
    /// TLS, where the wire has it: the buffer is sealed when it goes out.
    sealed: Option<Box<Sealed>>,
}

/// Why a wire stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The peer closed or reset.
    Closed,
    /// The deadline fired.
    Late,
}

/// Both sides of a socket.
pub fn open(socket: Socket) -> (Input, Output) {
    let (reader, writer) = socket.split();
    (
        Input { reader, buffer: Vec::new(), arrived_ns: clock::turn_ns(), read_bytes: 0, sealed: None },
        Output { writer, buffer: Vec::new(), written_bytes: 0, head_bytes: 0, is_cut: false, sealed: None },
    )
}

/// The same with a TLS session to a server beneath, which is made in at most `time`.
pub async fn open_sealed(
    socket: Socket,
    server: &Server,
    time: Duration,
) -> Result<(Input, Output), Insecure> {
    let (mut input, mut output) = open(socket);
    let (session, early) = secure::handshake(server, &mut input.reader, &mut output.writer, time).await?;
    input.buffer = early;
    input.sealed = Some(Box::new(Sealed { session: session.clone(), records: Vec::new() }));
    output.sealed = Some(Box::new(Sealed { session, records: Vec::new() }));
    Ok((input, output))
}

impl Input {
    /// Reads once, appending. `room` is the least capacity to read into. 0 is the end of input.
    pub async fn fill(&mut self, room: usize) -> Result<usize, Broken> {
        if self.sealed.is_some() {
            // Boxed, so that no connection without TLS has room for it.
            return Box::pin(self.fill_sealed(room)).await;
        }
        match self.reader.read(&mut self.buffer, room).await {
            Ok(0) | Err(_) if self.reader.deadline().fired() => Err(Broken::Late),
            Ok(read) => {
                self.read_bytes += read as u64;
                self.arrived_ns = self.reader.arrived_ns().max(self.arrived_ns);
                Ok(read)
            }
            Err(_) => Err(Broken::Closed),
        }
    }

    async fn fill_sealed(&mut self, room: usize) -> Result<usize, Broken> {
        let Self { reader, buffer, arrived_ns, read_bytes, sealed } = self;
        let Some(sealed) = sealed else { return Err(Broken::Closed) };
        let Sealed { session, records } = &mut **sealed;
        let had = buffer.len();
        loop {
            session.open(records, buffer).map_err(|_| Broken::Closed)?;
            let read = buffer.len() - had;
            if read > 0 || session.is_closed() {
                *read_bytes += read as u64;
                return Ok(read);
            }
            match reader.read(records, secure::room(room)).await {
                Ok(0) | Err(_) if reader.deadline().fired() => return Err(Broken::Late),
                Ok(1..) => *arrived_ns = reader.arrived_ns().max(*arrived_ns),
                // An end that TLS does not know of: somebody may have cut the message.
                Ok(0) | Err(_) => return Err(Broken::Closed),
            }
        }
    }

    /// The same for a body, within a time of its own.
    pub async fn fill_within(&mut self, room: usize, time: Duration) -> Result<usize, Broken> {
        self.reader.deadline().arm(time, Cut::Read);
        if !self.reader.is_reading() {
            grow(&mut self.buffer, room);
        }
        self.fill(room).await
    }

    /// Whether nothing is left of what was read, and the peer has not ended.
    pub fn is_quiet(&self) -> bool {
        let is_sealed_quiet = |sealed: &Sealed| sealed.records.is_empty() && !sealed.session.is_closed();
        self.buffer.is_empty() && self.sealed.as_deref().is_none_or(is_sealed_quiet)
    }

    /// Watches a connection that should be silent; what comes is given by the next fill. The buffer has room for
    /// `room` bytes and keeps no more than `most`.
    pub fn watch(&mut self, room: usize, most: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Some(sealed) = &mut self.sealed {
            // What comes is records; nothing is kept for what will be in them.
            buffer = std::mem::take(&mut sealed.records);
        }
        spare::settle(&mut buffer, room, most);
        self.reader.read_ahead(buffer);
    }

    /// Keeps no more room than that while nothing is there.
    pub fn shrink(&mut self, most: usize) {
        if self.buffer.is_empty() {
            spare::settle(&mut self.buffer, 0, most);
        }
    }

    /// Drops the first bytes of the buffer.
    pub fn consume(&mut self, bytes: usize) {
        if bytes == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..bytes);
        }
    }
}

impl Output {
    /// Makes closing a reset, so that the peer cannot take what it has for a whole message: to a client of HTTP/1.0 an
    /// orderly end would be the end of the body.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.writer.reset_on_close();
    }

    /// Keeps no more room than that: what one large message needed is not for all the small ones.
    pub fn shrink(&mut self, most: usize) {
        if self.buffer.is_empty() {
            spare::settle(&mut self.buffer, 0, most);
        }
        if let Some(sealed) = &mut self.sealed {
            sealed.records.shrink_to(most);
        }
    }

    /// Writes the whole buffer, which is empty afterwards.
    pub async fn flush(&mut self, time: Duration) -> Result<(), Broken> {
        if self.sealed.is_some() {
            return Box::pin(self.flush_sealed(time)).await;
        }
        self.writer.deadline().arm(time, Cut::Both);
        let length = self.buffer.len() as u64;
        let result = self.writer.write_all(&mut self.buffer).await;
        match result {
            Ok(()) => {
                self.written_bytes += length;
                self.writer.deadline().disarm();
                Ok(())
            }
            Err(_) if self.writer.deadline().fired() => Err(Broken::Late),
            Err(_) => Err(Broken::Closed),
        }
    }

    /// How long writes have waited for the peer since this was last asked, as far as it is known.
    pub fn take_stalled_ns(&mut self) -> u64 {
        std::mem::take(&mut self.writer.stalled_ns)
    }
}

impl Output {
    async fn flush_sealed(&mut self, time: Duration) -> Result<(), Broken> {
        let Self { writer, buffer, written_bytes, sealed, .. } = self;
        let Some(sealed) = sealed else { return Err(Broken::Closed) };
        let Sealed { session, records } = &mut **sealed;
        writer.deadline().arm(time, Cut::Both);
        for piece in buffer.chunks(Session::PIECE) {
            session.seal(piece, records);
            if writer.write_all(records).await.is_err() {
                return Err(if writer.deadline().fired() { Broken::Late } else { Broken::Closed });
            }
            *written_bytes += piece.len() as u64;
        }
        buffer.clear();
        writer.deadline().disarm();
        Ok(())
    }
}

impl Broken {
    /// What this means on a client's connection while reading its request.
    pub fn by_client(self) -> Fault {
        match self {
            Self::Closed => Fault::ClientClosed,
            Self::Late => Fault::BodyTimeout,
        }
    }
}

/// What `Via` says: the version in which a message was received, and who received it (RFC 9110 section 7.6.3).
pub fn via(received: Version) -> &'static [u8] {
    match received {
        Version::Http10 => b"1.0 tidegate",
        Version::Http11 => b"1.1 tidegate",
    }
}

/// Who is at the other end of a client's connection.
pub struct Peer {
    /// Where it comes from.
    pub address: SocketAddr,
    /// The address without its port, as text.
    pub text: Box<str>,
    /// Whether it came over TLS.
    pub is_secure: bool,
}

impl Peer {
    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}
