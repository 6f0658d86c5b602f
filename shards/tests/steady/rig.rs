//! One shard between a client and an upstream, on kept connections.

use crate::counting;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use tidegate_mailbox::{QueueReader, QueueWriter, SlotWriter, queue, slot};
use tidegate_shards::{
    Driver, Limits, Profiling, RecordFormat, RecordRules, Redaction, RingOptions, ServerTiming, ShardOptions,
    cache_mesh, probe, spawn_shard, wakeups,
};
use tidegate_snapshot::{
    DirectResponse, DomainTable, Endpoint, MethodSet, Namespace, PathTree, RecordSink, Revision, Route,
    Scopes, Service, Snapshot, ToAdmin, ToShard,
};

/// Takes buffers of access lines and hands the same ones out again, as the recorder does.
#[derive(Default)]
struct Round(Vec<Vec<u8>>);

impl RecordSink for Round {
    fn buffer(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_else(|| Vec::with_capacity(64 << 10))
    }

    fn submit(&mut self, mut lines: Vec<u8>) -> bool {
        lines.clear();
        self.0.push(lines);
        true
    }
}

/// An upstream that answers every request with the same bytes.
pub struct Upstream {
    response: Vec<u8>,
}

impl Upstream {
    /// A body of that length.
    pub fn length(bytes: usize) -> Self {
        let mut response =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {bytes}\r\n\r\n")
                .into_bytes();
        response.resize(response.len() + bytes, b'u');
        Self { response }
    }

    /// A body in chunks of about a kilobyte.
    pub fn chunked(bytes: usize) -> Self {
        let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let body = vec![b'u'; bytes];
        for chunk in body.chunks(1_000) {
            response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            response.extend_from_slice(chunk);
            response.extend_from_slice(b"\r\n");
        }
        response.extend_from_slice(b"0\r\n\r\n");
        Self { response }
    }

    fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let response = self.response.clone();
                spawn(move || answer(stream, &response));
            }
        });
        address
    }
}

/// The length that a head announces, 0 for none.
fn content_length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = text.lines().find_map(|line| line.strip_prefix("content-length:").map(str::trim));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn answer(mut stream: TcpStream, response: &[u8]) {
    let _ = stream.set_nodelay(true);
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        while let Some(end) = end_of_head(&seen) {
            let whole = end + content_length(&seen[..end]);
            if seen.len() < whole {
                break;
            }
            seen.drain(..whole);
            if stream.write_all(response).is_err() {
                return;
            }
        }
    }
}

fn snapshot(upstream: SocketAddr, response: Option<DirectResponse>) -> Snapshot {
    let service = Arc::new(Service {
        slot: 0,
        key: "n/s".into(),
        description: "{}".into(),
        endpoints: vec![Endpoint {
            url: format!("http://{upstream}").into(),
            authority: upstream.to_string().into_bytes().into(),
            base_path: Box::default(),
            query: None,
            addresses: [upstream].into(),
        }],
        retries: 1,
        retry_wait: Duration::ZERO,
        connect_timeout: Duration::from_secs(3_600),
        request_timeout: Duration::from_secs(3_600),
        hide_gateway_headers: false,
        disable_query_params: false,
    });
    let route = Arc::new(Route {
        slot: 0,
        key: "n/r".into(),
        namespace: "n".into(),
        description: "{}".into(),
        methods: MethodSet::any(),
        preserve_host: true,
        strip_path: false,
        allow_encoded_slash: false,
        service: response.is_none().then_some(service),
        response: response.map(Arc::new),
        pipeline: None,
        max_body_bytes: u64::MAX,
    });
    let mut routes = PathTree::default();
    let pattern = "/**".parse().expect("a pattern");
    routes.insert(&pattern, MethodSet::any(), route);
    let namespace = Namespace { name: "n".into(), description: "{}".into(), routes };
    Snapshot {
        revision: Revision(1),
        generation: 1,
        settings: Arc::default(),
        domains: DomainTable::new(Vec::new(), Some(0)),
        namespaces: vec![Arc::new(namespace)],
        route_slots: 1,
        service_slots: 1,
        scripts: Box::default(),
    }
}

/// A running shard and what it needs around it.
pub struct Shard {
    /// Where it listens.
    pub address: SocketAddr,
    inbox: QueueWriter<ToShard>,
    thread: Option<JoinHandle<()>>,
    // Kept: a shard whose admin is gone has nobody to report to.
    _snapshots: SlotWriter<Arc<Snapshot>>,
    admin: Option<JoinHandle<()>>,
}

/// A client's connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    seen: Vec<u8>,
}

