//! Upstreams that run in the test: one thread per connection, requests read strictly and kept, answers given by the test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request that reached an upstream.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Target as it stood in the request line.
    pub target: String,
    /// Fields in their order.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Received {
    /// The first value of a field; empty without one.
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v)
    }
}

/// What the upstream does with a request: the bytes of its answer; `None` closes the connection.
type Respond = dyn Fn(&Received) -> Option<Vec<u8>> + Send + Sync;

/// A running upstream. It lives as long as the test.
pub struct Upstream {
    /// Its port.
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Answers every request with what `respond` says.
    pub fn start(respond: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (received, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (kept, counted, respond): (_, _, Arc<Respond>) =
            (received.clone(), connections.clone(), Arc::new(respond));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let (kept, respond) = (kept.clone(), respond.clone());
                std::thread::spawn(move || serve(stream, &kept, &*respond));
            }
        });
        Self { port, received, connections }
    }

    /// Answers 200 with a text.
    pub fn says(text: &'static str) -> Self {
        Self::start(move |_| Some(ok(text.as_bytes())))
    }

    /// Its url.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All that came, in order.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic").clone()
    }

    /// The last that came.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request came")
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A port that refuses connections.
pub fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// An answer 200 with a body.
pub fn ok(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &[], body)
}

/// An answer with fields and a body of known length.
pub fn answer(status: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Received>>, respond: &Respond) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = receive(&mut stream, &mut buffer) {
        kept.lock().expect("no panic").push(request.clone());
        let Some(bytes) = respond(&request) else { return };
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 65_536];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
    buffer.extend_from_slice(&chunk[..read]);
    Some(())
}

fn line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..at + 2).collect();
            return String::from_utf8(line[..at].to_vec()).ok();
        }
        more(stream, buffer)?;
    }
}

fn exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        more(stream, buffer)?;
    }
    Some(buffer.drain(..length).collect())
}

fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let first = line(stream, buffer)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Received { method, target, fields: Vec::new(), body: Vec::new() };
    loop {
        let field = line(stream, buffer)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':')?;
        request.fields.push((name.to_owned(), value.trim().to_owned()));
    }
    if request.field("expect").eq_ignore_ascii_case("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    if request.field("transfer-encoding") == "chunked" {
        loop {
            let size = usize::from_str_radix(&line(stream, buffer)?, 16).ok()?;
            if size == 0 {
                while !line(stream, buffer)?.is_empty() {}
                break;
            }
            request.body.extend(exactly(stream, buffer, size)?);
            exactly(stream, buffer, 2)?;
        }
    } else if let Ok(length) = request.field("content-length").parse() {
        request.body = exactly(stream, buffer, length)?;
    }
    Some(request)
}
