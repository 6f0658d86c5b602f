//! Wall-clock time as text, made once a second. The clock it reads is the one that the exchange was measured with: the
//! distance between the two is looked up a few times a second, not per line.

use tidegate_reactor::clock;

/// What was made of the last second.
pub(super) struct Stamps {
    /// Add this to the precise clock to have the time since 1970, in nanoseconds.
    distance_ns: u64,
    second: u64,
    rfc3339: [u8; 20],
    clf: [u8; 28],
    seconds: [u8; 10],
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) second: u64,
    pub(super) ms: u16,
}

impl Moment {
    /// Its milliseconds, in three digits.
    pub(super) fn digits(self) -> [u8; 3] {
        let digit = |value: u16| b'0' + (value % 10) as u8;
        [digit(self.ms / 100), digit(self.ms / 10), digit(self.ms)]
    }
}

impl Stamps {
    pub(super) fn new() -> Self {
        let mut stamps =
            Self { distance_ns: 0, second: u64::MAX, rfc3339: [0; 20], clf: [0; 28], seconds: [0; 10] };
        stamps.adjust();
        stamps
    }

    /// The wall clock may have been set.
    pub(super) fn adjust(&mut self) {
        self.distance_ns = (clock::wall().as_nanos() as u64).wrapping_sub(clock::precise_ns());
    }

    /// When the precise clock said this.
    pub(super) fn moment(&self, precise_ns: u64) -> Moment {
        let ms = self.distance_ns.wrapping_add(precise_ns) / 1_000_000;
        Moment { second: ms / 1_000, ms: (ms % 1_000) as u16 }
    }

    /// `2026-11-21T12:01:02.`: RFC 3339 up to the fraction.
    pub(super) fn rfc3339(&mut self, moment: Moment) -> &[u8; 20] {
        self.renew(moment.second);
        &self.rfc3339
    }

    /// `[21/Nov/2026:12:01:02 +0000]`, as Apache's `%t`.
    pub(super) fn clf(&mut self, moment: Moment) -> &[u8; 28] {
        self.renew(moment.second);
        &self.clf
    }

    /// Seconds since 1970 in ten digits, which last until the year 2286.
    pub(super) fn seconds(&mut self, moment: Moment) -> &[u8; 10] {
        self.renew(moment.second);
        &self.seconds
    }

    fn renew(&mut self, second: u64) {
        if self.second != second {
            self.second = second;
            self.make();
        }
    }

    #[cold]
    fn make(&mut self) {
        const MONTHS: [&[u8; 3]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let mut rest = self.second;
        for digit in self.seconds.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let (year, month, day) = date(self.second / 86_400);
        let of_day = self.second % 86_400;
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let two = |number: u64| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
        let (high, low) = (two(year / 100), two(year));
        self.rfc3339 = *b"0000-00-00T00:00:00.";
        self.clf = *b"[00/Jan/0000:00:00:00 +0000]";
        for (at, digits) in [(0, high), (2, low), (5, two(month)), (8, two(day))] {
            self.rfc3339[at..at + 2].copy_from_slice(&digits);
        }
        for (at, digits) in [(1, two(day)), (8, high), (10, low)] {
            self.clf[at..at + 2].copy_from_slice(&digits);
        }
        self.clf[4..7].copy_from_slice(MONTHS[(month as usize - 1) % 12]);
        for (at, number) in [(11, hour), (14, minute), (17, second)] {
            self.rfc3339[at..at + 2].copy_from_slice(&two(number));
            self.clf[at + 2..at + 4].copy_from_slice(&two(number));
        }
    }
}

/// Year, month and day of a number of days since 1970, by Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_utc() {
        let mut stamps = Stamps::new();
        for (second, rfc3339, clf) in [
            (0, "1970-01-01T00:00:00.", "[01/Jan/1970:00:00:00 +0000]"),
            (951_782_400, "2000-02-29T00:00:00.", "[29/Feb/2000:00:00:00 +0000]"),
            (1_795_262_462, "2026-11-21T12:01:02.", "[21/Nov/2026:12:01:02 +0000]"),
            (1_798_761_599, "2026-12-31T23:59:59.", "[31/Dec/2026:23:59:59 +0000]"),
        ] {
            let moment = Moment { second, ms: 0 };
            assert_eq!(stamps.rfc3339(moment), rfc3339.as_bytes());
            assert_eq!(stamps.clf(moment), clf.as_bytes());
        }
    }

    #[test]
    fn a_moment_is_the_wall_clocks() {
        let stamps = Stamps::new();
        let moment = stamps.moment(clock::precise_ns());
        let ms = moment.second * 1_000 + u64::from(moment.ms);
        assert!(ms.abs_diff(clock::wall().as_millis() as u64) < 1_000, "{moment:?}");
    }
}
