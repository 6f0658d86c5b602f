//! The whole plane against shards made by hand: what is answered when, what reaches the shards, and what a restart finds.

use super::*;
use crate::change::Kind;
use crate::config::{InitResource, InitResources};
use crate::invalid::Invalid;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tidegate_mailbox::{QueueReader, QueueWriter, SlotReader, queue, slot};
use tidegate_snapshot::{DocumentQuery, DocumentWrite, Found, ProfileOrder, Snapshot, ToAdmin, ToShard};

/// Long enough for a slow machine, short enough for a test that fails.
const SOON: Duration = Duration::from_secs(20);

/// A running plane with the writing end of its inbox.
struct Plane {
    handle: AdminHandle,
    address: SocketAddr,
    to_admin: QueueWriter<ToAdmin>,
    _dir: Option<tempfile::TempDir>,
}

fn init(items: &[(Kind, &str, Value)]) -> InitResources {
    let item = |(kind, at, value): &(Kind, &str, Value)| InitResource {
        kind: *kind,
        at: format!("proxy.init_resources.{at}"),
        value: value.clone(),
    };
    InitResources { items: items.iter().map(item).collect() }
}

fn try_open(dir: &Path, set: impl FnOnce(&mut Options)) -> Result<Plane, StartError> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address");
    let (to_admin, inbox) = inbox(256);
    let mut options = Options::new(dir.to_owned(), listener, inbox);
    set(&mut options);
    Ok(Plane { handle: start(options)?, address, to_admin, _dir: None })
}

fn open(set: impl FnOnce(&mut Options)) -> Plane {
    let dir = tempfile::tempdir().expect("dir");
    let mut plane = try_open(dir.path(), set).unwrap_or_else(|e| panic!("{e}"));
    plane._dir = Some(dir);
    plane
}

/// Status and body of a call to the admin API.
fn call(address: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sends");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answers");
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("status");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The shard's ends of a link.
struct Shard {
    index: u16,
    snapshots: SlotReader<Arc<Snapshot>>,
    messages: QueueReader<ToShard>,
    woken: mpsc::Receiver<()>,
    to_admin: QueueWriter<ToAdmin>,
}

fn shards(plane: &Plane, count: u16) -> Vec<Shard> {
    let (mut links, mut ends) = (Vec::new(), Vec::new());
    for index in 0..count {
        let (wake, woken) = mpsc::channel();
        let wake: tidegate_mailbox::Wake = Arc::new(move || wake.send(()).unwrap_or_default());
        let (to_slot, snapshots) = slot(wake.clone());
        let (inbox, messages) = queue(16, wake);
        links.push(ShardLink { snapshots: to_slot, inbox });
        ends.push(Shard { index, snapshots, messages, woken, to_admin: plane.to_admin.clone() });
    }
    plane.handle.attach(links);
    ends
}

impl Shard {
    /// Waits for the next snapshot.
    fn snapshot(&mut self) -> Arc<Snapshot> {
        loop {
            if let Some(snapshot) = self.snapshots.take() {
                return snapshot;
            }
            self.woken.recv_timeout(SOON).expect("a snapshot comes");
        }
    }

    /// Waits for the next message.
    fn message(&mut self) -> ToShard {
        loop {
            if let Some(message) = self.messages.take() {
                return message;
            }
            self.woken.recv_timeout(SOON).expect("a message comes");
        }
    }

    fn send(&self, message: ToAdmin) {
        assert!(self.to_admin.send(message).is_ok(), "the inbox has room");
    }

    fn acknowledge(&self, snapshot: &Snapshot) {
        self.send(ToAdmin::Installed { shard: self.index, generation: snapshot.generation });
    }

    /// Goes on by itself: acknowledges what comes, drains when it is told to.
    fn obedient(mut self) -> JoinHandle<()> {
        std::thread::spawn(move || {
            while self.woken.recv().is_ok() {
                if let Some(snapshot) = self.snapshots.take() {
                    self.acknowledge(&snapshot);
                }
                if let Some(ToShard::Drain) = self.messages.take() {
                    self.send(ToAdmin::Drained { shard: self.index });
                }
            }
        })
    }
}

/// Routes of `/path` in the namespace of any host.
fn serves(snapshot: &Snapshot, path: &str) -> bool {
    let namespace = snapshot.namespace_for("any.host").expect("namespace");
    matches!(namespace.routes.find(path.as_bytes(), &http::Method::GET), Found::Match(_))
}

fn service() -> Value {
    json!({"name": "s", "namespace": "default", "urls": ["http://127.0.0.1:9"]})
}

fn route(name: &str, path: &str) -> Value {
    json!({"name": name, "namespace": "default", "paths": [path], "methods": ["GET"], "service": "s"})
}

