//! A strict reader of HTTP/1.1 messages for both ends of the gateway: exact CRLF, one space behind each colon, lengths in
//! plain digits, chunks without extensions. What it refuses the gateway must never have written.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// Why no message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The end of the stream, between two messages.
    Ended,
    /// The end or a reset in the middle of one.
    Cut(String),
    /// Bytes that no strict peer writes.
    Damaged(String),
    /// Nothing came within the deadline.
    Silent,
}

/// A start line and fields as they stood on the wire.
#[derive(Debug, Clone, Default)]
pub struct Head {
    pub line: String,
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The values of a field.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let named = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.fields.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a field; panics where there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} stands twice: {self:?}");
        values.first().copied()
    }

    /// Names in their order and case.
    pub fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.line.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// Method of a request.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Target of a request.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_or_else(
            // obs-text is allowed in values; as Latin-1 nothing is lost.
            |_| bytes.iter().map(|b| char::from(*b)).collect::<String>(),
            str::to_string,
        );
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_string();
        let mut fields = Vec::new();
        for one in lines.filter(|one| !one.is_empty()) {
            let (name, value) = one.split_once(": ").ok_or_else(|| format!("no field: {one:?}"))?;
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(format!("no field name: {one:?}"));
            }
            if value.trim_matches([' ', '\t']) != value {
                return Err(format!("white space around a value: {one:?}"));
            }
            fields.push((name.to_string(), value.to_string()));
        }
        if let Some(bad) = text.replace("\r\n", "").chars().find(|c| c.is_ascii_control() && *c != '\t') {
            return Err(format!("a control character {bad:?} in {text:?}"));
        }
        Ok(Self { line, fields })
    }
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A whole message.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub head: Head,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    /// How the body was framed: `length`, `chunked`, `close` or `none`.
    pub framing: &'static str,
}

impl std::ops::Deref for Message {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Message {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A body in chunks of the given pieces, with trailers (each `Name: value`).
pub fn chunked(pieces: &[&str], trailers: &[&str]) -> String {
    let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    let trailers: String = trailers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{chunks}0\r\n{trailers}\r\n")
}

/// A socket and what was read from it and not used.
pub struct Stream {
    pub socket: TcpStream,
    pub buffer: Vec<u8>,
    used: usize,
}

impl Stream {
    /// With the deadline on every read and write.
    pub fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(super::DEADLINE)).expect("a timeout");
        socket.set_write_timeout(Some(super::DEADLINE)).expect("a timeout");
        socket.set_nodelay(true).expect("no delay");
        Self { socket, buffer: Vec::new(), used: 0 }
    }

