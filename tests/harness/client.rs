//! A client on a raw socket: sends what a test says, byte for byte, and reads answers strictly.

use super::message::{Head, Message, Stream, Trouble};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A connection to the gateway.
pub struct Client {
    pub stream: Stream,
}

impl Client {
    /// Connects.
    pub fn new(address: SocketAddr) -> Self {
        let socket = TcpStream::connect_timeout(&address, super::DEADLINE).expect("the gateway accepts");
        Self { stream: Stream::new(socket) }
    }

    /// Sends bytes; panics where that fails.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write(bytes).expect("the gateway takes what is sent");
        self
    }

    /// Sends bytes to a gateway that may have closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write(bytes).is_ok()
    }

    /// Ends sending.
    pub fn finish(&mut self) -> &mut Self {
        self.stream.finish();
        self
    }

    /// The next head, interim or final.
    pub fn try_head(&mut self) -> Result<Head, Trouble> {
        let head = self.stream.head()?;
        if !head.line.starts_with("HTTP/1.1 ") || head.line.len() < 13 {
            return Err(Trouble::Damaged(format!("no status line: {:?}", head.line)));
        }
        Ok(head)
    }

    /// The same; panics where none comes.
    pub fn head(&mut self) -> Head {
        self.try_head().unwrap_or_else(|trouble| panic!("no head: {trouble:?}"))
    }

    /// The final response to a request of that method.
    pub fn try_response_to(&mut self, method: &str) -> Result<Message, Trouble> {
        let head = loop {
            let head = self.try_head()?;
            if head.status() >= 200 {
                break head;
            }
        };
        let is_bodiless = method == "HEAD" || matches!(head.status(), 204 | 304);
        if is_bodiless {
            return Ok(Message { head, framing: "none", ..Message::default() });
        }
        let is_until_close = head.get("connection") == Some("close");
        self.stream.body(head, is_until_close)
    }

    /// The response to anything but HEAD.
    pub fn try_response(&mut self) -> Result<Message, Trouble> {
        self.try_response_to("GET")
    }

    /// The same; panics where none comes.
    pub fn response(&mut self) -> Message {
        self.try_response().unwrap_or_else(|trouble| panic!("no response: {trouble:?}"))
    }

    /// Sends a request and reads the response.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Message {
        let method = request.as_ref().split(|b| *b == b' ').next().unwrap_or_default();
        let method = String::from_utf8_lossy(method).into_owned();
        self.send(request);
        self.try_response_to(&method).unwrap_or_else(|trouble| panic!("no response: {trouble:?}"))
    }

    /// `GET path` with the host `h` on this connection.
    pub fn get(&mut self, path: &str) -> Message {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    /// How the stream goes on: `Ended` or `Cut` if the gateway closed it without another byte.
    pub fn end(&mut self) -> Trouble {
        match self.stream.rest() {
            [] => match self.stream.fill() {
                Ok(false) => Trouble::Ended,
                Ok(true) => {
                    Trouble::Damaged(format!("more came: {:?}", String::from_utf8_lossy(self.stream.rest())))
                }
                Err(trouble) => trouble,
            },
            rest => Trouble::Damaged(format!("more came: {:?}", String::from_utf8_lossy(rest))),
        }
    }

    /// Panics unless the gateway closed.
    pub fn must_end(&mut self) {
        let end = self.end();
        assert!(matches!(end, Trouble::Ended | Trouble::Cut(_)), "the connection goes on: {end:?}");
    }
}

/// Waits until something is so; panics with `what` past the deadline.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + super::DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        // Not a guess about how long it takes: only how often it is looked at.
        std::thread::sleep(Duration::from_millis(2));
    }
}
