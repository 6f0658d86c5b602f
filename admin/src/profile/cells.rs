//! Counts of times in log-linear cells, as HdrHistogram lays them out: so many equal steps for every doubling. What is
//! kept is sparse (cells that are not empty), what is added up is a window of counts that grows with what it sees.
//! Nothing here knows shards, phases or clocks.

use hdrhistogram::Histogram;

/// The finest step of the shards' histograms in nanoseconds, as a power of two; shorter times are all the same.
const UNIT_BITS: u32 = 6;

/// How many steps a doubling has, as a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fineness(u32);

impl Fineness {
    /// Exact to three decimal digits: what shards keep of all their exchanges.
    pub(crate) const THREE_DIGITS: Self = Self(10);
    /// Exact to two: what they keep of a row.
    pub(crate) const TWO_DIGITS: Self = Self(7);

    /// Decimal digits.
    pub(crate) fn digits(self) -> u8 {
        if self == Self::THREE_DIGITS { 3 } else { 2 }
    }

    /// The cell that a time in nanoseconds lies in.
    fn cell_of(self, ns: u64) -> u16 {
        let units = ns >> UNIT_BITS;
        let doubling = (units.max(1).ilog2()).saturating_sub(self.0);
        let at = (u64::from(doubling) << self.0) + (units >> doubling);
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    /// The shortest time in a cell and how many there are, in nanoseconds.
    fn span_of(self, cell: usize) -> (u64, u64) {
        let (cell, steps) = (cell as u64, 1u64 << self.0);
        let doubling = (cell >> self.0).saturating_sub(1);
        let lowest = (cell - doubling * steps) << doubling << UNIT_BITS;
        (lowest, 1 << doubling << UNIT_BITS)
    }

    /// The longest time in a cell.
    pub(crate) fn highest_in(self, cell: usize) -> u64 {
        let (lowest, width) = self.span_of(cell);
        lowest + width - 1
    }

    /// The time in the middle of a cell.
    pub(crate) fn middle_of(self, cell: usize) -> u64 {
        let (lowest, width) = self.span_of(cell);
        lowest + width / 2
    }
}

/// The cells of one histogram that are not empty, in order. Six bytes each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sparse {
    cells: Box<[u16]>,
    counts: Box<[u32]>,
}

impl Sparse {
    /// What a histogram has counted.
    pub(crate) fn of(histogram: &Histogram<u32>, fineness: Fineness) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let (mut cells, mut counts) = (Vec::new(), Vec::new());
        for value in histogram.iter_recorded() {
            let cell = fineness.cell_of(histogram.median_equivalent(value.value_iterated_to()));
            let count = value.count_at_value();
            match counts.last_mut() {
                // A finer histogram has many of its cells in one of ours.
                Some(last) if cells.last() == Some(&cell) => *last = u32::saturating_add(*last, count),
                _ => {
                    cells.push(cell);
                    counts.push(count);
                }
            }
        }
        Self { cells: cells.into(), counts: counts.into() }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.cells.len() * size_of::<u16>() + self.counts.len() * size_of::<u32>()
    }

    /// Cells and their counts.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.cells.iter().zip(&self.counts).map(|(cell, count)| (usize::from(*cell), u64::from(*count)))
    }
}

/// A sum of many.
#[derive(Debug, Clone)]
pub(crate) struct Sum {
    fineness: Fineness,
    /// The cell of the first count.
    first: usize,
    counts: Vec<u64>,
    count: u64,
}

impl Sum {
    pub(crate) fn new(fineness: Fineness) -> Self {
        Self { fineness, first: 0, counts: Vec::new(), count: 0 }
    }

    pub(crate) fn fineness(&self) -> Fineness {
        self.fineness
    }

    /// Adds what has the same fineness.
    pub(crate) fn add(&mut self, more: &Sparse) {
        let (Some(first), Some(last)) = (more.cells.first(), more.cells.last()) else { return };
        self.reach(usize::from(*first), usize::from(*last));
        for (cell, count) in more.filled() {
            self.counts[cell - self.first] += count;
            self.count += count;
        }
    }

    /// Makes the window hold these cells and those between them.
    fn reach(&mut self, first: usize, last: usize) {
        if self.counts.is_empty() {
            self.first = first;
        }
        if first < self.first {
            self.counts.splice(0..0, std::iter::repeat_n(0, self.first - first));
            self.first = first;
        }
        let length = last + 1 - self.first;
        if self.counts.len() < length {
            self.counts.resize(length, 0);
        }
    }

    /// Times counted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Cells that are not empty, with their counts, in order.
    pub(crate) fn filled(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        let cells = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        cells.map(|(at, count)| (self.first + at, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As `tidegate_snapshot::Times` makes them.
    fn histogram(digits: u8, times: &[u64]) -> Histogram<u32> {
        let mut histogram = Histogram::new_with_bounds(64, 600_000_000_000, digits).expect("bounds");
        times.iter().for_each(|ns| histogram.saturating_record(*ns));
        histogram
    }

    #[test]
    fn cells_are_those_of_the_histograms() {
        for (digits, fineness) in [(3, Fineness::THREE_DIGITS), (2, Fineness::TWO_DIGITS)] {
            let histogram = histogram(digits, &[]);
            let exact = (0..40).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + (1 << bit) / 3]);
            for ns in exact.filter(|ns| *ns < 600_000_000_000) {
                let cell = usize::from(fineness.cell_of(ns));
                assert_eq!(fineness.highest_in(cell), histogram.highest_equivalent(ns), "{ns} {digits}");
                assert_eq!(fineness.middle_of(cell), histogram.median_equivalent(ns), "{ns} {digits}");
                let next = usize::from(fineness.cell_of(histogram.next_non_equivalent(ns)));
                assert_eq!(next, cell + 1, "{ns} {digits}: cells are next to each other");
            }
            assert!(fineness.cell_of(600_000_000_000) < u16::MAX, "the longest time has a cell");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_sum_of_parts_is_the_whole(
            parts in proptest::collection::vec(proptest::collection::vec(0u64..600_000_000_000, 0..50), 0..8),
        ) {
            for (digits, fineness) in [(3, Fineness::THREE_DIGITS), (2, Fineness::TWO_DIGITS)] {
                let mut sum = Sum::new(fineness);
                for part in &parts {
                    sum.add(&Sparse::of(&histogram(digits, part), fineness));
                }
                let whole = Sparse::of(&histogram(digits, &parts.concat()), fineness);
                prop_assert_eq!(sum.filled().collect::<Vec<_>>(), whole.filled().collect::<Vec<_>>());
                prop_assert_eq!(sum.count(), parts.concat().len() as u64);
            }
        }

        #[test]
        fn what_was_finer_falls_into_the_right_cells(times in proptest::collection::vec(64u64..600_000_000_000, 1..60)) {
            let coarse = Sparse::of(&histogram(3, &times), Fineness::TWO_DIGITS);
            let exact = Sparse::of(&histogram(2, &times), Fineness::TWO_DIGITS);
            prop_assert_eq!(coarse.filled().collect::<Vec<_>>(), exact.filled().collect::<Vec<_>>());
        }
    }
}
