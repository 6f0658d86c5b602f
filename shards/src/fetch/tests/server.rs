//! A server on loopback: a thread per connection that does what its test says and remembers what it read.

use super::DEADLINE;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// The server.
pub struct Server {
    pub address: SocketAddr,
    heads: Receiver<String>,
    seen: RefCell<Vec<String>>,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// A connection as the server's behaviour sees it.
pub struct Visit {
    pub stream: Stream,
    buffer: Vec<u8>,
    heads: Sender<String>,
}

/// What a visit talks over.
pub enum Stream {
    Plain(TcpStream),
    Sealed(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Sealed(sealed) => &sealed.sock,
        }
    }
}

impl Server {
    pub fn new(behave: impl Fn(&mut Visit) -> Option<()> + Send + Sync + 'static) -> Self {
        Self::start(None, behave)
    }

    /// The same over TLS.
    pub fn sealed(
        config: Arc<ServerConfig>,
        behave: impl Fn(&mut Visit) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(config), behave)
    }

    fn start(
        config: Option<Arc<ServerConfig>>,
        behave: impl Fn(&mut Visit) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ((sender, heads), connections) = (channel(), Arc::<AtomicUsize>::default());
        let (is_over, behave) = (Arc::<AtomicBool>::default(), Arc::new(behave));
        let (count, over) = (connections.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Ok(socket) = socket else { continue };
                if over.load(Ordering::Acquire) {
                    return;
                }
                count.fetch_add(1, Ordering::AcqRel);
                socket.set_read_timeout(Some(DEADLINE)).expect("set");
                socket.set_write_timeout(Some(DEADLINE)).expect("set");
                let stream = match &config {
                    None => Stream::Plain(socket),
                    Some(config) => {
                        let connection = ServerConnection::new(config.clone()).expect("a session");
                        Stream::Sealed(Box::new(StreamOwned::new(connection, socket)))
                    }
                };
                let mut visit = Visit { stream, buffer: Vec::new(), heads: sender.clone() };
                let behave = behave.clone();
                std::thread::spawn(move || {
                    let _ = behave(&mut visit);
                    let _ = visit.stream.socket().shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, heads, seen: RefCell::default(), connections, is_over, thread: Some(thread) }
    }

    /// Answers each request of a connection with raw bytes and keeps it.
    pub fn says(answer: &'static str) -> Self {
        Self::new(move |visit| {
            loop {
                visit.head()?;
                visit.write(answer)?;
            }
        })
    }

    /// Answers one request of a connection with raw bytes and closes it.
    pub fn says_and_closes(answer: &'static str) -> Self {
        Self::new(move |visit| {
            visit.head()?;
            visit.write(answer)
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The heads so far.
    pub fn heads(&self) -> Vec<String> {
        self.seen.borrow_mut().extend(self.heads.try_iter());
        self.seen.borrow().clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().expect("the server did not panic");
        }
    }
}

impl Visit {
    fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 16_384];
        let read = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut piece),
            Stream::Sealed(sealed) => sealed.read(&mut piece),
        };
        let read = read.ok().filter(|read| *read > 0)?;
        self.buffer.extend_from_slice(&piece[..read]);
        Some(())
    }

    /// The next head, remembered.
    pub fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                let head = String::from_utf8(head).expect("text");
                // Nobody asks any more once the test is over.
                let _ = self.heads.send(head.clone());
                return Some(head);
            }
            self.fill()?;
        }
    }

    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill()?;
        }
        Some(self.buffer.drain(..count).collect())
    }

    /// One chunk of a chunked body; empty is the last one.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                break String::from_utf8(line).expect("text");
            }
            self.fill()?;
        };
        let size = usize::from_str_radix(line.trim(), 16).expect("a size");
        let data = self.take(size)?;
        assert_eq!(self.take(2)?, b"\r\n");
        Some(data)
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes.as_ref()).ok(),
            Stream::Sealed(sealed) => sealed.write_all(bytes.as_ref()).and_then(|()| sealed.flush()).ok(),
        }
    }

    /// Says that nothing more comes, as TLS wants it.
    pub fn close_notify(&mut self) -> Option<()> {
        let Stream::Sealed(sealed) = &mut self.stream else { return None };
        sealed.conn.send_close_notify();
        sealed.flush().ok()
    }

    /// Waits until the other side closes.
    pub fn wait_for_close(&mut self) {
        while self.fill().is_some() {}
    }
}