/// Takes what the shard reports, until it has drained.
fn take_reports(mut reports: QueueReader<ToAdmin>) {
    loop {
        match reports.take() {
            Some(ToAdmin::Drained { .. }) => return,
            Some(_) => {}
            None => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
}

impl Shard {
    /// Starts it before an upstream.
    pub fn start(upstream: Upstream, limits: Limits) -> Self {
        Self::begin(upstream, limits, None, None, Profiling::default())
    }

    /// Starts one that writes access lines in a format.
    pub fn logging(upstream: Upstream, format: &str) -> Self {
        Self::recording(upstream, Limits::default(), format)
    }

    /// The same within bounds.
    pub fn recording(upstream: Upstream, limits: Limits, format: &str) -> Self {
        Self::begin(upstream, limits, Some(format), None, Profiling::default())
    }

    /// Starts one that keeps rows by route and service, and tells every client where the time went.
    pub fn profiling(upstream: Upstream) -> Self {
        let scopes = Scopes { routes: true, services: true, modules: false };
        let profile = Profiling { scopes, server_timing: ServerTiming::Always, ..Profiling::default() };
        Self::begin(upstream, Limits::default(), None, None, profile)
    }

    /// Starts one whose route answers by itself, with a body of that length.
    pub fn answering(bytes: usize) -> Self {
        let fields = [
            ("Content-Type".to_owned(), "text/plain".to_owned()),
            ("Content-Length".to_owned(), bytes.to_string()),
        ];
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        fields.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        let direct = DirectResponse {
            status: 200,
            head: head.into_bytes().into(),
            fields: fields.map(|(name, value)| (name.into_bytes().into(), value.into_bytes().into())).into(),
            body: vec![b'd'; bytes].into(),
        };
        let format = "%{query} %{resp.content-type}";
        let (upstream, limits) = (Upstream::length(0), Limits::default());
        Self::begin(upstream, limits, Some(format), Some(direct), Profiling::default())
    }

    fn begin(
        upstream: Upstream,
        limits: Limits,
        format: Option<&str>,
        response: Option<DirectResponse>,
        profile: Profiling,
    ) -> Self {
        let redaction = Redaction::default();
        let format = format.map(|format| RecordFormat::parse(format, &redaction).expect("a format"));
        let records = format.is_some().then(|| Box::new(Round::default()) as Box<dyn RecordSink>);
        let record_rules = RecordRules { format: format.unwrap_or_default(), ..RecordRules::default() };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (wake, source) = wakeups().expect("a socket pair");
        let (snapshots, newest) = slot(wake.clone());
        let (inbox, messages) = queue(64, wake.clone());
        let (to_admin, reports) = queue(4_096, Arc::new(|| ()));
        let ring = RingOptions { entries: 256, ..RingOptions::default() };
        let (tell, told) = mpsc::channel();
        let options = ShardOptions {
            index: 0,
            cpu: None,
            memory: tidegate_shards::Memory::Inherited,
            driver: if probe(ring).is_ok() { Driver::IoUring } else { Driver::Epoll },
            ring,
            limits,
            listener,
            snapshot: Arc::new(snapshot(upstream.serve(), response)),
            snapshots: newest,
            messages,
            cache: cache_mesh(&[wake]).remove(0),
            wakeups: source,
            admin: to_admin,
            reader: Arc::new(()),
            surroundings: Arc::default(),
            records,
            profile,
            record_rules,
            started: Box::new(move |result| {
                // Said on the shard's own thread.
                counting::count_here();
                tell.send(result).expect("the test waits");
            }),
        };
        let thread = spawn_shard(options).expect("a thread");
        told.recv().expect("a word").expect("a shard");
        Self {
            address,
            inbox,
            thread: Some(thread),
            _snapshots: snapshots,
            admin: Some(spawn(move || take_reports(reports))),
        }
    }
}

impl Client {
    /// Connects.
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the shard listens");
        stream.set_nodelay(true).expect("an option");
        Self { stream, buffer: vec![0; 128 << 10], seen: Vec::new() }
    }

    /// One request and its whole response, whose body has so many bytes (more on the wire where it is chunked).
    pub fn exchange(&mut self, request: &[u8], body: usize) {
        self.stream.write_all(request).expect("written");
        self.seen.clear();
        loop {
            let read = self.stream.read(&mut self.buffer).expect("read");
            assert!(read > 0, "the shard closed: {:?}", String::from_utf8_lossy(&self.seen));
            self.seen.extend_from_slice(&self.buffer[..read]);
            let Some(end) = end_of_head(&self.seen) else { continue };
            assert!(
                self.seen.starts_with(b"HTTP/1.1 200 "),
                "{:?}",
                String::from_utf8_lossy(&self.seen[..end])
            );
            let is_whole = match content_length(&self.seen[..end]) {
                0 => self.seen.ends_with(b"0\r\n\r\n"),
                length => self.seen.len() == end + length,
            };
            if is_whole {
                assert!(self.seen.len() >= end + body);
                return;
            }
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        let _ = self.inbox.send(ToShard::Drain);
        for thread in [self.thread.take(), self.admin.take()].into_iter().flatten() {
            let _ = thread.join();
        }
    }
}
