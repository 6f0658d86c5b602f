//! What the shard counts, in plain cells of its own; differences go to the admin a few times a second. Nothing here is
//! shared with another thread, and counting a request allocates nothing once its route has a row.

mod rows;

pub use rows::Owner;

use rows::Rows;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_snapshot::{Route, ShardReport, ShardTotals};

/// A number that only this thread sees.
#[derive(Default)]
pub struct Count(Cell<u64>);

impl Count {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }
    /// Takes away, for numbers that go up and down.
    pub fn sub(&self, n: u64) {
        self.0.set(self.0.get().wrapping_sub(n));
    }
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
    fn take(&self) -> u64 {
        self.0.take()
    }
}

/// The shard's counters.
pub struct Counters {
    /// Connections open now.
    pub connections: Count,
    /// Connections accepted.
    pub accepted: Count,
    /// Requests answered.
    pub requests: Count,
    /// Bytes from clients.
    pub received_bytes: Count,
    /// Bytes to clients.
    pub sent_bytes: Count,
    /// Upstream connections opened.
    pub upstream_connects: Count,
    /// Upstream exchanges on a kept connection.
    pub upstream_reuses: Count,
    /// Upstream connections idle now.
    pub upstream_idle: Count,
    /// Retries.
    pub upstream_retries: Count,
    /// Events dropped.
    pub events_dropped: Count,
    /// Fetches of modules begun.
    pub fetches: Count,
    /// Those that failed, before their head or within their body.
    pub fetch_errors: Count,
    /// Those whose address was refused.
    pub fetch_refused: Count,
    /// Under way now, bodies included.
    pub fetch_open: Count,
    faults: RefCell<HashMap<&'static str, u64>>,
    rows: RefCell<Rows>,
    no_route: Arc<str>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            connections: Count::default(),
            accepted: Count::default(),
            requests: Count::default(),
            received_bytes: Count::default(),
            sent_bytes: Count::default(),
            upstream_connects: Count::default(),
            upstream_reuses: Count::default(),
            upstream_idle: Count::default(),
            upstream_retries: Count::default(),
            events_dropped: Count::default(),
            fetches: Count::default(),
            fetch_errors: Count::default(),
            fetch_refused: Count::default(),
            fetch_open: Count::default(),
            faults: RefCell::default(),
            rows: RefCell::default(),
            no_route: "".into(),
        }
    }
}

impl Counters {
    /// Says that a request of this owner will soon be counted.
    pub fn expect(&self, owner: Owner) {
        self.rows.borrow().expect(owner);
    }

    /// Counts an answered request of a route, or of none.
    pub fn request(&self, owner: Owner, route: Option<&Route>, status: u16, latency_ns: u64) {
        self.requests.add(1);
        let key = || route.map_or(&self.no_route, |route| &route.key);
        self.rows.borrow_mut().request(owner, key, status, latency_ns / 1_000);
    }

    /// Counts a failed upstream call.
    pub fn upstream_error(&self, route: &Route) {
        self.rows.borrow_mut().upstream_error(route);
    }

    /// Counts a fault by its name.
    pub fn fault(&self, name: &'static str) {
        *self.faults.borrow_mut().entry(name).or_default() += 1;
    }

    /// What was counted since the last time; of routes at most `most_routes` rows, those that have waited longest.
    pub fn take(&self, shard: u16, snapshots_held: u64, most_routes: usize) -> ShardReport {
        let totals = ShardTotals {
            connections: self.connections.get(),
            accepted: self.accepted.take(),
            requests: self.requests.take(),
            received_bytes: self.received_bytes.take(),
            sent_bytes: self.sent_bytes.take(),
            upstream_connects: self.upstream_connects.take(),
            upstream_reuses: self.upstream_reuses.take(),
            upstream_idle: self.upstream_idle.get(),
            upstream_retries: self.upstream_retries.take(),
            events_dropped: self.events_dropped.take(),
            fetches: self.fetches.take(),
            fetch_errors: self.fetch_errors.take(),
            fetch_refused: self.fetch_refused.take(),
            fetch_open: self.fetch_open.get(),
            snapshots_held,
            ..ShardTotals::default()
        };
        let routes = self.rows.borrow_mut().take(most_routes);
        let faults: Vec<_> = self.faults.borrow_mut().drain().collect();
        ShardReport { shard, totals, routes, scripts: Vec::new(), faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_snapshot::LATENCY_BOUNDS_US;

    #[test]
    fn requests_are_counted_once_and_by_class() {
        let counters = Counters::default();
        counters.request(Owner::default(), None, 404, 60_000);
        counters.request(Owner::default(), None, 200, 6_000_000_000);
        counters.fault("no_route");
        let report = counters.take(3, 1, 9);
        assert_eq!((report.shard, report.totals.requests, report.routes.len()), (3, 2, 1));
        let row = &report.routes[0];
        assert_eq!(row.responses, [0, 1, 0, 1, 0]);
        assert_eq!((row.latency[1], row.latency[LATENCY_BOUNDS_US.len()]), (1, 1));
        assert_eq!(report.faults, [("no_route", 1)]);
        let again = counters.take(3, 1, 9);
        assert_eq!((again.totals.requests, again.routes.len()), (0, 0));
    }
}
