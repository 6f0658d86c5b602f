//! The scheduler against shards made by hand and clusters in one process. The clock is tokio's and stands still: it moves
//! when nothing else can happen, so that hours pass at once and nothing is left to chance.

use super::handle::{Ended, News, RunRefusal, Schedule};
use super::record::Recorder;
use super::scheduler::{Clock, Scheduler};
use super::tell::Teller;
use super::timetable::tests::planned;
use crate::change::{Change, Key, Kind, Op, Outcome};
use crate::metrics::Registry;
use crate::raft::{Cluster, ClusterConfig, PeerFuture, PeerTransport, RaftRpc};
use crate::store::Store;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tidegate_js::Per;
use tidegate_mailbox::queue;
use tidegate_snapshot::{Event, JobOrder, JobOutcome, JobReport, ToShard};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

/// Where the clock begins: 12:00:00.500 on some day.
const BEGIN_MS: u64 = 1_767_268_800_500;
const TIMEOUT: Duration = Duration::from_secs(60);

/// The wires: a node that is unplugged is reached by nobody and reaches nobody.
#[derive(Default)]
struct Wires(Mutex<BTreeMap<String, Cluster>>);

struct Plug(Arc<Wires>, String);

impl PeerTransport for Plug {
    fn send<'a>(&'a self, address: &'a str, rpc: RaftRpc, body: Vec<u8>) -> PeerFuture<'a> {
        Box::pin(async move {
            let target = {
                let nodes = self.0.0.lock().expect("no panic");
                nodes.get(address).filter(|_| nodes.contains_key(&self.1)).cloned()
            };
            let target = target.ok_or(io::ErrorKind::ConnectionRefused)?;
            target.handle_raft(rpc, &body).await.map_err(io::Error::other)
        })
    }
}

fn address(id: u64) -> String {
    format!("node-{id}:1")
}

async fn cluster(wires: &Arc<Wires>, id: u64, dir: &TempDir) -> Cluster {
    let config = ClusterConfig {
        bootstrap: id == 1,
        raft_snapshot_every: 20,
        keep_logs: 5,
        disk_reserve: 0,
        heartbeat_ms: 50,
        transport: Some(Arc::new(Plug(wires.clone(), address(id)))),
        ..ClusterConfig::new(id, "test", address(id))
    };
    let store = Store::open(dir.path()).expect("a store");
    let cluster = Cluster::start(store, Arc::new(()), config).await.expect("it starts");
    wires.0.lock().expect("no panic").insert(address(id), cluster.clone());
    cluster
}

/// A scheduler with one shard that a test plays.
struct Node {
    cluster: Cluster,
    schedule: Schedule,
    shard: tidegate_mailbox::QueueReader<ToShard>,
    woken: Arc<Notify>,
    events: mpsc::UnboundedReceiver<Event>,
    metrics: Arc<Mutex<Registry>>,
}

impl Node {
    fn new(cluster: Cluster, start: Instant) -> Self {
        let clock: Clock = Arc::new(move || BEGIN_MS + start.elapsed().as_millis() as u64);
        let (events, told) = mpsc::unbounded_channel();
        let metrics: Arc<Mutex<Registry>> = Arc::default();
        let recorder = Recorder::new(cluster.clone(), clock.clone());
        let teller = Teller { events, metrics: metrics.clone() };
        let schedule = Schedule::start(Scheduler::new(recorder, teller, clock, TIMEOUT));
        let woken = Arc::new(Notify::new());
        let wake = woken.clone();
        let (inbox, shard) = queue(64, Arc::new(move || wake.notify_one()));
        schedule.tell(News::Attached(vec![inbox]));
        Self { cluster, schedule, shard, woken, events: told, metrics }
    }

    /// The jobs of the module `n/m`.
    fn plan(&self, jobs: &[(&str, Per)]) {
        let planned = if jobs.is_empty() { Vec::new() } else { vec![planned("n/m", jobs)] };
        self.schedule.tell(News::Planned(planned));
    }

