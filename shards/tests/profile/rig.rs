//! One shard without an admin plane, an upstream that misbehaves on time, and what the shard's profile says in the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tidegate_mailbox::{QueueReader, QueueWriter, SlotWriter};
use tidegate_shards::{
    Driver, Limits, Profiling, RingOptions, ServerTiming, ShardOptions, cache_mesh, spawn_shard, wakeups,
};
use tidegate_snapshot::*;

/// How long what is slow here takes.
pub const SLOW: Duration = Duration::from_millis(50);

/// A small ring.
pub fn ring() -> RingOptions {
    RingOptions { entries: 256, ..RingOptions::default() }
}

/// Keeps what it is given.
struct Sink(mpsc::Sender<Arc<IntervalProfile>>);

impl ProfileSink for Sink {
    fn submit(&mut self, interval: Arc<IntervalProfile>) -> bool {
        self.0.send(interval).is_ok()
    }
}

/// A running shard.
pub struct Rig {
    pub address: SocketAddr,
    pub inbox: QueueWriter<ToShard>,
    pub intervals: mpsc::Receiver<Arc<IntervalProfile>>,
    thread: JoinHandle<()>,
    admin: QueueReader<ToAdmin>,
    _snapshots: SlotWriter<Arc<Snapshot>>,
}

/// What is different from test to test.
#[derive(Default)]
pub struct Wanted {
    pub scopes: Scopes,
    pub server_timing: ServerTiming,
    pub limits: Limits,
    pub pipeline: Option<Arc<Pipeline>>,
    pub retries: u32,
    /// On a ring, with its clock of turns.
    pub is_on_ring: bool,
    /// On a ring, with the kernel's stamps of what arrives.
    pub is_stamped: bool,
}

fn service(upstream: SocketAddr, wanted: &Wanted) -> Arc<Service> {
    Arc::new(Service {
        slot: 0,
        key: "default/upstream".into(),
        description: "{}".into(),
        endpoints: vec![Endpoint {
            url: "http://upstream".into(),
            authority: b"upstream".as_slice().into(),
            base_path: Box::default(),
            query: None,
            addresses: Box::new([upstream]),
        }],
        retries: wanted.retries,
        retry_wait: SLOW,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(10),
        hide_gateway_headers: false,
        disable_query_params: false,
    })
}

fn snapshot(upstream: Option<SocketAddr>, wanted: &Wanted) -> Arc<Snapshot> {
    let route = Route {
        slot: 0,
        key: "default/all".into(),
        namespace: "default".into(),
        description: "{}".into(),
        methods: MethodSet::any(),
        preserve_host: false,
        strip_path: false,
        allow_encoded_slash: false,
        service: upstream.map(|upstream| service(upstream, wanted)),
        response: None,
        pipeline: wanted.pipeline.clone(),
        max_body_bytes: u64::MAX,
    };
    let mut routes = PathTree::default();
    routes.insert(&"/*".parse().expect("a pattern"), MethodSet::any(), Arc::new(route));
    let namespace = Namespace { name: "default".into(), description: "{}".into(), routes };
    Arc::new(Snapshot {
        revision: Revision(1),
        generation: 1,
        settings: Arc::default(),
        domains: DomainTable::new(Vec::new(), Some(0)),
        namespaces: vec![Arc::new(namespace)],
        route_slots: 1,
        service_slots: 1,
        scripts: Box::default(),
    })
}

