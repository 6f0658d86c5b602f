//! The outcome of a load at a fixed rate, as a table, as JSON, and as the percentile distribution that the plotters of
//! HdrHistogram read.

use super::outcome::Outcome;
use super::plan::Plan;
use crate::table::align;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write;

/// What is told of every distribution.
pub(crate) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// For people.
pub(crate) fn table(plan: &Plan, outcome: &Outcome) -> String {
    let beat = if plan.seed.is_some() { "at random (Poisson)" } else { "evenly" };
    let mut text = format!(
        "{:.0} requests a second, {beat}, over {} connections to {}: {} due, {} answered, {} errors, {:.1} s\n",
        plan.rate,
        plan.connections,
        plan.address,
        outcome.due,
        outcome.answered,
        outcome.errors.sum(),
        outcome.seconds
    );
    let head = ["µs"].into_iter().chain(QUANTILES.map(|(name, _)| name)).map(str::to_owned).collect();
    let row = |name: &str, times: &Histogram<u64>| {
        let cells = QUANTILES.map(|(_, at)| match times.is_empty() {
            true => "-".into(),
            false => format!("{:.1}", times.value_at_quantile(at) as f64 / 1e3),
        });
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    let rows: [Vec<String>; 4] = [
        head,
        row("latency from when it was due", &outcome.corrected),
        row("from when it was sent (uncorrected)", &outcome.service),
        row("lateness of the load itself", &outcome.lag),
    ];
    align(&mut text, &rows);
    for warning in outcome.warnings() {
        let _ = writeln!(text, "  ! {warning}");
    }
    text
}

/// For programs. Times in microseconds.
pub(crate) fn json(plan: &Plan, outcome: &Outcome) -> Value {
    let errors: Value =
        outcome.errors.kinds().into_iter().map(|(kind, count)| (kind, json!(count))).collect();
    json!({
        "rate": plan.rate, "connections": plan.connections, "poisson_seed": plan.seed,
        "seconds": outcome.seconds, "due": outcome.due, "answered": outcome.answered,
        "waited_for_a_connection": outcome.waited, "reconnected": outcome.reconnected, "errors": errors,
        "latency_us": quantiles(&outcome.corrected), "uncorrected_us": quantiles(&outcome.service),
        "send_lag_us": quantiles(&outcome.lag), "warnings": outcome.warnings(),
    })
}

/// Quantiles of nanoseconds in microseconds; null where there are none.
fn quantiles(times: &Histogram<u64>) -> Value {
    if times.is_empty() {
        return Value::Null;
    }
    let at = |(name, at): (&str, f64)| (name.to_owned(), json!(times.value_at_quantile(at) as f64 / 1e3));
    QUANTILES.into_iter().map(at).collect()
}

/// The distribution in HdrHistogram's text form, in milliseconds.
pub(crate) fn hgrm(times: &Histogram<u64>) -> String {
    let mut text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n".to_owned();
    let mut counted = 0;
    let ms = |ns: f64| ns / 1e6;
    for step in times.iter_quantiles(5) {
        counted += step.count_since_last_iteration();
        let (value, quantile) = (ms(step.value_iterated_to() as f64), step.quantile_iterated_to());
        let _ = match quantile < 1.0 {
            true => {
                writeln!(text, "{value:12.4} {quantile:2.12} {counted:10} {:14.2}", 1.0 / (1.0 - quantile))
            }
            false => writeln!(text, "{value:12.4} {quantile:2.12} {counted:10}"),
        };
    }
    let (mean, deviation, max) = (ms(times.mean()), ms(times.stdev()), ms(times.max() as f64));
    let _ = writeln!(text, "#[Mean    = {mean:12.4}, StdDeviation   = {deviation:12.4}]");
    let _ = writeln!(text, "#[Max     = {max:12.4}, Total count    = {:12}]", times.len());
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {:12}]", times.buckets(), 2048);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::outcome::histogram;

    #[test]
    fn distributions_are_what_plotters_read() {
        let mut times = histogram();
        (1..=1_000u64).for_each(|ms| times.saturating_record(ms * 1_000_000));
        let text = hgrm(&times);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map_while(|cell| cell.parse().ok()).collect::<Vec<_>>())
            .filter(|row| row.len() >= 3)
            .collect();
        assert!(rows.windows(2).all(|two| two[0][0] <= two[1][0] && two[0][1] <= two[1][1]), "{text}");
        let last = rows.last().expect("rows");
        assert_eq!((last[1], last[2]), (1.0, 1000.0));
        assert!((last[0] / 1000.0 - 1.0).abs() < 0.002, "{text}");
        let middle = rows.iter().find(|row| row[1] == 0.5).expect("the median");
        assert!((middle[0] / 500.0 - 1.0).abs() < 0.002, "{text}");
    }

    #[test]
    fn nothing_is_told_of_what_was_not_measured() {
        assert_eq!(quantiles(&histogram()), Value::Null);
    }
}
