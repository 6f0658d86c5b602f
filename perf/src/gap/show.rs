//! What was measured from outside, as a table and as JSON, with what the figures hold and what they do not.

use super::inside::{Figures, Inside};
use super::{Measured, Round};
use crate::pace::QUANTILES;
use crate::statistics::spread;
use crate::table::align;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::fmt::Write;

/// What the figures are of, for whoever compares them.
const OUTSIDE: &str = "\
outside: from the kernel's stamp of a packet that arrives to that of the packet that leaves, on the loopback device
";
const STAMPED: &str = "\
inside: the gateway's own histograms (--arrival-stamps), from the kernel's stamp of what it read to where the kernel had
what it sent. They tell two digits apart: from 0.7 ms on, a cell of theirs is wider than 4 µs
";
const UNSTAMPED: &str = "\
inside: the gateway's own histograms, from where the shard came to what had arrived; the wait until then, which outside
has, is missing for the request and for the response. With --arrival-stamps, without which this was run, it is not
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
    let all: [(&str, &str, bool, Figure); 12] = [
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
            Some(figures(&r.relay.gateway))
        }),
        ("more_than_relay_us", "more than the relay", true, |r| {
            Some(less(figures(&r.outside.gateway), figures(&r.relay.gateway)))
        }),
        (TAX, "inside: tax, the gateway's time", false, |r| Some(said(r)?.tax)),
        (TOTAL, "inside: total", false, |r| Some(said(r)?.total)),
        (TAX_APART, "the gateway's time, outside - inside", true, |r| {
            Some(less(figures(&r.outside.gateway), said(r)?.tax))
        }),
        (TOTAL_APART, "the total, outside - inside", true, |r| {
            Some(less(figures(&r.outside.total), said(r)?.total))
        }),
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

/// Keys of the rows that the verdict is about.
const TAX: &str = "inside_tax_us";
const TOTAL: &str = "inside_total_us";
const TAX_APART: &str = "gateway_outside_less_inside_us";
const TOTAL_APART: &str = "total_outside_less_inside_us";

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
    let Measured { gateway, machine, stamped, rate, connections, rounds } = measured;
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
    let verdict = verdict(&found, is_disturbed(rounds));
    if let Some(verdict) = &verdict {
        let _ = writeln!(text, "  {}", verdict.words);
    }
    for warning in warnings(rounds) {
        let _ = writeln!(text, "  ! {warning}");
    }
    text.push_str(OUTSIDE);
    if verdict.is_some() {
        text.push_str(if *stamped { STAMPED } else { UNSTAMPED });
    }
    let _ = writeln!(text, "{}", machine.line());
    text
}

fn figures(times: &Histogram<u64>) -> Figures {
    QUANTILES.map(|(_, quantile)| times.value_at_quantile(quantile) as f64 / 1e3)
}

fn less(mut ours: Figures, theirs: Figures) -> Figures {
    ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours -= theirs);
    ours
}

/// Whether inside and outside are the same.
struct Verdict {
    /// Within [`AGREED_US`], at the median and the 99th percentile, the gateway's time and the total.
    agree: bool,
    words: String,
}

/// None where the gateway has told nothing. A load that was late in most rounds has no say: the machine was busy then, and
/// the two sides count other exchanges.
fn verdict(rows: &[Row], is_disturbed: bool) -> Option<Verdict> {
    let of = |key: &str| rows.iter().find(|row| row.key == key).map(Row::median);
    let at = |figures: Figures, name: &str| {
        QUANTILES.iter().position(|(known, _)| *known == name).map_or(f64::NAN, |at| figures[at])
    };
    let mut parts = Vec::new();
    let (mut agree, mut within_cells, mut widest_us) = (true, true, 0.0_f64);
    for (what, apart, inside) in [("the gateway's time", TAX_APART, TAX), ("the total", TOTAL_APART, TOTAL)] {
        let (apart, inside) = (of(apart)?, of(inside)?);
        for name in ["p50", "p99"] {
            let (off, cell_us) = (at(apart, name), cell_us(at(inside, name)));
            agree &= off.abs() <= AGREED_US;
            within_cells &= off.abs() <= AGREED_US.max(cell_us);
            widest_us = widest_us.max(cell_us);
        }
        parts.push(format!("{what} p50 {:+.1} µs, p99 {:+.1} µs", at(apart, "p50"), at(apart, "p99")));
    }
    let how = match (agree, within_cells) {
        (true, _) => format!("agree within {AGREED_US:.0} µs"),
        (false, _) if is_disturbed => "cannot be compared, since the load was late itself".into(),
        (false, true) => format!("agree within a cell of the gateway's histograms ({widest_us:.0} µs)"),
        (false, false) => format!("do not agree within {AGREED_US:.0} µs"),
    };
    let words = format!("inside and outside {how}: {} (outside - inside)", parts.join("; "));
    Some(Verdict { agree, words })
}

