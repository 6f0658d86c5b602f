//! What was measured from outside, as a table and as JSON, with what the figures hold and what they do not.

use super::Measured;
use crate::pace::{QUANTILES, quantiles};
use crate::table::align;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write;

/// What the figures are of, for whoever compares them.
const MEANING: &str = "\
outside: from the time stamp of a packet that arrives to that of the packet that leaves, for the request and for the
response; both are made where the kernel hands packets from one end of the loopback device to the other, so that each
leg holds waking the gateway, its work, and the sending kernel's work up to the hand-over
";

/// For people.
pub(crate) fn table(measured: &Measured) -> String {
    let Measured { gateway, rate, connections, load, outside, .. } = measured;
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
    let rows = [
        head,
        row("outside: request in to request out", &outside.request),
        row("outside: response in to response out", &outside.response),
        row("outside: both, the gateway's time", &outside.gateway),
        row("outside: request in to response out", &outside.total),
        row("the client, from when it was due", &load.corrected),
        row("the client, from when it was sent", &load.service),
    ];
    align(&mut text, &rows);
    for warning in warnings(measured) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push_str(MEANING);
    text
}

fn warnings(measured: &Measured) -> Vec<String> {
    let mut warnings = measured.load.warnings();
    if measured.lost > 0 {
        warnings.push(format!("{} packets were not captured for want of room", measured.lost));
    }
    warnings
}

/// For programs. Times in microseconds.
pub(crate) fn json(measured: &Measured) -> Value {
    let Measured { gateway, rate, connections, load, outside, lost } = measured;
    json!({
        "gateway": gateway, "rate": rate, "connections": connections,
        "exchanges": outside.gateway.len(), "incomplete": outside.incomplete, "packets_lost": lost,
        "outside_request_us": quantiles(&outside.request),
        "outside_response_us": quantiles(&outside.response),
        "outside_gateway_us": quantiles(&outside.gateway),
        "outside_total_us": quantiles(&outside.total),
        "client_latency_us": quantiles(&load.corrected),
        "client_uncorrected_us": quantiles(&load.service),
        "warnings": warnings(measured),
    })
}