    /// The next order.
    async fn order(&mut self) -> JobOrder {
        loop {
            if let Some(message) = self.shard.take() {
                let ToShard::Run(order) = message else { panic!("{message:?}") };
                return *order;
            }
            self.woken.notified().await;
        }
    }

    /// The next order, if it comes in that time.
    async fn order_within(&mut self, time: Duration) -> Option<JobOrder> {
        tokio::time::timeout(time, self.order()).await.ok()
    }

    fn done(&self, order: &JobOrder, outcome: JobOutcome) {
        let report = JobReport { ticket: order.ticket, outcome, cpu_ns: 1_000_000, wall_ns: 2_000_000 };
        self.schedule.tell(News::Ran(Box::new(report)));
    }

    async fn event(&mut self) -> String {
        let event = self.events.recv().await.expect("an event");
        assert_eq!((event.module.as_deref(), event.function), (Some("n/m"), Some("scheduled")));
        format!("{} {}", event.what, event.text)
    }

    fn leads(&self) -> bool {
        self.cluster.status().leader == Some(self.cluster.status().node_id)
    }
}

/// Seconds since the clock began, rounded as the times of jobs are.
fn at(order: &JobOrder) -> u64 {
    (order.due_ms - (BEGIN_MS - 500)) / 1_000
}

fn module() -> Op {
    let key = Key { kind: Kind::Module, namespace: "n".into(), collection: None, name: "m".into() };
    Op::Put { key, value: json!({ "name": "m" }) }
}

async fn apply(cluster: &Cluster, op: Op) {
    let outcome = cluster.propose(Change { ops: vec![op], at_ms: 0 }).await.expect("it leads");
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
}