#[test]
fn a_write_is_answered_only_after_every_shard_has_acknowledged() {
    let plane = open(|_| {});
    assert_eq!(
        call(plane.address, "PUT", "/api/v1/service", &service()).0,
        201,
        "no shards, nobody to wait for"
    );
    let mut shards = shards(&plane, 2);
    for shard in &mut shards {
        let snapshot = shard.snapshot();
        shard.acknowledge(&snapshot);
    }
    let (answered, answer) = mpsc::channel();
    let address = plane.address;
    let caller = std::thread::spawn(move || {
        let status = call(address, "PUT", "/api/v1/route", &route("r", "/r")).0;
        answered.send(status).expect("the test listens");
    });
    let both: Vec<Arc<Snapshot>> = shards.iter_mut().map(Shard::snapshot).collect();
    assert!(Arc::ptr_eq(&both[0], &both[1]) && serves(&both[0], "/r"));
    shards[0].acknowledge(&both[0]);
    // The admin has read the first acknowledgement when the API tells it.
    let runs = |generations: Value| {
        let end = Instant::now() + SOON;
        while info(address)["snapshot"]["shardGenerations"] != generations {
            assert!(Instant::now() < end, "{}", info(address));
        }
    };
    runs(json!([both[0].generation, both[0].generation - 1]));
    assert!(answer.try_recv().is_err(), "one of two shards is not enough");
    shards[1].acknowledge(&both[1]);
    assert_eq!(answer.recv_timeout(SOON), Ok(201));
    caller.join().expect("caller");
    plane.handle.stop();
}

/// The runtime's description as the API shows it.
fn info(address: SocketAddr) -> Value {
    let (status, body) = call(address, "GET", "/api/v1/cluster/status", &Value::Null);
    assert_eq!(status, 200, "{body}");
    body["data"]["runtime"].clone()
}

#[test]
fn what_is_applied_meanwhile_is_published_together() {
    let plane = open(|_| {});
    let mut shard = shards(&plane, 1).remove(0);
    let first = shard.snapshot();
    shard.acknowledge(&first);
    call_obediently(&plane, shard, |address| {
        assert_eq!(call(address, "PUT", "/api/v1/service", &service()).0, 201);
        let writers: Vec<_> = (0..16)
            .map(|n| {
                let body = route(&format!("r{n}"), &format!("/r{n}"));
                std::thread::spawn(move || call(address, "PUT", "/api/v1/route", &body).0)
            })
            .collect();
        assert!(writers.into_iter().all(|writer| writer.join().expect("writer") == 201));
    });
    let snapshot = plane.handle.snapshot();
    assert!((0..16).all(|n| serves(&snapshot, &format!("/r{n}"))));
    assert!(snapshot.generation <= first.generation + 17);
}

fn call_obediently(plane: &Plane, shard: Shard, work: impl FnOnce(SocketAddr)) {
    let _thread = shard.obedient();
    work(plane.address);
}

