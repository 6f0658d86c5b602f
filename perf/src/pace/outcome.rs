//! What a load at a fixed rate has shown: times in histograms, errors by kind, and whether the load itself kept its
//! word. A request that was due is counted somewhere, or the whole would look better than it was.

use hdrhistogram::Histogram;

/// The longest time that is told apart, in nanoseconds: ten minutes.
const LONGEST_NS: u64 = 600 * 1_000_000_000;
/// Below this the load's own lateness is of no interest, in nanoseconds.
const SMALL_LAG_NS: u64 = 50_000;

/// An empty histogram of nanoseconds, exact to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds that are fixed and right")
}

/// What went wrong, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Errors {
    /// Connections that were refused or failed while they were made.
    pub(crate) connect: u64,
    /// Connections that ended within an exchange.
    pub(crate) closed: u64,
    /// Answers that are no HTTP.
    pub(crate) not_http: u64,
    /// Answers with a status from 400 on; they have their latency like others.
    pub(crate) status: u64,
    /// Requests that had no answer in time. They count in the latencies with the time they had.
    pub(crate) timeout: u64,
}

impl Errors {
    pub(crate) fn sum(&self) -> u64 {
        self.kinds().iter().map(|(_, count)| count).sum()
    }

    pub(crate) fn kinds(&self) -> [(&'static str, u64); 5] {
        [
            ("connect", self.connect),
            ("closed", self.closed),
            ("not_http", self.not_http),
            ("status", self.status),
            ("timeout", self.timeout),
        ]
    }
}

/// Everything that was measured. Times in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// From when a request was due to the end of its answer.
    pub(crate) corrected: Histogram<u64>,
    /// From when it was sent: what a closed loop would have told.
    pub(crate) service: Histogram<u64>,
    /// By how much the load itself was late: from when a request was due and had a connection to when it was sent.
    pub(crate) lag: Histogram<u64>,
    /// Requests that were due.
    pub(crate) due: u64,
    pub(crate) answered: u64,
    /// Requests that found no free connection when they were due.
    pub(crate) waited: u64,
    /// Connections that the server closed between exchanges and that were made again.
    pub(crate) reconnected: u64,
    pub(crate) errors: Errors,
    /// From the first request that was due to the last answer.
    pub(crate) seconds: f64,
}

impl Outcome {
    pub(crate) fn new() -> Self {
        Self {
            corrected: histogram(),
            service: histogram(),
            lag: histogram(),
            due: 0,
            answered: 0,
            waited: 0,
            reconnected: 0,
            errors: Errors::default(),
            seconds: 0.0,
        }
    }

    /// An answer, `since_due` and `since_sent` nanoseconds after.
    pub(crate) fn answered(&mut self, since_due: u64, since_sent: u64, status: u16) {
        self.answered += 1;
        self.corrected.saturating_record(since_due);
        self.service.saturating_record(since_sent);
        self.errors.status += u64::from(status >= 400);
    }

    /// No answer after so long.
    pub(crate) fn timed_out(&mut self, since_due: u64) {
        self.errors.timeout += 1;
        self.corrected.saturating_record(since_due);
    }

    /// Whether the load itself was late by so much that it shows in the latencies.
    pub(crate) fn late(&self) -> bool {
        let (lag, p99) = (self.lag.value_at_quantile(0.99), self.corrected.value_at_quantile(0.99));
        lag > SMALL_LAG_NS.max(p99 / 10)
    }

    /// What a reader must know before believing the figures.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let lag = self.lag.value_at_quantile(0.99);
        if self.late() {
            warnings.push(format!(
                "the load could not keep the rate: its requests left up to {:.0} µs late (p99), which is in the latencies; \
                 give it a CPU of its own (--cpu, --spin) or a lower --rate",
                lag as f64 / 1e3
            ));
        }
        let share = self.waited as f64 / self.due.max(1) as f64;
        if share > 0.001 {
            warnings.push(format!(
                "{:.1} % of the requests found no free connection and waited, as the latencies show: the server is \
                 too slow for this rate, or --connections are too few",
                share * 100.0
            ));
        }
        if self.errors.sum() > 0 {
            let kinds = self.errors.kinds().into_iter().filter(|(_, count)| *count > 0);
            let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
            warnings.push(format!("errors: {}", kinds.join(", ")));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_says_when_it_was_late_itself() {
        let check = |lag_us: u64, latency_us: u64, waited, warned: &[&str]| {
            let mut outcome = Outcome { due: 100, waited, ..Outcome::new() };
            for _ in 0..100 {
                outcome.lag.saturating_record(lag_us * 1_000);
                outcome.answered(latency_us * 1_000, latency_us * 1_000, 200);
            }
            let warnings = outcome.warnings();
            assert_eq!(warnings.len(), warned.len(), "{warnings:?}");
            assert!(warnings.iter().zip(warned).all(|(said, part)| said.contains(part)), "{warnings:?}");
        };
        check(10, 100, 0, &[]);
        check(60, 1000, 0, &[]);
        check(60, 100, 0, &["could not keep the rate"]);
        check(10, 100, 5, &["5.0 % of the requests found no free connection"]);
        let mut outcome = Outcome::new();
        outcome.answered(1, 1, 503);
        outcome.timed_out(1_000);
        assert_eq!(outcome.errors.sum(), 2);
        assert_eq!(outcome.corrected.len(), 2);
        assert_eq!(outcome.warnings(), ["errors: 1 status, 1 timeout"]);
    }
}
