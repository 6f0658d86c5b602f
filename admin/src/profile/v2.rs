//! Histograms in the V2 compressed encoding of HdrHistogram, as text: what its libraries in other languages read. Values
//! are nanoseconds.

use super::cells::Sum;
use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

/// Bounds of the shards' histograms in nanoseconds.
const LOWEST_NS: u64 = 64;
const HIGHEST_NS: u64 = 600_000_000_000;

/// Base64 of the compressed encoding.
pub(super) fn encode(sum: &Sum) -> String {
    let fineness = sum.fineness();
    let mut histogram = Histogram::<u64>::new_with_bounds(LOWEST_NS, HIGHEST_NS, fineness.digits())
        .expect("bounds that are fixed and right");
    for (cell, count) in sum.filled() {
        histogram.saturating_record_n(fineness.middle_of(cell), count);
    }
    let mut bytes = Vec::new();
    // Into memory, of a histogram whose bounds the format can say.
    V2DeflateSerializer::new().serialize(&histogram, &mut bytes).expect("nothing can fail");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::cells::{Fineness, Sparse};
    use super::*;
    use hdrhistogram::serialization::Deserializer;

    #[test]
    fn others_read_what_was_counted() {
        for (digits, fineness) in [(3, Fineness::THREE_DIGITS), (2, Fineness::TWO_DIGITS)] {
            let mut recorded =
                Histogram::<u32>::new_with_bounds(LOWEST_NS, HIGHEST_NS, digits).expect("bounds");
            (0..5_000u64).for_each(|n| recorded.saturating_record(n * n * 1_000));
            let mut sum = Sum::new(fineness);
            sum.add(&Sparse::of(&recorded, fineness));
            let bytes = base64::engine::general_purpose::STANDARD.decode(encode(&sum)).expect("base64");
            let read: Histogram<u64> =
                Deserializer::new().deserialize(&mut &bytes[..]).expect("V2 compressed");
            assert_eq!((read.len(), read.sigfig(), read.max()), (5_000, digits, recorded.max()));
            assert_eq!(read.value_at_quantile(0.99), recorded.value_at_quantile(0.99));
        }
    }
}
