//! Counters of routes, by slot. With thousands of routes every request finds its row cold, so a row is one line of memory:
//! cells of two bytes, whose sums go to the reports before one of them is full. A report takes the rows that have waited
//! longest, and only so many: neither the shard nor the admin stands still over thousands of them.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use tidegate_snapshot::{LATENCY_BOUNDS_US, Route, RouteReport, StatusClass};

/// Where a route's key is: tells one from another without touching either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Whose(usize);

/// Which row counts a request. A request keeps it from where its route is found, since at its end the route is cold again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner {
    /// 0 for requests without a route; a route's is its own plus one.
    slot: u32,
    whose: Whose,
}

impl From<&Route> for Owner {
    fn from(route: &Route) -> Self {
        Self { slot: route.slot + 1, whose: Whose(Arc::as_ptr(&route.key).addr()) }
    }
}

/// What a route has counted since its last report.
#[derive(Default)]
#[repr(C, align(64))]
struct Row {
    /// Whose row it is; the key is kept in `Rows::keys`, so that no other can have its address.
    whose: Whose,
    latency_sum_us: u64,
    latency: [u16; LATENCY_BOUNDS_US.len() + 1],
    responses: [u16; 5],
    /// All of `responses`, and of `latency`: none of their cells is above it.
    requests: u16,
    upstream_errors: u16,
    /// It stands in `Rows::waiting`.
    is_waiting: bool,
}

const _: () = assert!(size_of::<Row>() == 64, "a row is one line of memory");

impl Row {
    fn is_empty(&self) -> bool {
        self.requests == 0 && self.upstream_errors == 0
    }

    /// What it has counted, with its key; it begins anew.
    fn take(&mut self, key: &Arc<str>) -> RouteReport {
        let Self { latency_sum_us, latency, responses, upstream_errors, .. } = take(self);
        RouteReport {
            key: key.clone(),
            responses: responses.map(u64::from),
            latency: latency.map(u64::from),
            latency_sum_us,
            upstream_errors: upstream_errors.into(),
        }
    }
}

/// The rows of a shard.
#[derive(Default)]
pub(super) struct Rows {
    by_slot: Vec<Row>,
    keys: Vec<Option<Arc<str>>>,
    /// Slots with something to report, in the order in which they were first counted.
    waiting: VecDeque<u32>,
    /// Reports of rows that were full, or whose slot has gone to another route.
    early: Vec<RouteReport>,
}