async fn alone() -> (Node, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let cluster = cluster(&Arc::default(), 1, &dir).await;
    apply(&cluster, module()).await;
    (Node::new(cluster, Instant::now()), dir)
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_at_its_times() {
    let (mut node, _dir) = alone().await;
    node.plan(&[("@every 10s", Per::Node)]);
    for expected in [10, 20, 30] {
        let order = node.order().await;
        assert_eq!((at(&order), order.index, order.timeout), (expected, 0, TIMEOUT));
        node.done(&order, JobOutcome::Done);
        let told = node.event().await;
        assert!(told.starts_with("scheduled_run scheduled[0], due 2026-01-01T12:00:"), "{told}");
    }
    // A new module: other code, the same times. Then other times, then none.
    node.plan(&[("@every 10s", Per::Node)]);
    let order = node.order().await;
    assert_eq!(at(&order), 40);
    node.plan(&[("@every 1m", Per::Node)]);
    node.plan(&[("2 12 * * *", Per::Node)]);
    node.done(&order, JobOutcome::Done);
    assert_eq!(at(&node.order().await), 120);
    node.plan(&[]);
    assert!(node.order_within(Duration::from_secs(100)).await.is_none());
    let text = node.metrics.lock().expect("no panic").render();
    assert!(text.contains("tidegate_module_scheduled_runs_total{module=\"n/m\",outcome=\"ok\"} 4"), "{text}");
    assert!(
        text.contains("tidegate_module_scheduled_last_run_timestamp_seconds{module=\"n/m\"} 176726"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_still_runs_is_not_run_again() {
    let (mut node, _dir) = alone().await;
    node.plan(&[("@every 10s", Per::Node), ("@every 25s", Per::Node)]);
    let first = node.order().await;
    assert_eq!((at(&first), first.index), (10, 0));
    // The other job does not wait for it.
    let other = node.order().await;
    assert_eq!((at(&other), other.index), (25, 1));
    assert!(node.event().await.starts_with("scheduled_skipped scheduled[0], due 2026-01-01T12:00:20"));
    node.done(&other, JobOutcome::Done);
    node.event().await;
    assert!(node.event().await.starts_with("scheduled_skipped scheduled[0], due 2026-01-01T12:00:30"));
    let state = node.schedule.states("n/m").await;
    assert_eq!((state[0].is_running, state[0].skipped, state[1].skipped), (true, 2, 0));
    node.done(&first, JobOutcome::TimedOut);
    assert!(node.event().await.contains("--scheduled-timeout"));
    assert_eq!(at(&node.order().await), 40);
    let text = node.metrics.lock().expect("no panic").render();
    for line in ["outcome=\"skipped\"} 2", "outcome=\"timed_out\"} 1", "outcome=\"ok\"} 1"] {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_says_nothing_is_given_up() {
    let (mut node, _dir) = alone().await;
    node.plan(&[("@every 2m", Per::Node)]);
    let order = node.order().await;
    let told = node.event().await;
    assert!(told.contains("failed (lost)"), "{told}");
    // Too late.
    node.done(&order, JobOutcome::Done);
    let next = node.order().await;
    assert_eq!(next.due_ms - order.due_ms, 120_000);
    node.schedule.tell(News::Drained(0));
    assert!(node.order_within(Duration::from_secs(300)).await.is_none(), "nobody is there to run it");
}

#[tokio::test(start_paused = true)]
async fn a_run_by_hand() {
    let (mut node, _dir) = alone().await;
    node.plan(&[("@yearly", Per::Cluster)]);
    assert_eq!(node.schedule.run_now("n/m", 1).await, Err(RunRefusal::Absent));
    assert_eq!(node.schedule.run_now("n/other", 0).await, Err(RunRefusal::Absent));
    let schedule = node.schedule.clone();
    let asked = tokio::spawn(async move { schedule.run_now("n/m", 0).await });
    let order = node.order().await;
    assert_eq!(node.schedule.run_now("n/m", 0).await, Err(RunRefusal::Busy));
    let outcome = JobOutcome::Failed {
        cause: "thrown",
        message: "Error: no".into(),
        stack: "    at run (m.ts:1:1)".into(),
    };
    node.done(&order, outcome.clone());
    let Ended { is_manual, outcome: told, .. } = asked.await.expect("no panic").expect("it ran");
    assert_eq!((is_manual, told), (true, outcome));
    let told = node.event().await;
    assert!(told.contains("run by hand") && told.contains("failed (thrown): Error: no"), "{told}");
    let state = node.schedule.states("n/m").await.remove(0);
    assert_eq!((state.last.map(|last| last.is_manual), state.in_cluster), (Some(true), None));
    node.schedule.tell(News::Stop);
    assert_eq!(node.schedule.run_now("n/m", 0).await, Err(RunRefusal::Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_the_cluster_is_on_record_before_it_begins() {
    let (mut node, _dir) = alone().await;
    let changes = |node: &Node| node.cluster.store().view().expect("a view").meta().expect("meta").changes;
    let before = changes(&node);
    node.plan(&[("@every 10s", Per::Cluster)]);
    let order = node.order().await;
    let on_record = |node: &Node| {
        let key = super::timetable::JobKey { module: "n/m".into(), index: 0 };
        Recorder::new(node.cluster.clone(), Arc::new(|| 0)).last_run(&key)
    };
    let record = on_record(&node).expect("a record");
    assert_eq!((record.due_ms, record.node, record.outcome), (order.due_ms, 1, None));
    node.done(&order, JobOutcome::Done);
    node.event().await;
    let next = node.order().await;
    assert_eq!(at(&next), 20);
    let mut applied = node.cluster.applied();
    node.done(&next, JobOutcome::Done);
    let ended = applied.wait_for(|_| on_record(&node).is_some_and(|record| record.outcome.is_some()));
    ended.await.expect("it goes on");
    assert_eq!(on_record(&node).map(|record| record.due_ms), Some(next.due_ms));
    assert_eq!(changes(&node), before, "runs are no changes of the configuration");
    // With the module its record goes.
    let Op::Put { key, .. } = module() else { panic!("a put") };
    apply(&node.cluster, Op::Delete { key }).await;
    assert_eq!(on_record(&node), None);
    assert!(node.order_within(Duration::from_secs(30)).await.is_none(), "the module is gone");
}

/// Waits until one of the nodes leads.
async fn leader(nodes: &[Node]) -> usize {
    loop {
        if let Some(at) = nodes.iter().position(Node::leads) {
            return at;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn once_in_the_cluster_over_changes_of_the_leader() {
    let wires: Arc<Wires> = Arc::default();
    let dirs: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let one = cluster(&wires, 1, &dirs[0]).await;
    apply(&one, module()).await;
    let (two, three) = (cluster(&wires, 2, &dirs[1]).await, cluster(&wires, 3, &dirs[2]).await);
    one.add_learner(2, &address(2)).await.expect("two follows");
    one.add_learner(3, &address(3)).await.expect("three follows");
    one.change_membership(BTreeSet::from([1, 2, 3])).await.expect("all vote");
    let start = Instant::now();
    let mut nodes: Vec<Node> =
        [one, two, three].into_iter().map(|cluster| Node::new(cluster, start)).collect();
    for node in &nodes {
        node.plan(&[("@every 10s", Per::Cluster), ("@every 10s", Per::Node)]);
    }
    // What ran where, by due time: of the cluster's job, and of each node's own.
    let mut ran: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut own = [0u64; 3];
    let (mut cut_off, mut cuts): (Option<usize>, u32) = (None, 0);
    let end = start + Duration::from_secs(600);
    let mut next_cut = start + Duration::from_secs(95);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (at_node, node) in nodes.iter_mut().enumerate() {
            while let Some(message) = node.shard.take() {
                let ToShard::Run(order) = message else { panic!("{message:?}") };
                match order.index {
                    0 => ran.entry(at(&order)).or_default().push(at_node),
                    _ => own[at_node] += 1,
                }
                node.done(&order, JobOutcome::Done);
            }
        }
        if Instant::now() >= next_cut {
            // The cable of the leader goes out, at other moments of a job's round each time, and comes back later.
            if let Some(back) = cut_off.take() {
                wires
                    .0
                    .lock()
                    .expect("no panic")
                    .insert(address(back as u64 + 1), nodes[back].cluster.clone());
                next_cut += Duration::from_secs(40);
            } else {
                let leads = leader(&nodes).await;
                wires.0.lock().expect("no panic").remove(&address(leads as u64 + 1));
                (cut_off, cuts) = (Some(leads), cuts + 1);
                next_cut += Duration::from_millis(35_700);
            }
        }
    }
    assert!(cuts >= 5, "{cuts}");
    let twice: Vec<_> = ran.iter().filter(|(_, nodes)| nodes.len() != 1).collect();
    assert!(twice.is_empty(), "run more than once: {twice:?}");
    let missed: Vec<u64> = (1..60).map(|n| n * 10).filter(|due| !ran.contains_key(due)).collect();
    // A run may be lost with its leader; it is told, and it is rare.
    assert!(missed.len() as u32 <= cuts, "missed: {missed:?}");
    let by: BTreeSet<usize> = ran.values().flatten().copied().collect();
    assert!(by.len() > 1, "only node {by:?} ever ran it");
    assert!(own.iter().all(|count| (58..=60).contains(count)), "every node runs its own: {own:?}");
    wires.0.lock().expect("no panic").clear();
    for Node { cluster, schedule, .. } in nodes {
        cluster.shutdown().await;
        drop(schedule);
    }
    // What was recorded is part of the state: of its hash, its log and its Raft snapshots.
    for dir in &dirs {
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        let report = loop {
            match crate::store::verify(dir.path(), &()) {
                Ok(report) => break report,
                Err(error) if std::time::Instant::now() > limit => panic!("{error}"),
                // A task of the node still holds its folder.
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert!(report.ok, "{report:?}");
    }
}
