//! An upstream: a thread per connection that does what its test (or its vice) says, reads requests strictly and records
//! every one of them. Damage is anything but exact framing, and any byte beyond the request that was promised; an
//! upstream that saw some fails its test when it is dropped.

use super::client::until;
use super::message::{Head, Message, Stream, Trouble};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Message>>,
    damage: Mutex<Vec<String>>,
    cuts: Mutex<Vec<String>>,
    sockets: Mutex<Vec<TcpStream>>,
    ends: Mutex<usize>,
    marks: AtomicUsize,
    is_over: AtomicBool,
}

/// A listening upstream.
pub struct Upstream {
    pub address: SocketAddr,
    record: Arc<Record>,
    thread: Option<JoinHandle<()>>,
}

/// One connection from the gateway, as the behaviour sees it.
pub struct Visit {
    pub stream: Stream,
    /// Number of this connection, from 0.
    pub index: usize,
    record: Arc<Record>,
}

/// A plain answer.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Upstream {
    /// Does `behave` with every connection; when it returns, the connection is closed.
    pub fn new(behave: impl Fn(&mut Visit) -> Option<()> + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", behave)
    }

    /// The same on an address.
    pub fn on(address: &str, behave: impl Fn(&mut Visit) -> Option<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (record, behave) = (Arc::new(Record::default()), Arc::new(behave));
        let seen = record.clone();
        let thread = std::thread::spawn(move || {
            for (index, socket) in listener.incoming().enumerate() {
                let Ok(socket) = socket else { continue };
                if seen.is_over.load(Ordering::Acquire) {
                    return;
                }
                let copy = socket.try_clone().expect("a handle");
                seen.sockets.lock().expect("a lock").push(copy);
                let (record, behave) = (seen.clone(), behave.clone());
                std::thread::spawn(move || {
                    let mut visit = Visit { stream: Stream::new(socket), index, record };
                    let _ = behave(&mut visit);
                    // The record holds a handle too: closing is said aloud.
                    let _ = visit.stream.socket.shutdown(Shutdown::Both);
                    *visit.record.ends.lock().expect("a lock") += 1;
                });
            }
        });
        Self { address, record, thread: Some(thread) }
    }

    /// Answers every request on a connection with what `answer` makes of it, and keeps the connection.
    pub fn answering(answer: impl Fn(&Message) -> String + Send + Sync + 'static) -> Self {
        Self::new(move |visit| {
            loop {
                let request = visit.request()?;
                visit.write(answer(&request))?;
            }
        })
    }

    /// `http://address`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every complete request so far.
    pub fn requests(&self) -> Vec<Message> {
        self.record.requests.lock().expect("a lock").clone()
    }

    /// The last complete request.
    pub fn last(&self) -> Message {
        self.requests().pop().expect("a request")
    }

    /// Forgets the requests so far and answers them.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.record.requests.lock().expect("a lock"))
    }

    /// What was wrong with what came.
    pub fn damage(&self) -> Vec<String> {
        self.record.damage.lock().expect("a lock").clone()
    }

    /// Requests that ended in the middle.
    pub fn cuts(&self) -> usize {
        self.record.cuts.lock().expect("a lock").len()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.record.sockets.lock().expect("a lock").len()
    }

    /// Connections whose behaviour has ended.
    pub fn ends(&self) -> usize {
        *self.record.ends.lock().expect("a lock")
    }

    /// How often a behaviour has marked that it came so far.
    pub fn marks(&self) -> usize {
        self.record.marks.load(Ordering::Acquire)
    }

    /// Waits for so many requests.
    pub fn wait_requests(&self, count: usize) {
        until(&format!("{count} requests upstream"), || self.requests().len() >= count);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.record.is_over.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        for socket in self.record.sockets.lock().expect("a lock").iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let damage = self.damage();
        if !std::thread::panicking() {
            assert!(damage.is_empty(), "damage reached the upstream: {damage:#?}");
        }
    }
}

impl Visit {
    fn note(&self, trouble: Trouble) {
        match trouble {
            // A pool may close whenever it likes; silence ends with the test.
            Trouble::Ended | Trouble::Silent => {}
            Trouble::Cut(what) => self.record.cuts.lock().expect("a lock").push(what),
            Trouble::Damaged(what) => self.record.damage.lock().expect("a lock").push(what),
        }
    }

    fn kept<T>(&self, result: Result<T, Trouble>) -> Option<T> {
        result.map_err(|trouble| self.note(trouble)).ok()
    }

    /// The head of the next request; nothing where the gateway closes.
    pub fn head(&mut self) -> Option<Head> {
        let head = self.stream.head();
        let head = self.kept(head)?;
        let parts: Vec<&str> = head.line.split(' ').collect();
        if parts.len() != 3 || parts[2] != "HTTP/1.1" || !parts[1].starts_with('/') {
            self.note(Trouble::Damaged(format!("no request line: {:?}", head.line)));
            return None;
        }
        if head.values("host").len() != 1 {
            self.note(Trouble::Damaged(format!("not one Host: {head:?}")));
        }
        Some(head)
    }

    /// The body that the head promised; records the request and that nothing came behind it.
    pub fn body(&mut self, head: Head) -> Option<Message> {
        let request = self.stream.body(head, false);
        let request = self.kept(request)?;
        self.record.requests.lock().expect("a lock").push(request.clone());
        self.must_be_silent(&request.line);
        Some(request)
    }

    /// The next request, head and body.
    pub fn request(&mut self) -> Option<Message> {
        let head = self.head()?;
        self.body(head)
    }

    /// Nothing may stand behind a request before it is answered.
    fn must_be_silent(&mut self, line: &str) {
        self.stream.socket.set_nonblocking(true).expect("set");
        let more = self.stream.fill();
        self.stream.socket.set_nonblocking(false).expect("set");
        let rest = self.stream.rest();
        if !rest.is_empty() {
            let rest = String::from_utf8_lossy(rest).into_owned();
            self.note(Trouble::Damaged(format!("behind {line:?} came {rest:?} ({more:?})")));
        }
    }

    /// Writes; nothing where the gateway closed.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        self.stream.write(bytes).ok()
    }

    /// Does nothing until the gateway closes, then answers whether it did within the deadline.
    pub fn wait_for_close(&mut self) -> Option<()> {
        loop {
            match self.stream.fill() {
                Ok(true) => {}
                Ok(false) | Err(Trouble::Cut(_)) => return Some(()),
                Err(_) => return None,
            }
        }
    }

    /// Tells the test that the behaviour came so far.
    pub fn mark(&self) {
        self.record.marks.fetch_add(1, Ordering::AcqRel);
    }

    /// Closes with a reset, so that the gateway sees an error and not an end.
    pub fn reset(&mut self) -> io::Result<()> {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open and the option is a valid `linger`.
        let result = unsafe {
            libc::setsockopt(
                self.stream.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of::<libc::linger>() as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
