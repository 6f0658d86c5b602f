//! Counters of routes, by slot. With thousands of routes every request finds its row cold, so a row is one line of memory:
//! cells of two bytes, whose sums go to the reports before one of them is full. A report takes the rows that have waited
//! longest, and only so many: neither the shard nor the admin stands still over thousands of them.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use tidegate_snapshot::{LATENCY_BOUNDS_US, RouteReport, StatusClass};

/// What a route has counted since its last report.
#[derive(Default)]
#[repr(C, align(64))]
struct Row {
    /// Where the key is whose row it is; the key itself is kept in `Rows::keys`, so that no other can be there.
    whose: usize,
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

fn address(key: &Arc<str>) -> usize {
    Arc::as_ptr(key).addr()
}

impl Rows {
    /// Counts a request that was answered.
    pub(super) fn request(&mut self, slot: u32, key: &Arc<str>, status: u16, latency_us: u64) {
        let row = self.of(slot, key, |row| row.requests);
        row.requests += 1;
        row.responses[StatusClass::of(status).0] += 1;
        row.latency[LATENCY_BOUNDS_US.partition_point(|bound| u64::from(*bound) < latency_us)] += 1;
        row.latency_sum_us += latency_us;
    }

    /// Counts a call of the route's upstream that failed.
    pub(super) fn upstream_error(&mut self, slot: u32, key: &Arc<str>) {
        self.of(slot, key, |row| row.upstream_errors).upstream_errors += 1;
    }

    /// The row, with room for one more in the cell that is asked for.
    fn of(&mut self, slot: u32, key: &Arc<str>, cell: impl Fn(&Row) -> u16) -> &mut Row {
        let at = slot as usize;
        let is_ready = self
            .by_slot
            .get(at)
            .is_some_and(|row| row.is_waiting && row.whose == address(key) && cell(row) < u16::MAX);
        if !is_ready {
            self.prepare(slot, key);
        }
        &mut self.by_slot[at]
    }

    #[cold]
    fn prepare(&mut self, slot: u32, key: &Arc<str>) {
        let at = slot as usize;
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
        if row.whose != address(key) {
            row.whose = address(key);
            self.keys[at] = Some(key.clone());
        }
        row.is_waiting = true;
        if !is_waiting {
            self.waiting.push_back(slot);
        }
    }

    /// What was counted since the last time, of at most so many rows; the others go on counting and are the first then.
    pub(super) fn take(&mut self, most: usize) -> Vec<RouteReport> {
        let count = self.waiting.len().min(most);
        let mut reports = take(&mut self.early);
        reports.reserve_exact(count);
        for slot in self.waiting.drain(..count) {
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

    fn keys<const N: usize>(names: [&str; N]) -> [Arc<str>; N] {
        names.map(Arc::from)
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
        let (mut rows, [a, b, c]) = (Rows::default(), keys(["n/a", "n/b", "n/c"]));
        let count = |rows: &mut Rows, slot: u32, key: &Arc<str>| rows.request(slot, key, 200, 75);
        for (slot, key) in [(7, &a), (2, &b), (7, &a), (3, &c)] {
            count(&mut rows, slot, key);
        }
        assert_eq!(seen(&rows.take(2)), [("n/a", 2, 0), ("n/b", 1, 0)]);
        count(&mut rows, 3, &c);
        count(&mut rows, 7, &a);
        assert_eq!(seen(&rows.take(1)), [("n/c", 2, 0)]);
        assert_eq!(seen(&rows.take(9)), [("n/a", 1, 0)]);
        assert!(rows.take(9).is_empty());
        count(&mut rows, 2, &b);
        let report = &rows.take(9)[0];
        assert_eq!((report.responses, report.latency[1], report.latency_sum_us), ([0, 1, 0, 0, 0], 1, 75));
    }

    #[test]
    fn nothing_is_lost_when_a_slot_goes_to_another() {
        let (mut rows, [a, b]) = (Rows::default(), keys(["n/a", "n/b"]));
        rows.request(1, &a, 200, 1);
        rows.upstream_error(1, &a);
        rows.request(1, &b, 500, 1);
        // A request that is still under way when its route is gone.
        rows.request(1, &a, 200, 1);
        assert_eq!(seen(&rows.take(9)), [("n/a", 1, 1), ("n/b", 1, 0), ("n/a", 1, 0)]);
        rows.request(1, &b, 200, 1);
        assert_eq!(seen(&rows.take(9)), [("n/b", 1, 0)], "an empty row is nobody's");
    }

    #[test]
    fn a_full_row_is_reported_early() {
        let (mut rows, [a]) = (Rows::default(), keys(["n/a"]));
        let most = u64::from(u16::MAX);
        (0..most + 2).for_each(|_| rows.request(0, &a, 200, 1));
        (0..most + 1).for_each(|_| rows.upstream_error(0, &a));
        let reports = rows.take(9);
        assert_eq!(seen(&reports), [("n/a", most, 0), ("n/a", 2, most), ("n/a", 0, 1)]);
    }
}
