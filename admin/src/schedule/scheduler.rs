//! The scheduler of this node: a task that waits for the next time, has a run of a cluster's job recorded before it
//! begins, orders runs from the shards, and tells how they ended. One run of a job at a time; nothing here runs a module.

use super::handle::{Asked, Ended, JobState, News, RunRefusal};
use super::job::Planned;
use super::record::{Claim, Recorder};
use super::tell::Teller;
use super::timetable::{Due, JobKey, Timetable};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tidegate_js::Per;
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{JobOrder, JobOutcome, JobReport, Script, ToShard};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// The scheduler looks around at least so often: for a leadership that came or went, and a clock that was set.
const LOOKS_EVERY: Duration = Duration::from_secs(5);
/// How long a shard may take to answer after a run's time is up.
const GRACE: Duration = Duration::from_secs(10);

/// Milliseconds since the epoch.
pub(crate) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A run under way.
struct Running {
    key: JobKey,
    script: Arc<Script>,
    due_ms: u64,
    began_ms: u64,
    /// It is given up then.
    deadline: Instant,
    /// Its begin is on record, and so shall be its end.
    claim: Option<Claim>,
    /// Who ordered it, if somebody did.
    asked: Option<oneshot::Sender<Result<Ended, RunRefusal>>>,
}

/// The task's own things.
pub(crate) struct Scheduler {
    table: Timetable,
    recorder: Recorder,
    clock: Clock,
    teller: Teller,
    timeout: Duration,
    shards: Vec<Option<QueueWriter<ToShard>>>,
    running: HashMap<u64, Running>,
    /// How the last run of each job ended here.
    last: HashMap<JobKey, Ended>,
    tickets: u64,
    is_stopped: bool,
}

impl Scheduler {
    /// A scheduler without jobs and shards. A run is cancelled after `timeout`.
    pub(crate) fn new(recorder: Recorder, teller: Teller, clock: Clock, timeout: Duration) -> Self {
        Self {
            table: Timetable::default(),
            recorder,
            clock,
            teller,
            timeout,
            shards: Vec::new(),
            running: HashMap::new(),
            last: HashMap::new(),
            tickets: 0,
            is_stopped: false,
        }
    }

    /// Runs until nobody can send it news any more.
    pub(crate) async fn run(mut self, mut news: mpsc::UnboundedReceiver<News>) {
        let (claimed, mut claims) = mpsc::unbounded_channel();
        loop {
            self.look(&claimed);
            tokio::select! {
                one = news.recv() => match one {
                    Some(one) => self.hear(one),
                    None => return,
                },
                Some((ticket, granted)) = claims.recv() => self.claimed(ticket, granted),
                () = tokio::time::sleep(self.wait()) => {}
            }
        }
    }

    /// Until something may have to be done.
    fn wait(&self) -> Duration {
        let now_ms = (self.clock)();
        let due = self.table.next_ms().map(|next| Duration::from_millis(next.saturating_sub(now_ms)));
        let now = Instant::now();
        let late = self.running.values().map(|run| run.deadline.saturating_duration_since(now)).min();
        due.into_iter()
            .chain(late)
            .chain([LOOKS_EVERY])
            .min()
            .unwrap_or(LOOKS_EVERY)
            .max(Duration::from_millis(1))
    }

