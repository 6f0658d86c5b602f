//! The phases of exchanges as histograms for Prometheus, from the same intervals as the latency profile.

use super::functions::seconds;
use super::text::Exposition;
use crate::profile::{BOUNDS, Book};
use tidegate_snapshot::Phase;

const PHASE: &str = "tidegate_phase_seconds";
const ROWS: &str = "tidegate_profile_rows";
const REFUSED: &str = "tidegate_profile_rows_refused_total";

/// All of it.
pub(super) fn render(out: &mut Exposition, book: &Book) {
    let bounds = BOUNDS.map(|(bound, _)| bound);
    out.family(
        PHASE,
        "histogram",
        "Where the time of exchanges went: all of it, the gateway's own (tax), modules, the upstream's, waits for others.",
    );
    for (shard, sums) in book.sums() {
        let shard = shard.to_string();
        for (phase, buckets) in Phase::ALL.iter().zip(&sums.phases) {
            let labels = [("shard", shard.as_str()), ("phase", phase.name())];
            out.histogram(PHASE, &labels, &bounds, buckets.up_to(), &seconds(buckets.sum_ns));
        }
    }
    out.family(ROWS, "gauge", "Rows by route, service and module in the newest interval of the profile.");
    for (shard, sums) in book.sums() {
        out.count(ROWS, &[("shard", &shard.to_string())], sums.rows);
    }
    out.family(REFUSED, "counter", "Exchanges that found no room for a row of the profile.");
    for (shard, sums) in book.sums() {
        out.count(REFUSED, &[("shard", &shard.to_string())], sums.rows_refused);
    }
}