impl Rows {
    /// Brings a row near that will soon be asked for.
    pub(super) fn expect(&self, owner: Owner) {
        #[cfg(target_arch = "x86_64")]
        if let Some(row) = self.by_slot.get(owner.slot as usize) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: every x86-64 has the instruction, and it reads nothing: it is a hint.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(row).cast()) }
        }
    }

    /// Counts a request that was answered. The key is asked for only where a row is begun.
    pub(super) fn request<'k>(
        &mut self,
        owner: Owner,
        key: impl FnOnce() -> &'k Arc<str>,
        status: u16,
        latency_us: u64,
    ) {
        let row = self.of(owner, key, |row| row.requests);
        row.requests += 1;
        row.responses[StatusClass::of(status).0] += 1;
        row.latency[LATENCY_BOUNDS_US.partition_point(|bound| u64::from(*bound) < latency_us)] += 1;
        row.latency_sum_us += latency_us;
    }

    /// Counts a call of the route's upstream that failed.
    pub(super) fn upstream_error(&mut self, route: &Route) {
        self.of(route.into(), || &route.key, |row| row.upstream_errors).upstream_errors += 1;
    }

    /// The row, with room for one more in the cell that is asked for.
    fn of<'k>(
        &mut self,
        owner: Owner,
        key: impl FnOnce() -> &'k Arc<str>,
        cell: impl Fn(&Row) -> u16,
    ) -> &mut Row {
        let at = owner.slot as usize;
        let is_ready = self
            .by_slot
            .get(at)
            .is_some_and(|row| row.is_waiting && row.whose == owner.whose && cell(row) < u16::MAX);
        if !is_ready {
            self.prepare(owner, key());
        }
        &mut self.by_slot[at]
    }

    #[cold]
    fn prepare(&mut self, owner: Owner, key: &Arc<str>) {
        let at = owner.slot as usize;
        if at >= self.by_slot.len() {
            self.by_slot.resize_with(at + 1, Row::default);
            self.keys.resize(at + 1, None);
        }
        let row = &mut self.by_slot[at];
        let is_waiting = row.is_waiting;
        // Another route's, or full.
        if !row.is_empty()
            && let Some(known) = &self.keys[at]
        {
            self.early.push(row.take(known));
        }
        if row.whose != owner.whose || self.keys[at].is_none() {
            row.whose = owner.whose;
            self.keys[at] = Some(key.clone());
        }
        row.is_waiting = true;
        if !is_waiting {
            self.waiting.push_back(owner.slot);
        }
    }

    /// What was counted since the last time, of at most so many rows; the others go on counting and are the first then.
    pub(super) fn take(&mut self, most: usize) -> Vec<RouteReport> {
        let count = self.waiting.len().min(most);
        let mut slots: Vec<u32> = self.waiting.drain(..count).collect();
        // Neighbours by slot are neighbours by name, so whoever looks them up finds less of it cold.
        slots.sort_unstable();
        let mut reports = take(&mut self.early);
        reports.reserve_exact(count);
        for slot in slots {
            let (row, key) = (&mut self.by_slot[slot as usize], &self.keys[slot as usize]);
            if let Some(key) = key {
                let whose = row.whose;
                reports.push(row.take(key));
                row.whose = whose;
            }
        }
        reports
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_snapshot::MethodSet;

    fn route(slot: u32, key: &str) -> Route {
        Route {
            slot,
            key: key.into(),
            namespace: "n".into(),
            description: "{}".into(),
            methods: MethodSet::any(),
            preserve_host: false,
            strip_path: false,
            allow_encoded_slash: false,
            service: None,
            response: None,
            pipeline: None,
            max_body_bytes: 0,
        }
    }

    fn count(rows: &mut Rows, route: &Route, status: u16) {
        rows.request(route.into(), || &route.key, status, 75);
    }

    /// Names, requests and failed calls of reports.
    fn seen(reports: &[RouteReport]) -> Vec<(&str, u64, u64)> {
        let of = |report: &RouteReport| {
            let requests = report.responses.iter().sum();
            assert_eq!(report.latency.iter().sum::<u64>(), requests);
            requests
        };
        reports.iter().map(|report| (&*report.key, of(report), report.upstream_errors)).collect()
    }

    #[test]
    fn the_rows_that_have_waited_longest_are_reported_first() {
        let (mut rows, a, b, c) = (Rows::default(), route(7, "n/a"), route(2, "n/b"), route(3, "n/c"));
        [&a, &b, &a, &c].into_iter().for_each(|route| count(&mut rows, route, 200));
        assert_eq!(seen(&rows.take(2)), [("n/b", 1, 0), ("n/a", 2, 0)]);
        count(&mut rows, &c, 200);
        count(&mut rows, &a, 200);
        assert_eq!(seen(&rows.take(1)), [("n/c", 2, 0)]);
        assert_eq!(seen(&rows.take(9)), [("n/a", 1, 0)]);
        assert!(rows.take(9).is_empty());
        count(&mut rows, &b, 204);
        let report = &rows.take(9)[0];
        assert_eq!((report.responses, report.latency[1], report.latency_sum_us), ([0, 1, 0, 0, 0], 1, 75));
    }

    #[test]
    fn nothing_is_lost_when_a_slot_goes_to_another() {
        let (mut rows, a, b) = (Rows::default(), route(1, "n/a"), route(1, "n/b"));
        count(&mut rows, &a, 200);
        rows.upstream_error(&a);
        count(&mut rows, &b, 500);
        // A request that is still under way when its route is gone.
        count(&mut rows, &a, 200);
        assert_eq!(seen(&rows.take(9)), [("n/a", 1, 1), ("n/b", 1, 0), ("n/a", 1, 0)]);
        count(&mut rows, &b, 200);
        assert_eq!(seen(&rows.take(9)), [("n/b", 1, 0)], "an empty row is nobody's");
    }

    #[test]
    fn a_full_row_is_reported_early() {
        let (mut rows, a) = (Rows::default(), route(0, "n/a"));
        let most = u64::from(u16::MAX);
        (0..most + 2).for_each(|_| count(&mut rows, &a, 200));
        (0..most + 1).for_each(|_| rows.upstream_error(&a));
        let reports = rows.take(9);
        assert_eq!(seen(&reports), [("n/a", most, 0), ("n/a", 2, most), ("n/a", 0, 1)]);
    }
}
