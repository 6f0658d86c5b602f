//! What was measured from outside, as a table and as JSON, with what the figures hold and what they do not.

use super::inside::{Figures, Inside};
use super::{Measured, Relayed, Round};
use crate::pace::QUANTILES;
use crate::statistics::spread;
use crate::table::align;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write;

/// What the figures are of, for whoever compares them.
const OUTSIDE: &str = "\
outside: from the time stamp of a packet that arrives to that of the packet that leaves, for the request and for the
response. Stamps are made where the loopback device hands a packet over: receiving it, waking the shard and the wait for
its turn come after, and so does the rest of the sending call
";
const INSIDE: &str = "\
inside: the gateway's own histograms, from where the shard has read a head to where the kernel has taken what it sent.
Not in it, but in outside: from the packet's stamp to the shard's turn (wake-up to ring completion, once for the request
and once for the response). In it, but not in outside: what the kernel still does in a sending call after the stamp, which
on the loopback device is the whole way up to the receiver's socket and waking it. A relay that only reads and writes, on
the same CPU with the same load, has the same between its two: it shows how much of the difference is the kernel's
";
/// How far inside and outside may be apart, in microseconds.
const AGREED_US: f64 = 5.0;

/// A row of figures: its key for programs, its name for people, and the figures of each round.
struct Row {
    key: &'static str,
    name: &'static str,
    /// It is a difference.
    signed: bool,
    rounds: Vec<Figures>,
}

impl Row {
    /// The median of the rounds, figure by figure: what disturbs one round does not show.
    fn median(&self) -> Figures {
        let mut medians = Figures::default();
        for (at, median) in medians.iter_mut().enumerate() {
            let figures = self.rounds.iter().map(|round| round[at]);
            *median = spread(figures).map_or(f64::NAN, |spread| spread.median);
        }
        medians
    }

    fn cells(&self) -> Vec<String> {
        let shown = |us: f64| if self.signed { format!("{us:+.1}") } else { format!("{us:.1}") };
        [self.name.to_owned()].into_iter().chain(self.median().map(shown)).collect()
    }
}

/// Every row there are figures for; those of the gateway's own only from rounds in which it told them.
fn rows(rounds: &[Round]) -> Vec<Row> {
    type Figure = fn(&Round) -> Option<Figures>;
    fn apart(round: &Round) -> Option<Apart> {
        Some(Apart::new(&round.outside.gateway, said(round)?.tax, &round.relay))
    }
    let all: [(&str, &str, bool, Figure); 13] = [
        ("outside_request_us", "outside: request in to request out", false, |r| {
            Some(figures(&r.outside.request))
        }),
        ("outside_response_us", "outside: response in to response out", false, |r| {
            Some(figures(&r.outside.response))
        }),
        ("outside_gateway_us", "outside: both, the gateway's time", false, |r| {
            Some(figures(&r.outside.gateway))
        }),
        ("outside_total_us", "outside: request in to response out", false, |r| {
            Some(figures(&r.outside.total))
        }),
        ("client_latency_us", "the client, from when it was due", false, |r| {
            Some(figures(&r.load.corrected))
        }),
        ("client_uncorrected_us", "the client, from when it was sent", false, |r| {
            Some(figures(&r.load.service))
        }),
        ("relay_outside_gateway_us", "a relay of bytes in its place", false, |r| {
            Some(figures(&r.relay.outside.gateway))
        }),
        ("more_than_relay_us", "more than the relay", true, |r| {
            Some(less(figures(&r.outside.gateway), figures(&r.relay.outside.gateway)))
        }),
        ("inside_tax_us", "inside: tax, the gateway's time", false, |r| Some(said(r)?.tax)),
        ("inside_total_us", "inside: total", false, |r| Some(said(r)?.total)),
        ("outside_less_tax_us", "the gateway's time, outside - inside", true, |r| Some(apart(r)?.gateway)),
        ("relay_outside_less_inside_us", "the same of the relay", true, |r| Some(apart(r)?.kernel)),
        (LEFT, "left of the difference", true, |r| Some(apart(r)?.left)),
    ];
    all.into_iter()
        .map(|(key, name, signed, of)| Row {
            key,
            name,
            signed,
            rounds: rounds.iter().filter_map(of).collect(),
        })
        .filter(|row| !row.rounds.is_empty())
        .collect()
}

/// The key of the row that the verdict is about.
const LEFT: &str = "difference_left_us";

fn said(round: &Round) -> Option<&Inside> {
    round.inside.as_ref()?.as_ref().ok()
}

/// Exchanges that were seen whole, and those that were not.
fn seen(rounds: &[Round]) -> (u64, u64) {
    let sum = |of: fn(&Round) -> u64| rounds.iter().map(of).sum();
    (sum(|round| round.outside.gateway.len()), sum(|round| round.outside.incomplete))
}

