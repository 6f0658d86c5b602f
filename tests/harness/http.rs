//! A client that sends what it is told, byte for byte, and reads answers strictly: by Content-Length, chunked, or to the
//! end of the connection. It repairs nothing, so that what a gateway does wrong is seen.

use super::PATIENCE;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Fields in their order.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Interim answers that came before.
    pub interim: Vec<u16>,
}

impl Answer {
    /// The only value of a field; empty without one.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} stands twice: {self:?}");
        values.first().copied().unwrap_or("")
    }

    /// All values of a field.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {self:?}"))
    }

    /// Whether the server will close the connection.
    pub fn closes(&self) -> bool {
        self.values("connection").iter().any(|value| value.to_ascii_lowercase().contains("close"))
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Connects to a port of this host.
    #[track_caller]
    pub fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Self { stream, read: Vec::new() }
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("sent");
    }

    /// Sends a request whose body is framed by Content-Length, if it has one or the method wants one.
    #[track_caller]
    pub fn request(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += "Host: localhost\r\n";
        }
        for (name, value) in fields {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        self.send([head.as_bytes(), body].concat());
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
        self.request(method, path, fields, body);
        self.answer(method == "HEAD")
    }

    /// GET.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// Reads one final answer, which must come.
    #[track_caller]
    pub fn answer(&mut self, is_head: bool) -> Answer {
        match self.try_answer(is_head) {
            Ok(answer) => answer,
            Err(why) => panic!("no answer: {why}; read so far: {:?}", String::from_utf8_lossy(&self.read)),
        }
    }

    /// Reads one final answer; errors say what was wrong with it.
    pub fn try_answer(&mut self, is_head: bool) -> Result<Answer, String> {
        let mut interim = Vec::new();
        loop {
            let head = self.until(b"\r\n\r\n")?;
            let mut answer = parse_head(&head)?;
            if answer.status < 200 && answer.status != 101 {
                interim.push(answer.status);
                continue;
            }
            answer.interim = interim;
            if is_head || [101, 204, 304].contains(&answer.status) {
                return Ok(answer);
            }
            self.body(&mut answer)?;
            return Ok(answer);
        }
    }

    fn body(&mut self, answer: &mut Answer) -> Result<(), String> {
        let lengths = answer.values("content-length");
        let codings = answer.values("transfer-encoding");
        match (&lengths[..], &codings[..]) {
            ([], ["chunked"]) => self.chunks(answer)?,
            ([length], []) => {
                let length = length.parse().map_err(|_| format!("Content-Length {length:?}"))?;
                answer.body = self.exactly(length)?;
            }
            ([], []) => {
                while self.more()? {}
                answer.body = std::mem::take(&mut self.read);
            }
            _ => return Err(format!("framing by {lengths:?} and {codings:?}")),
        }
        Ok(())
    }

    fn chunks(&mut self, answer: &mut Answer) -> Result<(), String> {
        loop {
            let line = self.until(b"\r\n")?;
            let text = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            let size = usize::from_str_radix(&text, 16).map_err(|_| format!("chunk size {text:?}"))?;
            if size == 0 {
                break;
            }
            answer.body.extend(self.exactly(size)?);
            if self.exactly(2)? != b"\r\n" {
                return Err("a chunk does not end with CR LF".into());
            }
        }
        loop {
            let line = self.until(b"\r\n")?;
            if line == b"\r\n" {
                return Ok(());
            }
            answer.trailers.push(parse_field(&String::from_utf8_lossy(&line[..line.len() - 2]))?);
        }
    }

    /// Whether the peer has closed: waits for its end of the stream and fails if anything else comes.
    pub fn is_closed(&mut self) -> bool {
        self.read.is_empty() && matches!(self.more(), Ok(false))
    }

    fn more(&mut self) -> Result<bool, String> {
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(false),
            Ok(read) => {
                self.read.extend_from_slice(&chunk[..read]);
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, String> {
        let mut from = 0;
        loop {
            if let Some(at) = self.read[from..].windows(end.len()).position(|window| window == end) {
                return Ok(self.read.drain(..from + at + end.len()).collect());
            }
            from = self.read.len().saturating_sub(end.len() - 1);
            if !self.more()? {
                return Err("the connection was closed".into());
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.read.len() < length {
            if !self.more()? {
                return Err(format!("closed after {} of {length} bytes of a body", self.read.len()));
            }
        }
        Ok(self.read.drain(..length).collect())
    }
}

fn parse_field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("field line {line:?}"))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn parse_head(head: &[u8]) -> Result<Answer, String> {
    let text = String::from_utf8_lossy(head).into_owned();
    let mut lines = text.strip_suffix("\r\n\r\n").unwrap_or_default().split("\r\n");
    let line = lines.next().unwrap_or_default();
    let (status, reason) = line
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| Some((rest.get(..3)?.parse().ok()?, rest.get(3..)?.trim_start().to_owned())))
        .ok_or_else(|| format!("status line {line:?}"))?;
    let fields = lines.map(parse_field).collect::<Result<_, _>>()?;
    Ok(Answer { status, reason, fields, body: Vec::new(), trailers: Vec::new(), interim: Vec::new() })
}