#[test]
fn documents_need_no_new_snapshot() {
    let plane = open(|_| {});
    let mut shard = shards(&plane, 1).remove(0);
    let first = shard.snapshot();
    shard.acknowledge(&first);
    let reader = plane.handle.reader();
    let write = |shard: &mut Shard, ticket, write| {
        let message = ToAdmin::Write { shard: 0, ticket, namespace: "default".into(), write };
        shard.send(message);
        match shard.message() {
            ToShard::Written { ticket: found, outcome } if found == ticket => outcome,
            other => panic!("{other:?}"),
        }
    };
    let collection = DocumentWrite::PutCollection {
        collection: r#"{"name":"c","schema":{"type":"object","required":["n"]}}"#.into(),
    };
    let written = write(&mut shard, 1, collection).expect("collection");
    assert!(written.contains("\"name\":\"c\""), "{written}");
    let document =
        |data: &str| DocumentWrite::PutDocument { collection: "c".into(), id: "d".into(), data: data.into() };
    let written: Value =
        serde_json::from_str(&write(&mut shard, 2, document(r#"{"n":1}"#)).expect("document")).expect("JSON");
    assert_eq!((&written["data"]["n"], &written["namespace"]), (&json!(1), &json!("default")));
    let query = DocumentQuery::Document { collection: "c".into(), id: "d".into() };
    let read: Value = serde_json::from_str(&reader.read("default", &query).expect("read")).expect("JSON");
    assert_eq!(read, written, "a module reads its own write");
    assert!(
        write(&mut shard, 3, document("{}")).is_err_and(|why| why.contains('n')),
        "the schema is checked"
    );
    let delete = || DocumentWrite::DeleteDocument { collection: "c".into(), id: "d".into() };
    assert_eq!(write(&mut shard, 4, delete()), Ok("null".into()));
    assert!(write(&mut shard, 5, delete()).is_err());
    assert!(shard.snapshots.take().is_none());
    assert_eq!(plane.handle.snapshot().generation, first.generation);
}

#[test]
fn a_new_name_is_resolved_before_the_write_is_answered() {
    let plane = open(|_| {});
    let service = json!({"name": "s", "namespace": "default", "urls": ["http://localhost:9"]});
    assert_eq!(call(plane.address, "PUT", "/api/v1/service", &service).0, 201);
    assert_eq!(call(plane.address, "PUT", "/api/v1/route", &route("r", "/r")).0, 201);
    let snapshot = plane.handle.snapshot();
    let namespace = snapshot.namespace_for("any.host").expect("namespace");
    let Found::Match(found) = namespace.routes.find(b"/r", &http::Method::GET) else { panic!("no route") };
    let endpoints = &found.value.service.as_ref().expect("service").endpoints;
    assert!(endpoints[0].addresses.iter().any(|address| address.ip().is_loopback() && address.port() == 9));
}

#[test]
fn names_of_modules_are_resolved() {
    let plane = open(|_| {});
    let mut shard = shards(&plane, 1).remove(0);
    shard.send(ToAdmin::Resolve { shard: 0, ticket: 7, host: "127.0.0.1".into(), port: 81 });
    match shard.message() {
        ToShard::Resolved { ticket: 7, outcome } => {
            assert_eq!(outcome, Ok(vec!["127.0.0.1:81".parse().unwrap()]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_files_resources_are_written_once_and_only_where_they_differ() {
    let dir = tempfile::tempdir().expect("dir");
    let resources = |path: &str, secret: &str| {
        init(&[
            (Kind::Namespace, "namespaces[0]", json!({"name": "ops"})),
            (Kind::Service, "services[0]", json!({"name": "s", "urls": ["http://127.0.0.1:9"]})),
            (
                Kind::Module,
                "modules[0]",
                json!({"name": "m", "payloadRaw": "export function requestHandler() {}"}),
            ),
            (
                Kind::Route,
                "routes[0]",
                json!({"name": "r", "paths": [path], "methods": ["*"], "service": "s"}),
            ),
            (Kind::Collection, "collections[0]", json!({"name": "c", "namespace": "ops"})),
            (
                Kind::Document,
                "documents[0]",
                json!({"id": "d", "namespace": "ops", "collection": "c", "data": 1}),
            ),
            (Kind::Secret, "secrets[0]", json!({"name": "k", "namespace": "ops", "data": secret})),
        ])
    };
    let revision = |plane: &Plane| info(plane.address)["snapshot"]["revision"].clone();
    let open = |path: &str, secret: &str| {
        let resources = resources(path, secret);
        try_open(dir.path(), |options| options.init = resources).unwrap_or_else(|e| panic!("{e}"))
    };
    let plane = open("/one", "a");
    assert!(serves(&plane.handle.snapshot(), "/one"));
    assert_eq!(call(plane.address, "PUT", "/api/v1/route", &route("mine", "/mine")).0, 201);
    plane.handle.stop();

    let plane = open("/one", "a");
    let (count, _) = changes(plane.address);
    plane.handle.stop();
    let plane = open("/one", "a");
    assert_eq!(changes(plane.address).0, count, "what is there already is not written again");
    let before = revision(&plane);
    plane.handle.stop();

    let plane = open("/two", "b");
    assert_eq!(changes(plane.address).0, count + 1);
    assert!(revision(&plane).as_u64() > before.as_u64());
    let snapshot = plane.handle.snapshot();
    assert!(serves(&snapshot, "/two") && !serves(&snapshot, "/one"));
    assert!(serves(&snapshot, "/mine"), "what was made over the API stays");
    plane.handle.stop();
}

/// Number of changes and the changelog's hash.
fn changes(address: SocketAddr) -> (u64, Value) {
    let (_, body) = call(address, "GET", "/changelog", &Value::Null);
    (body["count"].as_u64().unwrap_or_else(|| panic!("{body}")), body["hash"].clone())
}

#[test]
fn faults_of_the_files_resources_have_paths() {
    let resources = init(&[
        (Kind::Service, "services[0]", json!({"name": "s", "urls": ["http://127.0.0.1:9", "localhost"]})),
        (Kind::Route, "routes[0]", json!({"name": "r r", "paths": ["/"], "methods": ["*"], "service": "s"})),
    ]);
    let related = init(&[
        (Kind::Module, "modules[0]", json!({"name": "good", "payloadRaw": "export const x = 1"})),
        (Kind::Module, "modules[1]", json!({"name": "bad", "payloadRaw": "export const = 1"})),
        (Kind::Route, "routes[0]", json!({"name": "r", "paths": ["/"], "methods": ["*"], "service": "nope"})),
        (
            Kind::Service,
            "services[0]",
            json!({"name": "s", "namespace": "nope", "urls": ["http://127.0.0.1"]}),
        ),
    ]);
    let twice = init(&[
        (Kind::Namespace, "namespaces[0]", json!({"name": "a"})),
        (Kind::Namespace, "namespaces[1]", json!({"name": "a"})),
    ]);
    for (resources, expected) in [
        (resources, vec!["services[0].urls[1]", "routes[0].name"]),
        (related, vec!["routes[0].service", "services[0].namespace", "modules[1].payload"]),
        (twice, vec!["namespaces[1]"]),
    ] {
        let dir = tempfile::tempdir().expect("dir");
        let Err(StartError::Invalid(faults)) = try_open(dir.path(), |options| options.init = resources)
        else {
            panic!("must be refused: {expected:?}");
        };
        let at: Vec<&str> = faults
            .iter()
            .map(|Invalid { at, .. }| at.strip_prefix("proxy.init_resources.").unwrap_or(at))
            .collect();
        assert_eq!(at, expected, "{faults:?}");
    }
}

#[test]
fn readiness_follows_the_process() {
    let plane = open(|_| {});
    let ready = || call(plane.address, "GET", "/readyz", &Value::Null).0;
    assert_eq!(ready(), 503);
    plane.handle.set_ready(true);
    assert_eq!(ready(), 200);
    plane.handle.draining();
    assert_eq!(ready(), 503);
    assert!(!plane.handle.wait_drained(1, Duration::ZERO));
    assert!(plane.to_admin.send(ToAdmin::Drained { shard: 0 }).is_ok());
    assert!(plane.handle.wait_drained(1, SOON));
}

#[test]
fn memory_storage_leaves_nothing_behind() {
    let plane = open(|options| options.memory_storage = true);
    let base = std::env::temp_dir();
    let ours = format!("tidegate-{}-", std::process::id());
    let left = || {
        let entries = std::fs::read_dir(&base).expect("temp");
        entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(&ours)).count()
    };
    assert!(left() > 0);
    plane.handle.stop();
    assert_eq!(left(), 0);
}

#[test]
fn a_folder_in_use_is_refused() {
    let dir = tempfile::tempdir().expect("dir");
    let _first = try_open(dir.path(), |_| {}).unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(try_open(dir.path(), |_| {}), Err(StartError::Store(_))));
}

#[test]
fn rows_are_asked_of_every_shard_while_somebody_wants_them() {
    let plane = open(|_| {});
    let mut ends = shards(&plane, 2);
    let began = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let (status, body) = call(plane.address, "GET", "/api/v1/profile?by=service&for=1s", &Value::Null);
    assert_eq!((status, &body["data"]["rows"]), (200, &json!([])), "{body}");
    for shard in &mut ends {
        let ToShard::Profile(order) = shard.message() else { panic!("another message") };
        let ProfileOrder { scopes, until_ms, ref keys, is_cut } = order;
        assert!(scopes.services && !scopes.routes && !scopes.modules && keys.is_empty() && !is_cut);
        let left = until_ms - began.as_millis() as u64;
        assert!(
            (11_000..60_000).contains(&left),
            "{left} ms: the second looked back on, and ten to ask again"
        );
    }
    // What is measured from now on begins and ends with an interval of the shards.
    let dump = "/api/v1/profile?by=shard&key=1&for=100ms&wait=true";
    assert_eq!(call(plane.address, "GET", dump, &Value::Null).0, 200);
    for shard in &mut ends {
        for _ in 0..2 {
            let ToShard::Profile(order) = shard.message() else { panic!("another message") };
            assert!(order.is_cut && order.scopes.services, "{order:?}");
        }
    }
    let unknown = "/api/v1/profile?by=shard&key=2&for=1h&wait=true";
    assert_eq!(call(plane.address, "GET", unknown, &Value::Null).0, 404);
    // What a shard tells is there for whoever asks, and in the metrics.
    let mut times = tidegate_snapshot::Times::new(3);
    times.record(tidegate_snapshot::Phase::Tax, 7_000);
    times.record(tidegate_snapshot::Phase::Total, 9_000);
    let ended_ms = began.as_millis() as u64 + 1_000;
    let interval = tidegate_snapshot::IntervalProfile {
        shard: 1,
        began_ms: ended_ms - 1_000,
        ended_ms,
        times,
        rows: Vec::new(),
        rows_refused: 0,
    };
    ends[1].send(ToAdmin::Profile(Arc::new(interval)));
    let deadline = Instant::now() + SOON;
    loop {
        let (_, body) = call(plane.address, "GET", "/api/v1/profile?by=shard&for=60s", &Value::Null);
        let row = &body["data"]["rows"][0];
        if row["key"] == "1" {
            assert_eq!((&row["count"], &row["phases"]["tax"]["count"]), (&json!(1), &json!(1)), "{row}");
            break;
        }
        assert!(Instant::now() < deadline, "{body}");
    }
}
