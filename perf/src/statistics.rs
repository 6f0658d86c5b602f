//! Medians, spreads and paired ratios. An empty set has no figure, and none is made up for it.

/// Median with the extremes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// The spread of some values.
pub(crate) fn spread(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median =
        if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
    Some(Spread { median, min, max })
}

/// The spread of `ours / theirs`, round by round: what disturbs a round disturbs both, and cancels.
pub(crate) fn paired(ours: &[f64], theirs: &[f64]) -> Option<Spread> {
    spread(ours.iter().zip(theirs).filter(|(_, theirs)| **theirs > 0.0).map(|(ours, theirs)| ours / theirs))
}

/// The spread of `ours - theirs`, round by round.
pub(crate) fn differences(ours: &[f64], theirs: &[f64]) -> Option<Spread> {
    spread(ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        let of = |values: &[f64]| spread(values.iter().copied()).map(|s| (s.median, s.min, s.max));
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some((3.0, 3.0, 3.0))),
            (&[9.0, 1.0, 2.0], Some((2.0, 1.0, 9.0))),
            (&[4.0, 1.0, 2.0, 9.0], Some((3.0, 1.0, 9.0))),
        ] {
            assert_eq!(of(values), expected, "{values:?}");
        }
        // The second round was twice as slow for both: the ratio does not see it.
        let ratio = paired(&[8.0, 16.0, 9.0], &[10.0, 20.0, 10.0]).expect("pairs");
        assert_eq!((ratio.median, ratio.min, ratio.max), (0.8, 0.8, 0.9));
        assert_eq!(paired(&[1.0], &[0.0]), None);
        let difference = differences(&[8.0, 16.0, 9.5], &[7.0, 15.0, 9.0]).expect("pairs");
        assert_eq!((difference.median, difference.min, difference.max), (1.0, 0.5, 1.0));
        assert_eq!(differences(&[1.0], &[]), None);
    }
}
