//! The shard's latency profile: histograms of where the time of its exchanges went, filled without allocating and handed
//! over whole once an interval. Nothing is shared while it is written, and nobody is waited for: while others hold too many
//! intervals, the one that is being filled goes on.

mod sets;
mod spans;

pub use spans::Spans;

use sets::Sets;
use std::cell::RefCell;
use std::sync::Arc;
use tidegate_mailbox::QueueWriter;
use tidegate_reactor::{clock, give_way};
use tidegate_snapshot::{IntervalProfile, Phase, ProfileSink, Scopes, Times, ToAdmin};

/// What the process wants of the profile.
#[derive(Default)]
pub struct Profiling {
    /// Rows that are always kept.
    pub scopes: Scopes,
    /// Where intervals go besides the admin.
    pub sink: Option<Box<dyn ProfileSink>>,
}

/// The profile of one shard.
pub struct Profile {
    shard: u16,
    open: RefCell<Open>,
}

/// The interval that is being filled, and the sets that are not.
struct Open {
    began_ms: u64,
    times: Times,
    sets: Sets,
    sink: Option<Box<dyn ProfileSink>>,
}

fn now_ms() -> u64 {
    clock::wall().as_millis() as u64
}

impl Profile {
    /// An empty one.
    pub fn new(shard: u16, wanted: Profiling) -> Self {
        let open = Open {
            began_ms: now_ms(),
            times: Times::new(sets::DIGITS),
            sets: Sets::default(),
            sink: wanted.sink,
        };
        Self { shard, open: RefCell::new(open) }
    }

    /// Counts an exchange, as it ends.
    pub fn record(&self, total_ns: u64, spans: &Spans) {
        fill(&mut self.open.borrow_mut().times, total_ns, spans);
    }

    /// Counts the answer to what was no request: its total alone.
    pub fn record_refusal(&self, total_ns: u64) {
        self.open.borrow_mut().times.record(Phase::Total, total_ns);
    }

    /// Hands over what was counted, and begins anew. `false`: the admin had no room for it.
    pub fn hand_over(&self, admin: &QueueWriter<ToAdmin>) -> bool {
        let mut open = self.open.borrow_mut();
        let open = &mut *open;
        open.sets.reclaim();
        let ended_ms = now_ms();
        if open.times.is_empty() {
            open.began_ms = ended_ms;
            return true;
        }
        let Some(fresh) = open.sets.take() else { return true };
        let interval = Arc::new(IntervalProfile {
            shard: self.shard,
            began_ms: std::mem::replace(&mut open.began_ms, ended_ms),
            ended_ms,
            times: std::mem::replace(&mut open.times, fresh),
            rows: Vec::new(),
            rows_refused: 0,
        });
        if let Some(sink) = &mut open.sink {
            // The sink counts what it drops.
            sink.submit(interval.clone());
        }
        let is_sent = admin.send(ToAdmin::Profile(interval.clone())).is_ok();
        open.sets.lend(interval);
        is_sent
    }

    /// Empties the sets that came back, a histogram at a time: all at once would keep exchanges waiting.
    pub async fn clean(&self) {
        loop {
            let Some(mut dirty) = self.open.borrow_mut().sets.dirty() else { return };
            for phase in Phase::ALL {
                if !dirty.of(phase).is_empty() {
                    dirty.clear(phase);
                    give_way().await;
                }
            }
            self.open.borrow_mut().sets.put(dirty);
        }
    }
}

fn fill(times: &mut Times, total_ns: u64, spans: &Spans) {
    times.record(Phase::Total, total_ns);
    times.record(Phase::Tax, spans.tax_ns(total_ns));
    for (phase, ns) in [
        (Phase::Module, spans.module_ns),
        (Phase::Connect, spans.connect_ns),
        (Phase::FirstByte, spans.first_byte_ns),
        (Phase::Transfer, spans.transfer_ns),
    ] {
        if ns > 0 {
            times.record(phase, ns);
        }
    }
}
