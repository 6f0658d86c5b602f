//! A log-linear histogram of times: sixteen buckets for every doubling, so that what it tells of a value is within 4 %
//! of it, in a fixed array. Recording is a shift and an addition and never allocates. It is written on one side and
//! read on another, so buckets travel by their index, which means the same everywhere in a process.

/// Nanoseconds of the finest step; shorter times are all the same.
const UNIT_NS: u64 = 16;
/// Buckets of a doubling, as a power of two.
const STEPS_BITS: u32 = 4;
const STEPS: u64 = 1 << STEPS_BITS;
/// Doublings after the linear part: up to about eighteen minutes.
const DOUBLINGS: usize = 31;
/// How many buckets there are; the last one counts everything above.
const BUCKETS: usize = 2 * STEPS as usize + DOUBLINGS * STEPS as usize;

/// Counts of times in nanoseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: Box::new([0; BUCKETS]), count: 0, sum_ns: 0, max_ns: 0 }
    }
}

fn bucket_of(ns: u64) -> usize {
    let units = ns / UNIT_NS;
    if units < 2 * STEPS {
        return units as usize;
    }
    // The leading bits below the highest one are the step within the doubling.
    let doubling = units.ilog2() - STEPS_BITS;
    let at = u64::from(doubling) * STEPS + (units >> doubling);
    (at as usize).min(BUCKETS - 1)
}

/// The middle of a bucket in nanoseconds.
fn middle_of(bucket: usize) -> u64 {
    let (at, steps) = (bucket as u64, STEPS);
    if at < 2 * steps {
        return at * UNIT_NS + UNIT_NS / 2;
    }
    let doubling = at / steps - 1;
    let lower = (at - doubling * steps) << doubling;
    (lower * UNIT_NS) + (UNIT_NS << doubling) / 2
}

impl Histogram {
    /// Counts one time.
    pub fn record(&mut self, ns: u64) {
        self.counts[bucket_of(ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.wrapping_add(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Buckets that are not empty, by index, with their counts.
    pub fn filled(&self) -> impl Iterator<Item = (u16, u64)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(at, count)| (at as u16, *count))
    }

    /// Adds what another one has counted: its [`Histogram::filled`] buckets, its sum and its largest value. A bucket
    /// that does not exist is counted in the last one.
    pub fn merge(&mut self, filled: impl IntoIterator<Item = (u16, u64)>, sum_ns: u64, max_ns: u64) {
        for (at, count) in filled {
            self.counts[usize::from(at).min(BUCKETS - 1)] += count;
            self.count += count;
        }
        self.sum_ns = self.sum_ns.wrapping_add(sum_ns);
        self.max_ns = self.max_ns.max(max_ns);
    }

    /// Times counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The largest of them, exactly.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// Their mean; 0 for none.
    pub fn mean_ns(&self) -> u64 {
        self.sum_ns.checked_div(self.count).unwrap_or(0)
    }

    /// The smallest time that at least `per_mille` of a thousand are not above, within 4 % (or 8 ns); 0 for none.
    pub fn quantile_ns(&self, per_mille: u32) -> u64 {
        let rank = (u128::from(self.count) * u128::from(per_mille.min(1_000))).div_ceil(1_000).max(1) as u64;
        let mut seen = 0;
        for (at, count) in self.filled() {
            seen += count;
            if seen >= rank {
                // What is above the last bucket has no middle.
                return if usize::from(at) == BUCKETS - 1 {
                    self.max_ns
                } else {
                    middle_of(at.into()).min(self.max_ns)
                };
            }
        }
        0
    }

    /// How many times are not above `bound_ns`; a bucket counts where its middle lies.
    pub fn up_to(&self, bound_ns: u64) -> u64 {
        self.filled().take_while(|(at, _)| middle_of((*at).into()) <= bound_ns).map(|(_, count)| count).sum()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.count, self.sum_ns, self.max_ns) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        times.iter().for_each(|ns| histogram.record(*ns));
        histogram
    }

    #[test]
    fn buckets_are_in_order_and_next_to_each_other() {
        for ns in (0..100_000).chain((17..40).flat_map(|bit| (1u64 << bit) - 20..(1u64 << bit) + 20)) {
            let (here, next) = (bucket_of(ns), bucket_of(ns + 1));
            assert!(next == here || next == here + 1, "{ns}");
        }
        for bucket in 0..BUCKETS {
            assert_eq!(bucket_of(middle_of(bucket)), bucket);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn what_is_empty_or_beyond_the_end() {
        let empty = Histogram::default();
        assert_eq!(
            (empty.quantile_ns(500), empty.mean_ns(), empty.max_ns(), empty.up_to(u64::MAX)),
            (0, 0, 0, 0)
        );
        let late = of(&[1 << 50]);
        assert_eq!((late.quantile_ns(500), late.max_ns()), (1 << 50, 1 << 50));
        assert_eq!(late.up_to(1_000_000_000), 0);
    }

    proptest! {
        #[test]
        fn percentiles_are_within_five_percent(
            mut times in proptest::collection::vec((0u32..37, 0.0..1.0f64), 1..400),
            per_mille in 0u32..=1_000,
        ) {
            let mut times: Vec<u64> = times.drain(..).map(|(bit, part)| (2f64.powi(bit as i32) * (1.0 + part)) as u64).collect();
            let histogram = of(&times);
            times.sort_unstable();
            let rank = (times.len() * per_mille as usize).div_ceil(1_000).max(1);
            let exact = times[rank - 1] as f64;
            let told = histogram.quantile_ns(per_mille) as f64;
            prop_assert!((told - exact).abs() <= (exact * 0.05).max(8.0), "{told} instead of {exact}");
            prop_assert_eq!(histogram.max_ns(), times[times.len() - 1]);
            prop_assert_eq!(histogram.sum_ns(), times.iter().sum::<u64>());
        }

        #[test]
        fn differences_add_up_to_the_whole(
            first in proptest::collection::vec(0u64..10_000_000, 0..100),
            second in proptest::collection::vec(0u64..10_000_000, 0..100),
        ) {
            let mut sum = Histogram::default();
            for part in [&first, &second] {
                let part = of(part);
                sum.merge(part.filled(), part.sum_ns(), part.max_ns());
            }
            let whole = of(&[first, second].concat());
            prop_assert_eq!(sum.filled().collect::<Vec<_>>(), whole.filled().collect::<Vec<_>>());
            prop_assert_eq!((sum.count(), sum.sum_ns(), sum.max_ns()), (whole.count(), whole.sum_ns(), whole.max_ns()));
        }
    }
}
