//! What Prometheus is told of the phases: counts within fixed bounds since the start, per shard. Intervals are added when
//! they come, a few hundred cells at a time.

use super::cells::{Fineness, Sparse};
use super::kept::{PHASES, Phases};

/// Upper bounds of the buckets: as Prometheus writes them in seconds, and in nanoseconds.
pub(crate) const BOUNDS: [(&str, u64); 20] = [
    ("0.000005", 5_000),
    ("0.00001", 10_000),
    ("0.000025", 25_000),
    ("0.00005", 50_000),
    ("0.0001", 100_000),
    ("0.00025", 250_000),
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("5", 5_000_000_000),
    ("10", 10_000_000_000),
];

/// One phase on one shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buckets {
    /// How many times are not above each bound; the last one is without.
    counts: [u64; BOUNDS.len() + 1],
    /// Sum in nanoseconds, each time as the middle of its cell.
    pub(crate) sum_ns: u64,
}

impl Buckets {
    fn add(&mut self, times: &Sparse) {
        let fineness = Fineness::THREE_DIGITS;
        let mut at = 0;
        for (cell, count) in times.filled() {
            let ns = fineness.middle_of(cell);
            while at < BOUNDS.len() && BOUNDS[at].1 < ns {
                at += 1;
            }
            self.counts[at] += count;
            self.sum_ns = self.sum_ns.wrapping_add(ns.wrapping_mul(count));
        }
    }

    /// Counts up to each of the [`BOUNDS`], and of all.
    pub(crate) fn up_to(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().scan(0u64, |sum, count| {
            *sum = sum.wrapping_add(*count);
            Some(*sum)
        })
    }
}

/// All phases of one shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardPhases {
    /// In the order of `Phase::ALL`.
    pub(crate) phases: [Buckets; PHASES],
    /// Rows of the newest interval, and exchanges that found no room for one since the start.
    pub(crate) rows: u64,
    pub(crate) rows_refused: u64,
}

impl ShardPhases {
    /// Adds an interval.
    pub(super) fn add(&mut self, times: &Phases) {
        self.phases.iter_mut().zip(times).for_each(|(sum, more)| sum.add(more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    #[test]
    fn times_fall_within_their_bounds() {
        let mut buckets = Buckets::default();
        let mut histogram = Histogram::new_with_bounds(64, 600_000_000_000, 3).expect("bounds");
        for us in [1, 6, 90, 90, 20_000_000] {
            histogram.saturating_record(us * 1_000);
        }
        let times = Sparse::of(&histogram, Fineness::THREE_DIGITS);
        buckets.add(&times);
        buckets.add(&times);
        let up_to: Vec<u64> = buckets.up_to().collect();
        assert_eq!(up_to[..5], [2, 4, 4, 4, 8]);
        assert_eq!(up_to[19..], [8, 10], "what is longer than all bounds is counted too");
        let sum = buckets.sum_ns as f64 / 40_000_374_000.0;
        assert!((sum - 1.0).abs() < 0.001, "{sum}");
    }
}