/// For people.
pub(crate) fn table(measured: &Measured) -> String {
    let Measured { gateway, rate, connections, rounds } = measured;
    let (whole, incomplete) = seen(rounds);
    let mut text = format!(
        "{gateway}: {rate:.0} requests a second over {connections} connections; medians of {} rounds; {whole} \
         exchanges seen whole, {incomplete} not\n",
        rounds.len()
    );
    let found = rows(rounds);
    let head = ["µs"].into_iter().chain(QUANTILES.map(|(name, _)| name)).map(str::to_owned).collect();
    let cells: Vec<Vec<String>> = [head].into_iter().chain(found.iter().map(Row::cells)).collect();
    align(&mut text, &cells);
    let left = found.iter().find(|row| row.key == LEFT).map(Row::median);
    if let Some(left) = left {
        let _ = writeln!(text, "  {}", verdict(left));
    }
    for warning in warnings(rounds) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push_str(OUTSIDE);
    if left.is_some() {
        text.push_str(INSIDE);
    }
    text
}

/// How far outside and inside are apart, in microseconds.
struct Apart {
    gateway: Figures,
    /// The relay's: what the kernel puts between the two.
    kernel: Figures,
    /// The gateway's less the relay's.
    left: Figures,
}

impl Apart {
    fn new(outside: &Histogram<u64>, tax: Figures, kernel: &Relayed) -> Self {
        let gateway = less(figures(outside), tax);
        let kernel = less(figures(&kernel.outside.gateway), kernel.inside);
        Self { gateway, kernel, left: less(gateway, kernel) }
    }
}

fn figures(times: &Histogram<u64>) -> Figures {
    QUANTILES.map(|(_, quantile)| times.value_at_quantile(quantile) as f64 / 1e3)
}

fn less(mut ours: Figures, theirs: Figures) -> Figures {
    ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours -= theirs);
    ours
}

fn verdict(left: Figures) -> String {
    let of = |name: &str| {
        let at = QUANTILES.iter().position(|(known, _)| *known == name).expect("it is one of them");
        left[at]
    };
    let (p50, p99) = (of("p50"), of("p99"));
    let agree = if p50.abs().max(p99.abs()) <= AGREED_US { "agree" } else { "do not agree" };
    format!(
        "but for the kernel's part, inside and outside {agree} within {AGREED_US:.0} µs: p50 {p50:+.1} µs, p99 {p99:+.1} µs"
    )
}

/// What a reader must know; of several rounds the last one's that has anything.
fn warnings(rounds: &[Round]) -> Vec<String> {
    let of = |round: &Round| {
        let mut warnings = round.load.warnings();
        if round.lost > 0 {
            warnings.push(format!("{} packets were not captured for want of room", round.lost));
        }
        if let Some(Err(why)) = &round.inside {
            warnings.push(why.clone());
        }
        warnings
    };
    rounds.iter().rev().map(of).find(|warnings| !warnings.is_empty()).unwrap_or_default()
}

/// For programs: medians and the figures of each round, times in microseconds.
pub(crate) fn json(measured: &Measured) -> Value {
    let Measured { gateway, rate, connections, rounds } = measured;
    let named = |figures: Figures| -> Value {
        QUANTILES.iter().zip(figures).map(|((name, _), us)| (*name, json!(us))).collect()
    };
    let (whole, incomplete) = seen(rounds);
    let mut value = json!({
        "gateway": gateway, "rate": rate, "connections": connections, "exchanges": whole,
        "incomplete": incomplete, "warnings": warnings(rounds),
    });
    for row in rows(rounds) {
        let each: Vec<Value> = row.rounds.iter().copied().map(named).collect();
        value[row.key] = json!({"median": named(row.median()), "rounds": each});
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::exchanges::Seen;

    #[test]
    fn what_the_kernel_puts_between_is_taken_off_the_difference() {
        let times = |us: u64| {
            let mut times = crate::pace::histogram();
            times.saturating_record(us * 1_000);
            times
        };
        let seen = |us| Seen {
            request: times(us),
            response: times(us),
            gateway: times(us),
            total: times(us),
            incomplete: 0,
        };
        let kernel = Relayed { outside: seen(22), inside: [10.0; QUANTILES.len()] };
        let apart = Apart::new(&times(50), [35.0; QUANTILES.len()], &kernel);
        for (found, expected) in [(apart.gateway, 15.0), (apart.kernel, 12.0), (apart.left, 3.0)] {
            assert!(found.iter().all(|us| (us - expected).abs() < 0.1), "{found:?} {expected}");
        }
    }

    #[test]
    fn one_disturbed_round_of_three_does_not_show() {
        let round = |us: f64| [us; QUANTILES.len()];
        let row =
            Row { key: LEFT, name: "x", signed: true, rounds: vec![round(1.0), round(900.0), round(2.0)] };
        assert_eq!(row.median(), round(2.0));
        assert_eq!(row.cells()[..2], ["x".to_owned(), "+2.0".to_owned()]);
        assert!(rows(&[]).is_empty());
    }

    #[test]
    fn agreement_is_of_the_median_and_the_99th_percentile() {
        for (p50, p99, agree) in [(4.9, -4.9, true), (5.1, 0.0, false), (0.0, -5.1, false)] {
            let said = verdict([p50, 99.0, p99, 99.0, 99.0]);
            assert_eq!(!said.contains("do not"), agree, "{said}");
        }
    }
}
