//! The axes of a percentile plot. Across: nines, so that every further digit of the percentile gets as much room as the one
//! before. Up: time, logarithmic. Both give a place between 0 and 1, and the ticks that belong to it.

/// Most nines that are shown: 99.9999 %.
const MOST_NINES: f64 = 6.0;

/// The axis of percentiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nines {
    /// Nines at its end, 1 to 6.
    end: f64,
}

impl Nines {
    /// As far as so many times tell something.
    pub(crate) fn of(count: u64) -> Self {
        Self { end: (count.max(1) as f64).log10().ceil().clamp(1.0, MOST_NINES) }
    }

    /// Where a share of all (0 to 1) lies.
    pub(crate) fn place(self, share: f64) -> f64 {
        let rest = (1.0 - share).max(10f64.powf(-self.end));
        (-rest.log10() / self.end).clamp(0.0, 1.0)
    }

    /// The share at a place.
    pub(crate) fn share(self, place: f64) -> f64 {
        1.0 - 10f64.powf(-self.end * place)
    }

    /// Places of the ticks with what stands there: 0 %, 50 %, 90 %, 99 % and so on.
    pub(crate) fn ticks(self) -> Vec<(f64, String)> {
        let mut ticks = vec![(0.0, "0%".to_owned())];
        // Half is worth a tick where there is room for it.
        if self.end <= 5.0 {
            ticks.push((self.place(0.5), "50%".to_owned()));
        }
        for nines in 1..=self.end as usize {
            let digits = "9".repeat(nines);
            let text = if nines <= 2 { format!("{digits:0<2}%") } else { format!("99.{}%", &digits[2..]) };
            ticks.push((nines as f64 / self.end, text));
        }
        ticks
    }
}

/// The axis of times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Powers of ten of a microsecond.
    from: f64,
    to: f64,
}

impl Times {
    /// From the shortest to the longest of them, out to the next of 1, 2 and 5; a decade at least.
    pub(crate) fn of(times_us: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0f64);
        for us in times_us.filter(|us| *us > 0.0) {
            (least, most) = (least.min(us), most.max(us));
        }
        if most == 0.0 {
            (least, most) = (1.0, 10.0);
        }
        let (from, mut to) = (round(least, false).log10(), round(most, true).log10());
        if to - from < 1.0 {
            to = from + 1.0;
        }
        Self { from, to }
    }

    /// Where a time lies.
    pub(crate) fn place(self, us: f64) -> f64 {
        ((us.max(1e-3).log10() - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    /// Places of the ticks, what stands there, and whether it is a decade.
    pub(crate) fn ticks(self) -> Vec<(f64, String, bool)> {
        let mut ticks = Vec::new();
        for decade in self.from.floor() as i32..=self.to.ceil() as i32 {
            for step in [1.0, 2.0, 5.0] {
                let us = step * 10f64.powi(decade);
                let at = us.log10();
                if at > self.from - 1e-9 && at < self.to + 1e-9 {
                    ticks.push((self.place(us), short(us), step == 1.0));
                }
            }
        }
        ticks
    }
}

/// The next of 1, 2, 5, 10, ... above or below.
fn round(us: f64, up: bool) -> f64 {
    let decade = 10f64.powf(us.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let fits = |step: &&f64| if up { **step >= us * (1.0 - 1e-9) } else { **step <= us * (1.0 + 1e-9) };
    let found = if up { steps.iter().find(fits) } else { steps.iter().rev().find(fits) };
    found.copied().unwrap_or(us)
}

/// A round time: `5µs`, `20ms`, `1s`.
fn short(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 0.999 => (us * 1e3, "ns"),
        us if us < 999.0 => (us, "µs"),
        us if us < 999_000.0 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{}{unit}", (value * 1e3).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nine_has_the_same_room() {
        let axis = Nines::of(100_000);
        for (share, place) in [(0.0, 0.0), (0.9, 0.2), (0.99, 0.4), (0.999, 0.6), (0.99999, 1.0), (1.0, 1.0)]
        {
            assert!((axis.place(share) - place).abs() < 1e-9, "{share}");
            assert!((axis.place(axis.share(place)) - place).abs() < 1e-9, "{place}");
        }
        let texts: Vec<String> = axis.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0%", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%"]);
        for (count, end) in [(0, 1.0), (1, 1.0), (10, 1.0), (11, 2.0), (1_000, 3.0), (u64::MAX, 6.0)] {
            assert_eq!(Nines::of(count).end, end, "{count}");
        }
    }

    #[test]
    fn times_are_logarithmic_with_round_ends() {
        for (times, ticks) in [
            (&[12.0, 480.0][..], &["10µs", "20µs", "50µs", "100µs", "200µs", "500µs"][..]),
            (&[1_000.0], &["1ms", "2ms", "5ms", "10ms"]),
            (&[0.128, 0.3], &["100ns", "200ns", "500ns", "1µs"]),
            (&[600_000.0, 3e6], &["500ms", "1s", "2s", "5s"]),
            (&[], &["1µs", "2µs", "5µs", "10µs"]),
            (&[0.0, 0.0], &["1µs", "2µs", "5µs", "10µs"]),
        ] {
            let axis = Times::of(times.iter().copied());
            let found: Vec<String> = axis.ticks().into_iter().map(|(_, text, _)| text).collect();
            assert_eq!(found, ticks, "{times:?}");
            let places: Vec<f64> = axis.ticks().into_iter().map(|(place, ..)| place).collect();
            assert!(places[0] == 0.0 && (places[places.len() - 1] - 1.0).abs() < 1e-9, "{places:?}");
        }
    }
}