    /// Begins what is due and gives up what is lost.
    fn look(&mut self, claimed: &mpsc::UnboundedSender<(u64, Result<bool, String>)>) {
        let now = Instant::now();
        let lost: Vec<u64> =
            self.running.iter().filter(|(_, run)| run.deadline <= now).map(|(ticket, _)| *ticket).collect();
        for ticket in lost {
            self.end(ticket, failed("lost", "the shard did not tell how it ended"), 0, 0);
        }
        if self.is_stopped || self.shards.iter().all(Option::is_none) {
            return;
        }
        let recorder = self.recorder.clone();
        let due = self.table.due((self.clock)(), recorder.leads(), &|key| recorder.last_run(key));
        for Due { key, due_ms, is_late } in due {
            if is_late {
                self.teller.late(&key, due_ms);
            }
            let Some(row) = self.table.row(&key) else { continue };
            if row.running.is_some() {
                row.skipped += 1;
                self.teller.skipped(&key, due_ms);
                continue;
            }
            let claim = (row.job.per == Per::Cluster).then(|| Claim::new(&key, &row.job, due_ms));
            let ticket = self.begin(key, due_ms, claim.clone(), None);
            match claim {
                None => self.order(ticket),
                Some(claim) => {
                    let (recorder, claimed) = (self.recorder.clone(), claimed.clone());
                    tokio::spawn(async move {
                        // Nobody listens any more only when the process ends.
                        let _ = claimed.send((ticket, recorder.begin(&claim).await));
                    });
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Planned(planned) => self.install(planned),
            News::Attached(shards) => self.shards = shards.into_iter().map(Some).collect(),
            News::Drained(shard) => {
                if let Some(shard) = self.shards.get_mut(usize::from(shard)) {
                    *shard = None;
                }
            }
            News::Ran(report) => {
                let JobReport { ticket, outcome, cpu_ns, wall_ns } = *report;
                self.end(ticket, outcome, cpu_ns, wall_ns);
            }
            News::Asked(Asked::Run { key, answer }) => self.run_now(key, answer),
            News::Asked(Asked::States { module, answer }) => {
                // Whoever asked and went away has no use for the answer.
                let _ = answer.send(self.states(&module));
            }
            News::Stop => self.is_stopped = true,
        }
    }

    fn install(&mut self, planned: Vec<Planned>) {
        self.table.install(planned, (self.clock)());
        let table = &mut self.table;
        self.last.retain(|key, _| table.row(key).is_some());
    }

    /// Runs a job because somebody asked for it, whoever leads; nothing is recorded.
    fn run_now(&mut self, key: JobKey, answer: oneshot::Sender<Result<Ended, RunRefusal>>) {
        let refusal = match self.table.row(&key) {
            None => Some(RunRefusal::Absent),
            Some(row) if row.running.is_some() => Some(RunRefusal::Busy),
            Some(_) if self.is_stopped || self.shards.iter().all(Option::is_none) => {
                Some(RunRefusal::Stopped)
            }
            Some(_) => None,
        };
        if let Some(refusal) = refusal {
            let _ = answer.send(Err(refusal));
            return;
        }
        let ticket = self.begin(key, (self.clock)(), None, Some(answer));
        self.order(ticket);
    }

    fn begin(
        &mut self,
        key: JobKey,
        due_ms: u64,
        claim: Option<Claim>,
        asked: Option<oneshot::Sender<Result<Ended, RunRefusal>>>,
    ) -> u64 {
        self.tickets += 1;
        let row = self.table.row(&key).expect("what is begun is in the table");
        row.running = Some(self.tickets);
        let script = row.script.clone();
        let deadline = Instant::now() + self.timeout + GRACE + Recorder::PATIENCE;
        let began_ms = (self.clock)();
        let run = Running { key, script, due_ms, began_ms, deadline, claim, asked };
        self.running.insert(self.tickets, run);
        self.tickets
    }

    fn claimed(&mut self, ticket: u64, granted: Result<bool, String>) {
        match granted {
            Ok(true) => self.order(ticket),
            Ok(false) => {
                if let Some(run) = self.running.remove(&ticket) {
                    self.free(&run.key, ticket);
                    self.teller.elsewhere(&run.key, run.due_ms);
                }
            }
            Err(why) => {
                if let Some(run) = self.running.get_mut(&ticket) {
                    run.claim = None;
                }
                let why = format!("it was not begun, because that could not be recorded: {why}");
                self.end(ticket, failed("not_recorded", &why), 0, 0);
            }
        }
    }

    /// Hands a run to a shard: always the same one for a module, so that not all of them have to load it.
    fn order(&mut self, ticket: u64) {
        let Some(run) = self.running.get(&ticket) else { return };
        let live: Vec<&QueueWriter<ToShard>> = self.shards.iter().flatten().collect();
        let mut hasher = DefaultHasher::new();
        run.key.module.hash(&mut hasher);
        let order = JobOrder {
            ticket,
            script: run.script.clone(),
            index: run.key.index,
            id: id_of(ticket).into(),
            due_ms: run.due_ms,
            timeout: self.timeout,
        };
        let sent = match live.len() {
            0 => false,
            count => {
                live[(hasher.finish() % count as u64) as usize].send(ToShard::Run(Box::new(order))).is_ok()
            }
        };
        if !sent {
            self.end(ticket, failed("busy", "no shard takes it now"), 0, 0);
        }
    }

    fn free(&mut self, key: &JobKey, ticket: u64) {
        if let Some(row) = self.table.row(key).filter(|row| row.running == Some(ticket)) {
            row.running = None;
        }
    }

    fn end(&mut self, ticket: u64, outcome: JobOutcome, cpu_ns: u64, wall_ns: u64) {
        // What was given up may still be told of.
        let Some(run) = self.running.remove(&ticket) else { return };
        self.free(&run.key, ticket);
        let ended = Ended {
            id: id_of(ticket),
            due_ms: run.due_ms,
            began_ms: run.began_ms,
            is_manual: run.asked.is_some(),
            outcome,
            cpu_ns,
            wall_ns,
        };
        self.teller.ended(&run.key, &ended, (self.clock)());
        if let Some(claim) = run.claim {
            let (recorder, outcome) = (self.recorder.clone(), ended.outcome.name());
            tokio::spawn(async move { recorder.end(&claim, outcome).await });
        }
        if self.table.row(&run.key).is_some() {
            self.last.insert(run.key, ended.clone());
        }
        if let Some(asked) = run.asked {
            let _ = asked.send(Ok(ended));
        }
    }

    fn states(&self, module: &str) -> Vec<JobState> {
        let state = |(key, row): (&JobKey, &super::timetable::Row)| JobState {
            index: key.index,
            cron: row.job.cron.clone(),
            timezone: row.job.timezone.clone(),
            per: row.job.per,
            next_ms: row.next_ms,
            is_running: row.running.is_some(),
            skipped: row.skipped,
            last: self.last.get(key).cloned(),
            in_cluster: (row.job.per == Per::Cluster).then(|| self.recorder.last_run(key)).flatten(),
        };
        self.table.of(module).map(state).collect()
    }
}

fn id_of(ticket: u64) -> String {
    format!("run-{ticket:x}")
}

fn failed(cause: &'static str, message: &str) -> JobOutcome {
    JobOutcome::Failed { cause, message: message.into(), stack: String::new() }
}