/// Whether the load did not keep its word in most rounds.
fn is_disturbed(rounds: &[Round]) -> bool {
    2 * rounds.iter().filter(|round| round.load.late()).count() > rounds.len()
}

/// How wide the cell of the gateway's histograms is that a time falls in: they have 128 to a doubling.
fn cell_us(us: f64) -> f64 {
    2_f64.powf((us * 1e3).max(1.0).log2().floor()) / 128.0 / 1e3
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
    let Measured { gateway, machine, stamped, rate, connections, rounds } = measured;
    let named = |figures: Figures| -> Value {
        QUANTILES.iter().zip(figures).map(|((name, _), us)| (*name, json!(us))).collect()
    };
    let (whole, incomplete) = seen(rounds);
    let mut value = json!({
        "gateway": gateway, "rate": rate, "connections": connections, "exchanges": whole,
        "incomplete": incomplete, "warnings": warnings(rounds), "machine": machine.json(),
        "arrival_stamps": stamped,
    });
    let found = rows(rounds);
    if let Some(verdict) = verdict(&found, is_disturbed(rounds)) {
        value["agree"] = json!(verdict.agree);
        value["verdict"] = json!(verdict.words);
    }
    for row in found {
        let each: Vec<Value> = row.rounds.iter().copied().map(named).collect();
        value[row.key] = json!({"median": named(row.median()), "rounds": each});
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_round_of_three_does_not_show() {
        let round = |us: f64| [us; QUANTILES.len()];
        let row = Row {
            key: TAX_APART,
            name: "x",
            signed: true,
            rounds: vec![round(1.0), round(900.0), round(2.0)],
        };
        assert_eq!(row.median(), round(2.0));
        assert_eq!(row.cells()[..2], ["x".to_owned(), "+2.0".to_owned()]);
        assert!(rows(&[]).is_empty());
    }

    #[test]
    fn agreement_is_of_the_median_and_the_99th_percentile_of_both() {
        let row = |key, p50, p99| Row {
            key,
            name: "x",
            signed: true,
            rounds: vec![QUANTILES.map(|(name, _)| match name {
                "p50" => p50,
                "p99" => p99,
                _ => 1e6,
            })],
        };
        let check = |tax: [f64; 2], total: [f64; 2], inside_us, agree: bool, says: &str| {
            let rows = [
                row(TAX_APART, tax[0], tax[1]),
                row(TOTAL_APART, total[0], total[1]),
                row(TAX, 50.0, 90.0),
                row(TOTAL, 100.0, inside_us),
            ];
            let verdict = super::verdict(&rows, false).expect("figures");
            let disturbed = super::verdict(&rows, true).expect("figures");
            assert_eq!((disturbed.agree, disturbed.words.contains("cannot be compared")), (agree, !agree));
            assert_eq!((verdict.agree, verdict.words.contains(says)), (agree, true), "{}", verdict.words);
        };
        check(
            [4.9, -4.9],
            [1.0, -1.0],
            200.0,
            true,
            "agree within 5 µs: the gateway's time p50 +4.9 µs, p99 -4.9",
        );
        check([5.1, 0.0], [1.0, -1.0], 200.0, false, "do not agree within 5 µs");
        check([1.0, 0.0], [1.0, -5.1], 200.0, false, "do not agree within 5 µs");
        check(
            [1.0, 0.0],
            [1.0, -15.0],
            2_800.0,
            false,
            "agree within a cell of the gateway's histograms (16 µs)",
        );
        assert!(verdict(&[row(TAX_APART, 1.0, 1.0)], false).is_none());
        assert!((cell_us(640.0) - 4.096).abs() < 1e-9);
    }
}
