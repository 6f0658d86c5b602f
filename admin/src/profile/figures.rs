//! What is told of a distribution: mean, quantiles, the points of a percentile plot, and how many times lie within the
//! bounds of Prometheus. Pure arithmetic over the cells of a sum.

use super::cells::Sum;

/// What is told besides mean and maximum: name, and how many of a million times are not longer.
pub(crate) const QUANTILES: [(&str, u64); 5] = [
    ("p50_us", 500_000),
    ("p90_us", 900_000),
    ("p99_us", 990_000),
    ("p99_9_us", 999_000),
    ("p99_99_us", 999_900),
];

/// Points of a plot for each halving of the distance to 100 %, as other HdrHistogram tools print them.
const POINTS_PER_HALVING: f64 = 5.0;

/// The figures of one distribution, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) max: u64,
    /// In the order of [`QUANTILES`].
    pub(crate) quantiles: [u64; QUANTILES.len()],
}

impl Figures {
    /// Of a sum; all zero when it is empty.
    pub(crate) fn of(sum: &Sum) -> Self {
        let (count, fineness) = (sum.count(), sum.fineness());
        let mut figures = Self::default();
        if count == 0 {
            return figures;
        }
        // At least so many times are not longer than the quantile.
        let ranks = QUANTILES
            .map(|(_, million)| (u128::from(count) * u128::from(million)).div_ceil(1_000_000).max(1) as u64);
        let (mut seen, mut at, mut total) = (0, 0, 0.0);
        for (cell, here) in sum.filled() {
            seen += here;
            while at < ranks.len() && seen >= ranks[at] {
                figures.quantiles[at] = fineness.highest_in(cell);
                at += 1;
            }
            total += fineness.middle_of(cell) as f64 * here as f64;
            figures.max = fineness.highest_in(cell);
        }
        figures.mean = total / count as f64;
        let squares = sum.filled().map(|(cell, here)| {
            let off = fineness.middle_of(cell) as f64 - figures.mean;
            off * off * here as f64
        });
        figures.deviation = (squares.sum::<f64>() / count as f64).sqrt();
        figures
    }
}

/// One point of a percentile plot: so many times (a share of all, 0 to 1, and a number) are not longer than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) ns: u64,
    pub(crate) share: f64,
    pub(crate) count: u64,
}

/// The points of a plot, from the shortest time to the longest: [`POINTS_PER_HALVING`] until half of the way to 100 % is
/// done, as many until half of the rest is done, and so on, and 100 % itself.
pub(crate) fn points(sum: &Sum) -> Vec<Point> {
    let (count, mut seen, mut share, mut points) = (sum.count(), 0, 0.0f64, Vec::new());
    for (cell, here) in sum.filled() {
        seen += here;
        let ns = sum.fineness().highest_in(cell);
        let reached = seen as f64 / count as f64;
        while share <= reached {
            points.push(Point { ns, share, count: seen });
            let halvings = (1.0 / (1.0 - share)).log2().floor();
            share += 1.0 / (POINTS_PER_HALVING * 2f64.powf(halvings + 1.0));
            if seen == count {
                points.push(Point { ns, share: 1.0, count });
                return points;
            }
        }
        if seen == count {
            points.push(Point { ns, share: 1.0, count });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::super::cells::{Fineness, Sparse};
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    fn sum_of(times: &[u64]) -> (Sum, Histogram<u32>) {
        let mut histogram = Histogram::new_with_bounds(64, 600_000_000_000, 3).expect("bounds");
        times.iter().for_each(|ns| histogram.saturating_record(*ns));
        let mut sum = Sum::new(Fineness::THREE_DIGITS);
        sum.add(&Sparse::of(&histogram, Fineness::THREE_DIGITS));
        (sum, histogram)
    }

    #[test]
    fn nothing_is_all_zero() {
        let (sum, _) = sum_of(&[]);
        assert_eq!(Figures::of(&sum), Figures::default());
        assert!(points(&sum).is_empty());
    }

    #[test]
    fn figures_by_examples() {
        let up_to = |most: u64| (1..=most).map(|us| us * 1_000).collect::<Vec<_>>();
        // Times, then p50, p90, p99, p99.9, p99.99 and the maximum in microseconds.
        for (times, told) in [
            (vec![10_000], [10, 10, 10, 10, 10, 10]),
            (up_to(100), [50, 90, 99, 100, 100, 100]),
            (up_to(10_000), [5_000, 9_000, 9_900, 9_990, 9_999, 10_000]),
            ([vec![20_000; 999], vec![5_000_000; 1]].concat(), [20, 20, 20, 20, 5_000, 5_000]),
        ] {
            let figures = Figures::of(&sum_of(&times).0);
            let found = figures.quantiles.iter().chain([&figures.max]).map(|ns| *ns as f64 / 1_000.0);
            for (found, told) in found.zip(told) {
                assert!(
                    (found - f64::from(told)).abs() <= (f64::from(told) * 0.002).max(0.064),
                    "{found} for {told}"
                );
            }
        }
    }

    #[test]
    fn points_go_by_halvings() {
        let (sum, _) = sum_of(&(1..=1_000u64).map(|us| us * 1_000).collect::<Vec<_>>());
        let points = points(&sum);
        let shares: Vec<f64> = points.iter().map(|point| (point.share * 1e4).round() / 1e4).collect();
        assert_eq!(shares[..8], [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6]);
        assert_eq!(points.last().map(|point| (point.share, point.count)), Some((1.0, 1_000)));
        assert!(points.windows(2).all(|two| two[0].share < two[1].share && two[0].ns <= two[1].ns));
        assert!(points.len() < 70, "{}", points.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn quantiles_are_those_of_hdrhistogram(times in proptest::collection::vec(64u64..500_000_000_000, 1..300)) {
            let (sum, histogram) = sum_of(&times);
            let figures = Figures::of(&sum);
            for ((_, million), found) in QUANTILES.iter().zip(figures.quantiles) {
                prop_assert_eq!(found, histogram.value_at_quantile(*million as f64 / 1e6));
            }
            prop_assert_eq!(figures.max, histogram.max());
            prop_assert!((figures.mean - histogram.mean()).abs() <= histogram.mean() * 1e-9);
            prop_assert!((figures.deviation - histogram.stdev()).abs() <= histogram.mean() * 1e-6);
        }

        #[test]
        fn points_are_those_of_hdrhistogram(times in proptest::collection::vec(64u64..500_000_000_000, 1..300)) {
            let (sum, histogram) = sum_of(&times);
            let own: Vec<(u64, u64)> = points(&sum).iter().map(|point| (point.ns, point.count)).collect();
            let mut seen = 0;
            let theirs: Vec<(u64, u64)> = histogram.iter_quantiles(5).map(|value| {
                seen += value.count_since_last_iteration();
                (value.value_iterated_to(), seen)
            }).collect();
            prop_assert_eq!(own, theirs);
        }
    }
}