impl Rig {
    /// Starts a shard with one route for everything.
    pub fn start(upstream: Option<SocketAddr>, wanted: Wanted) -> Self {
        let (wake, source) = wakeups().expect("a socket pair");
        let cache = cache_mesh(std::slice::from_ref(&wake)).remove(0);
        let (keep, snapshots) = tidegate_mailbox::slot(wake.clone());
        let (inbox, messages) = tidegate_mailbox::queue(64, wake);
        let (to_admin, admin) = tidegate_mailbox::queue(4096, Arc::new(|| {}));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sink, intervals) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = spawn_shard(ShardOptions {
            index: 0,
            cpu: None,
            driver: if wanted.is_on_ring || wanted.is_stamped { Driver::IoUring } else { Driver::Epoll },
            ring: RingOptions { arrival_stamps: wanted.is_stamped, ..ring() },
            snapshot: snapshot(upstream, &wanted),
            limits: wanted.limits,
            listener,
            snapshots,
            messages,
            cache,
            wakeups: source,
            admin: to_admin,
            reader: Arc::new(()),
            surroundings: Arc::default(),
            records: None,
            record_rules: Default::default(),
            profile: Profiling {
                scopes: wanted.scopes,
                sink: Some(Box::new(Sink(sink))),
                server_timing: wanted.server_timing,
            },
            memory: tidegate_shards::Memory::Inherited,
            started: Box::new(move |result| drop(tell.send(result))),
        })
        .expect("a thread");
        told.recv().expect("an answer").expect("it runs");
        Self { address, inbox, intervals, thread, admin, _snapshots: keep }
    }

    /// A client.
    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("an option");
        Client(stream)
    }

    /// The next interval, which nobody else holds any more.
    pub fn next(&mut self) -> Arc<IntervalProfile> {
        let interval = self.intervals.recv().expect("an interval");
        while self.admin.take().is_some() {}
        interval
    }

    /// Ends the shard, and gives all that it handed over, to both sides alike.
    pub fn end(self) -> Vec<Arc<IntervalProfile>> {
        self.end_from(0)
    }

    /// The same after so many were taken.
    pub fn end_from(mut self, taken: usize) -> Vec<Arc<IntervalProfile>> {
        assert!(self.inbox.send(ToShard::Drain).is_ok());
        self.thread.join().expect("it drains");
        let given: Vec<_> = self.intervals.try_iter().collect();
        let mut told = Vec::new();
        while let Some(message) = self.admin.take() {
            if let ToAdmin::Profile(interval) = message {
                told.push(interval);
            }
        }
        assert_eq!(told.len(), given.len() + taken, "the admin and the sink get the same");
        assert!(told[taken..].iter().zip(&given).all(|(a, b)| Arc::ptr_eq(a, b)));
        for interval in &given {
            assert!(
                interval.shard == 0 && interval.began_ms <= interval.ended_ms && !interval.times.is_empty()
            );
            adds_up(&interval.times);
            let rows = interval.rows.iter().filter(|row| row.scope != Scope::Module);
            rows.for_each(|row| adds_up(&row.times));
        }
        given
    }

    /// Ends the shard, and gives how many responses of its routes had a status of each class.
    pub fn responses(mut self) -> [u64; 5] {
        assert!(self.inbox.send(ToShard::Drain).is_ok());
        self.thread.join().expect("it drains");
        let mut sum = [0; 5];
        while let Some(message) = self.admin.take() {
            let ToAdmin::Report(report) = message else { continue };
            for route in &report.routes {
                sum.iter_mut().zip(route.responses).for_each(|(sum, more)| *sum += more);
            }
        }
        sum
    }

    /// All that it handed over, as one set.
    pub fn sum(self) -> Times {
        let mut sum = Times::new(3);
        self.end().iter().for_each(|interval| sum.add(&interval.times));
        sum
    }
}

/// A client's connection.
pub struct Client(pub TcpStream);

impl Client {
    /// Resets the connection.
    pub fn reset(self) {
        let socket = socket2::Socket::from(self.0);
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).expect("sent");
    }

    fn read(&mut self, end: &str) -> Result<String, String> {
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        while !seen.ends_with(end.as_bytes()) {
            match self.0.read(&mut piece) {
                Ok(read @ 1..) => seen.extend_from_slice(&piece[..read]),
                // The kernel interrupts a thread when a ring that it probed is gone.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return Err(String::from_utf8_lossy(&seen).into_owned()),
            }
        }
        Ok(String::from_utf8(seen).expect("text"))
    }

    /// Reads so many bytes.
    pub fn read_some(&mut self, bytes: usize) {
        self.0.read_exact(&mut vec![0; bytes]).expect("they come");
    }

    /// Reads until the text that ends a message has come.
    pub fn read_to(&mut self, end: &str) -> String {
        self.read(end).unwrap_or_else(|seen| panic!("closed after {seen:?}"))
    }

    /// Whether it came before the other side closed.
    pub fn has_read_to(&mut self, end: &str) -> bool {
        self.read(end).is_ok()
    }

    /// `GET /` whose answer ends with `end`.
    pub fn get(&mut self, end: &str) -> String {
        self.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        self.read_to(end)
    }
}

/// An upstream on a port of its own that does the same with every connection. It ends with the process.
pub fn upstream(behave: impl Fn(&mut Client) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let behave = Arc::new(behave);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let behave = behave.clone();
            std::thread::spawn(move || behave(&mut Client(socket)));
        }
    });
    address
}

/// The gateway's own part and all that was waited for are the total, as exactly as histograms tell it.
fn adds_up(times: &Times) {
    let sum = |phase: Phase| -> f64 {
        let recorded = times.of(phase).iter_recorded();
        recorded.map(|value| value.value_iterated_to() as f64 * value.count_at_value() as f64).sum()
    };
    let parts: f64 = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Total).map(sum).sum();
    let (total, count) = (sum(Phase::Total), times.of(Phase::Total).len());
    assert!((parts - total).abs() < total * 0.01 + 1e3 * count as f64, "{parts} ns of {total} ns in {count}");
    assert_eq!(times.of(Phase::Tax).len(), count, "all of them have a tax");
}

/// How often a phase was counted, and its median in milliseconds.
pub fn seen(times: &Times, phase: Phase) -> (u64, f64) {
    let histogram = times.of(phase);
    (histogram.len(), histogram.value_at_quantile(0.5) as f64 / 1e6)
}
