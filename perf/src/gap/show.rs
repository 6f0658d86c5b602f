//! What was measured from outside, as a table and as JSON, with what the figures hold and what they do not.

use super::inside::Figures;
use super::{Measured, Relayed};
use crate::pace::{QUANTILES, quantiles};
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

/// For people.
pub(crate) fn table(measured: &Measured) -> String {
    let Measured { gateway, rate, connections, load, outside, relay, .. } = measured;
    let mut text = format!(
        "{gateway}: {rate:.0} requests a second over {connections} connections, {} exchanges seen whole, {} not\n",
        outside.gateway.len(),
        outside.incomplete
    );
    let head = ["µs"].into_iter().chain(QUANTILES.map(|(name, _)| name)).map(str::to_owned).collect();
    let row = |name: &str, times: &Histogram<u64>| {
        let cells = QUANTILES.map(|(_, at)| match times.is_empty() {
            true => "-".into(),
            false => format!("{:.1}", times.value_at_quantile(at) as f64 / 1e3),
        });
        [name.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows = vec![
        head,
        row("outside: request in to request out", &outside.request),
        row("outside: response in to response out", &outside.response),
        row("outside: both, the gateway's time", &outside.gateway),
        row("outside: request in to response out", &outside.total),
        row("the client, from when it was due", &load.corrected),
        row("the client, from when it was sent", &load.service),
    ];
    let cells = |name: &str, figures: Figures, signed: bool| {
        let shown = |us: &f64| if signed { format!("{us:+.1}") } else { format!("{us:.1}") };
        [name.to_owned()].into_iter().chain(figures.iter().map(shown)).collect::<Vec<_>>()
    };
    rows.push(row("a relay of bytes in its place", &relay.outside.gateway));
    rows.push(cells(
        "more than the relay",
        less(figures(&outside.gateway), figures(&relay.outside.gateway)),
        true,
    ));
    let said = measured.inside.as_ref().and_then(|inside| inside.as_ref().ok());
    let apart = said.map(|inside| Apart::new(&outside.gateway, inside.tax, relay));
    if let (Some(inside), Some(apart)) = (said, &apart) {
        rows.push(cells("inside: tax, the gateway's time", inside.tax, false));
        rows.push(cells("inside: total", inside.total, false));
        rows.push(cells("the gateway's time, outside - inside", apart.gateway, true));
        rows.push(cells("the same of the relay", apart.kernel, true));
        rows.push(cells("left of the difference", apart.left, true));
    }
    align(&mut text, &rows);
    if let Some(apart) = &apart {
        let _ = writeln!(text, "  {}", verdict(apart.left));
    }
    for warning in warnings(measured) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push_str(OUTSIDE);
    if apart.is_some() {
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
        let kernel = less(figures(&kernel.outside.gateway), figures(&kernel.inside));
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

fn warnings(measured: &Measured) -> Vec<String> {
    let mut warnings = measured.load.warnings();
    if measured.lost > 0 {
        warnings.push(format!("{} packets were not captured for want of room", measured.lost));
    }
    if let Some(Err(why)) = &measured.inside {
        warnings.push(why.clone());
    }
    warnings
}

/// For programs. Times in microseconds.
pub(crate) fn json(measured: &Measured) -> Value {
    let Measured { gateway, rate, connections, load, outside, lost, relay, inside } = measured;
    let named = |figures: Figures| -> Value {
        QUANTILES.iter().zip(figures).map(|((name, _), us)| (*name, json!(us))).collect()
    };
    let inside = inside.as_ref().and_then(|inside| inside.as_ref().ok());
    let apart = inside.map(|inside| Apart::new(&outside.gateway, inside.tax, relay));
    json!({
        "gateway": gateway, "rate": rate, "connections": connections,
        "exchanges": outside.gateway.len(), "incomplete": outside.incomplete, "packets_lost": lost,
        "outside_request_us": quantiles(&outside.request),
        "outside_response_us": quantiles(&outside.response),
        "outside_gateway_us": quantiles(&outside.gateway),
        "outside_total_us": quantiles(&outside.total),
        "client_latency_us": quantiles(&load.corrected),
        "client_uncorrected_us": quantiles(&load.service),
        "relay_outside_gateway_us": quantiles(&relay.outside.gateway),
        "inside_exchanges": inside.map(|inside| inside.count),
        "inside_tax_us": inside.map(|inside| named(inside.tax)),
        "inside_total_us": inside.map(|inside| named(inside.total)),
        "outside_less_tax_us": apart.as_ref().map(|apart| named(apart.gateway)),
        "relay_outside_less_inside_us": apart.as_ref().map(|apart| named(apart.kernel)),
        "difference_left_us": apart.as_ref().map(|apart| named(apart.left)),
        "warnings": warnings(measured),
    })
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
        let kernel = Relayed { outside: seen(22), inside: times(10) };
        let apart = Apart::new(&times(50), [35.0; QUANTILES.len()], &kernel);
        for (found, expected) in [(apart.gateway, 15.0), (apart.kernel, 12.0), (apart.left, 3.0)] {
            assert!(found.iter().all(|us| (us - expected).abs() < 0.1), "{found:?} {expected}");
        }
    }

    #[test]
    fn agreement_is_of_the_median_and_the_99th_percentile() {
        for (p50, p99, agree) in [(4.9, -4.9, true), (5.1, 0.0, false), (0.0, -5.1, false)] {
            let said = verdict([p50, 99.0, p99, 99.0, 99.0]);
            assert_eq!(!said.contains("do not"), agree, "{said}");
        }
    }
}
