//! The shard's latency profile: histograms of where the time of its exchanges went, filled without allocating and handed
//! over whole once an interval. Nothing is shared while it is written, and nobody is waited for: while others hold too many
//! intervals, the one that is being filled goes on.

mod rows;
mod sets;
mod spans;

pub use spans::Spans;

use rows::Rows;
use sets::Sets;
use std::cell::RefCell;
use std::sync::Arc;
use tidegate_mailbox::QueueWriter;
use tidegate_reactor::{clock, give_way};
use tidegate_snapshot::{
    IntervalProfile, Phase, ProfileOrder, ProfileSink, Route, Scope, Scopes, Times, ToAdmin,
};

/// What the process wants of the profile.
#[derive(Default)]
pub struct Profiling {
    /// Rows that are always kept.
    pub scopes: Scopes,
    /// Where intervals go besides the admin.
    pub sink: Option<Box<dyn ProfileSink>>,
    /// Who is told where the time went.
    pub server_timing: ServerTiming,
}

/// Whether responses have a `Server-Timing` field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServerTiming {
    /// None has.
    #[default]
    Never,
    /// Those to requests with `X-Server-Timing: 1`.
    Asked,
    /// All.
    Always,
}

/// The profile of one shard.
pub struct Profile {
    shard: u16,
    /// Who is told where the time went.
    pub server_timing: ServerTiming,
    open: RefCell<Open>,
    /// The key of requests that matched no route.
    no_route: Arc<str>,
}

/// The interval that is being filled, and the sets that are not.
struct Open {
    began_ms: u64,
    times: Times,
    rows: Rows,
    sets: Sets,
    sink: Option<Box<dyn ProfileSink>>,
}

fn now_ms() -> u64 {
    clock::wall().as_millis() as u64
}

impl Profile {
    /// An empty one with at most so many rows an interval.
    pub fn new(shard: u16, wanted: Profiling, most_rows: usize) -> Self {
        let mut sets = Sets::new();
        let open = Open {
            began_ms: now_ms(),
            times: sets.whole.take(),
            rows: Rows::new(wanted.scopes, most_rows),
            sets,
            sink: wanted.sink,
        };
        Self { shard, server_timing: wanted.server_timing, open: RefCell::new(open), no_route: "".into() }
    }

    /// Keeps these rows too.
    pub fn ask(&self, order: ProfileOrder) {
        self.open.borrow_mut().rows.ask(order, now_ms());
    }

    /// Counts an exchange, as it ends.
    pub fn record(&self, route: Option<&Route>, total_ns: u64, spans: &Spans) {
        let mut open = self.open.borrow_mut();
        fill(&mut open.times, total_ns, spans);
        if open.rows.wanted.routes || open.rows.wanted.services {
            self.record_rows(&mut open, route, total_ns, spans);
        }
    }

    #[cold]
    fn record_rows(&self, open: &mut Open, route: Option<&Route>, total_ns: u64, spans: &Spans) {
        let Open { rows, sets, .. } = open;
        if rows.wanted.routes {
            // Slot 0 is that of no route.
            let (slot, key) = route.map_or((0, &self.no_route), |route| (route.slot + 1, &route.key));
            if let Some(row) = rows.of(Scope::Route, slot, key, &mut sets.rows) {
                fill(&mut row.times, total_ns, spans);
            }
        }
        if rows.wanted.services
            && let Some(service) = route.and_then(|route| route.service.as_ref())
            && let Some(row) = rows.of(Scope::Service, service.slot, &service.key, &mut sets.rows)
        {
            fill(&mut row.times, total_ns, spans);
        }
    }

    /// Counts the time that a module has had of an exchange.
    pub fn record_module(&self, slot: u32, key: &Arc<str>, ns: u64) {
        let mut open = self.open.borrow_mut();
        let Open { rows, sets, .. } = &mut *open;
        if rows.wanted.modules
            && let Some(row) = rows.of(Scope::Module, slot, key, &mut sets.rows)
        {
            row.times.record(Phase::Module, ns);
        }
    }

    /// Hands over what was counted, and begins anew; while no empty set is at hand, later. `false`: the admin had no
    /// room for it.
    pub fn hand_over(&self, admin: &QueueWriter<ToAdmin>, is_last: bool) -> bool {
        let mut open = self.open.borrow_mut();
        let open = &mut *open;
        open.sets.reclaim();
        let ended_ms = now_ms();
        let Some(fresh) = open.sets.whole.next(is_last) else { return true };
        // A module may have run for nothing that has ended yet.
        let (rows, rows_refused) = open.rows.take(ended_ms);
        if open.times.is_empty() && rows.is_empty() {
            open.began_ms = ended_ms;
            open.sets.put(fresh, false);
            return true;
        }
        let interval = Arc::new(IntervalProfile {
            shard: self.shard,
            began_ms: std::mem::replace(&mut open.began_ms, ended_ms),
            ended_ms,
            times: std::mem::replace(&mut open.times, fresh),
            rows,
            rows_refused,
        });
        if let Some(sink) = &mut open.sink {
            // The sink counts what it drops.
            sink.submit(interval.clone());
        }
        let is_sent = admin.send(ToAdmin::Profile(interval.clone())).is_ok();
        open.sets.lend(interval);
        is_sent
    }

    /// Hands over what was counted now, between two intervals, where a set can be had for what follows.
    pub async fn cut(&self, admin: &QueueWriter<ToAdmin>) -> bool {
        // The sets of the last cut may not be empty yet.
        self.open.borrow_mut().sets.reclaim();
        self.clean().await;
        self.hand_over(admin, false)
    }

    /// Empties the sets that came back, a histogram at a time: all at once would keep exchanges waiting.
    pub async fn clean(&self) {
        loop {
            let Some((mut dirty, is_row)) = self.open.borrow_mut().sets.dirty() else { break };
            for phase in Phase::ALL {
                if !dirty.of(phase).is_empty() {
                    dirty.clear(phase);
                    if !is_row {
                        give_way().await;
                    }
                }
            }
            self.open.borrow_mut().sets.put(dirty, is_row);
            give_way().await;
        }
        while self.is_without_rows() && self.open.borrow_mut().sets.forget_row() {
            give_way().await;
        }
    }

    fn is_without_rows(&self) -> bool {
        !self.open.borrow().rows.wanted.any()
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
        (Phase::Wait, spans.waited_ns),
    ] {
        if ns > 0 {
            times.record(phase, ns);
        }
    }
}
