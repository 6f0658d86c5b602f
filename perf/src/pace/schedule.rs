//! When requests are due. Nothing here looks at a clock or at an answer: that is what makes the load open.

/// Due times in nanoseconds after the load's begin, in order, up to its end.
pub(crate) struct Schedule {
    /// Nanoseconds between two requests, on average.
    gap: f64,
    /// Some: gaps are drawn at random, so that requests come as from many independent clients.
    poisson: Option<fastrand::Rng>,
    end: f64,
    /// Requests of an even load, so that rounding adds none.
    even: u64,
    taken: u64,
    next: f64,
}

impl Schedule {
    /// So many requests a second for so many nanoseconds; with a seed, a Poisson process instead of a fixed beat.
    pub(crate) fn new(rate: f64, length_ns: u64, seed: Option<u64>) -> Self {
        Self {
            gap: 1e9 / rate,
            poisson: seed.map(fastrand::Rng::with_seed),
            end: length_ns as f64,
            even: (rate * length_ns as f64 / 1e9 - 1e-6).ceil() as u64,
            taken: 0,
            next: 0.0,
        }
    }

    /// The next due time; none when the load is over.
    pub(crate) fn peek(&self) -> Option<u64> {
        let over = match self.poisson {
            None => self.taken == self.even,
            Some(_) => self.next >= self.end,
        };
        (!over).then_some(self.next as u64)
    }

    /// Takes the next due time if it is not after `now`.
    pub(crate) fn due(&mut self, now: u64) -> Option<u64> {
        let due = self.peek().filter(|due| *due <= now)?;
        self.taken += 1;
        self.next = match &mut self.poisson {
            None => self.taken as f64 * self.gap,
            // The inverse of the exponential distribution; 1 - f64() is never 0.
            Some(random) => self.next - (1.0 - random.f64()).ln() * self.gap,
        };
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut schedule: Schedule) -> Vec<u64> {
        std::iter::from_fn(|| schedule.due(u64::MAX)).collect()
    }

    #[test]
    fn requests_are_due_at_a_fixed_beat() {
        assert_eq!(all(Schedule::new(4.0, 1_000_000_000, None)), [0, 250_000_000, 500_000_000, 750_000_000]);
        // A beat that is no whole number of nanoseconds does not drift.
        for rate in [3_000.0, 7_777.0, 30_000.0] {
            assert_eq!(all(Schedule::new(rate, 2_000_000_000, None)).len() as f64, 2.0 * rate);
        }
        let mut schedule = Schedule::new(1000.0, 1_000_000_000, None);
        assert_eq!(schedule.due(0), Some(0));
        assert_eq!((schedule.due(999_999), schedule.peek()), (None, Some(1_000_000)));
    }

    #[test]
    fn random_gaps_keep_the_rate_and_vary_as_much_as_they_last() {
        let times = all(Schedule::new(10_000.0, 10_000_000_000, Some(7)));
        assert!((99_000..101_000).contains(&times.len()), "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|two| (two[1] - two[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((deviation / mean - 1.0).abs() < 0.02, "{deviation} {mean}");
        assert_eq!(times, all(Schedule::new(10_000.0, 10_000_000_000, Some(7))), "a seed repeats");
    }
}