    /// What was read and not used.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Writes all of it.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Reads once; false at the end.
    pub fn fill(&mut self) -> Result<bool, Trouble> {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        let start = self.buffer.len();
        self.buffer.resize(start + 65_536, 0);
        let read = self.socket.read(&mut self.buffer[start..]);
        self.buffer.truncate(start + read.as_ref().copied().unwrap_or_default());
        match read {
            Ok(read) => Ok(read > 0),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Trouble::Silent)
            }
            Err(error) => Err(Trouble::Cut(error.to_string())),
        }
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        let taken = self.rest()[..bytes].to_vec();
        self.used += bytes;
        taken
    }

    /// Takes what was read and not used.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.take(self.rest().len())
    }

    /// Gives the buffer's memory back; what was read must have been used.
    pub fn forget_buffer(&mut self) {
        assert!(self.rest().is_empty());
        (self.buffer, self.used) = (Vec::new(), 0);
    }

    /// Up to and with the first occurrence of `end`.
    fn take_through(&mut self, end: &[u8]) -> Result<Vec<u8>, Trouble> {
        let mut seen = 0;
        loop {
            let found = self.rest()[seen..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return Ok(self.take(seen + at + end.len()));
            }
            seen = self.rest().len().saturating_sub(end.len() - 1);
            if !self.fill()? {
                return Err(match self.rest() {
                    [] => Trouble::Ended,
                    rest => Trouble::Cut(format!("ended behind {:?}", String::from_utf8_lossy(rest))),
                });
            }
        }
    }

    fn take_exactly(&mut self, bytes: usize) -> Result<Vec<u8>, Trouble> {
        while self.rest().len() < bytes {
            if !self.fill()? {
                return Err(Trouble::Cut(format!(
                    "ended {} of {bytes} bytes into a body",
                    self.rest().len()
                )));
            }
        }
        Ok(self.take(bytes))
    }

    /// A head.
    pub fn head(&mut self) -> Result<Head, Trouble> {
        let bytes = self.take_through(b"\r\n\r\n")?;
        Head::parse(&bytes).map_err(Trouble::Damaged)
    }

    fn length(head: &Head) -> Result<Option<usize>, Trouble> {
        match head.values("content-length")[..] {
            [] => Ok(None),
            [value] if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(value.parse().map_err(|_| Trouble::Damaged(format!("length {value}")))?))
            }
            ref values => Err(Trouble::Damaged(format!("Content-Length {values:?}"))),
        }
    }

    /// One chunk's data; empty for the last one, whose trailers are still to be read.
    fn chunk(&mut self) -> Result<Vec<u8>, Trouble> {
        let cut = |trouble| match trouble {
            Trouble::Ended => Trouble::Cut("ended at a chunk".into()),
            other => other,
        };
        let line = self.take_through(b"\n").map_err(cut)?;
        let size = std::str::from_utf8(&line)
            .ok()
            .and_then(|line| line.strip_suffix("\r\n"))
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| usize::from_str_radix(digits, 16).ok())
            .ok_or_else(|| {
                Trouble::Damaged(format!("no chunk size: {:?}", String::from_utf8_lossy(&line)))
            })?;
        if size == 0 {
            return Ok(Vec::new());
        }
        let mut data = self.take_exactly(size + 2)?;
        if data.split_off(size) != b"\r\n" {
            return Err(Trouble::Damaged("a chunk does not end in CRLF".into()));
        }
        Ok(data)
    }

    /// The rest of a chunked body, piece by piece, and its trailers.
    pub fn chunks(&mut self, mut each: impl FnMut(&[u8])) -> Result<Vec<(String, String)>, Trouble> {
        loop {
            let data = self.chunk()?;
            if data.is_empty() {
                break;
            }
            each(&data);
        }
        let mut lines = b"\r\n".to_vec();
        loop {
            let line = self.take_through(b"\r\n").map_err(|trouble| match trouble {
                Trouble::Ended => Trouble::Cut("ended at the trailers".into()),
                other => other,
            })?;
            let is_last = line == b"\r\n";
            lines.extend(line);
            if is_last {
                return Head::parse(&lines).map(|head| head.fields).map_err(Trouble::Damaged);
            }
        }
    }

    /// The body that belongs to a head. Without framing it is empty, or the rest of the stream where `is_until_close`.
    pub fn body(&mut self, head: Head, is_until_close: bool) -> Result<Message, Trouble> {
        let codings = head.values("transfer-encoding").join(",");
        let length = Self::length(&head)?;
        let mut message = Message { head, framing: "none", ..Message::default() };
        match (codings.as_str(), length) {
            ("", None) if is_until_close => {
                while self.fill()? {}
                message.body = self.take(self.rest().len());
                message.framing = "close";
            }
            ("", None) => {}
            ("", Some(length)) => {
                message.body = self.take_exactly(length)?;
                message.framing = "length";
            }
            ("chunked", None) => {
                let mut body = Vec::new();
                message.trailers = self.chunks(|data| body.extend_from_slice(data))?;
                message.body = body;
                message.framing = "chunked";
            }
            (codings, length) => {
                return Err(Trouble::Damaged(format!("framing {codings:?} with {length:?}")));
            }
        }
        Ok(message)
    }

    /// Sends the end of output; reading goes on.
    pub fn finish(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
