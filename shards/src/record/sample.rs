//! Which exchanges leave a line. The answer comes from a counter alone: no clock and no random number, and as even over any
//! stretch of requests as can be.

/// A share of all, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Out of 2^32.
    share: u64,
    /// As a number, for the line.
    text: Box<str>,
}

impl Rate {
    /// All of them.
    pub fn all() -> Self {
        Self { share: 1 << 32, text: "1".into() }
    }

    /// `1%`, `0.5%` or `0.01`.
    ///
    /// # Errors
    /// What is neither, or no share.
    pub fn parse(text: &str) -> Result<Self, String> {
        let why = || format!("'{text}' is no share: write 1%, 0.5% or 0.01");
        let (number, parts) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
        let share = number.parse::<f64>().map_err(|_| why())? / parts;
        if !(0.0..=1.0).contains(&share) {
            return Err(why());
        }
        Ok(Self { share: (share * 2f64.powi(32)).round() as u64, text: format!("{share}").into() })
    }

    /// Its number as text, unless it is everything.
    pub(super) fn text(&self) -> Option<&str> {
        (self.share < 1 << 32).then_some(&*self.text)
    }
}

/// How many exchanges are recorded.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// Of those that went well.
    pub all: Rate,
    /// Of the others.
    pub errors: Rate,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { all: Rate::all(), errors: Rate::all() }
    }
}

/// One for each rate, so that neither disturbs the other's evenness.
#[derive(Clone, Copy, Default)]
pub(super) struct Turn(u64);

impl Turn {
    /// Whether the next one is taken. Steps of the golden ratio fall evenly into any interval, and meet no period that a
    /// client's requests have.
    pub(super) fn takes(&mut self, rate: &Rate) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0 >> 32 < rate.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, expected) in [
            ("1%", Some(42_949_673)),
            ("0.5%", Some(21_474_836)),
            ("0.25", Some(1 << 30)),
            ("100%", Some(1 << 32)),
            ("1", Some(1 << 32)),
            ("0", Some(0)),
            ("101%", None),
            ("-1%", None),
            ("NaN", None),
            ("", None),
            ("some", None),
        ] {
            assert_eq!(Rate::parse(text).ok().map(|rate| rate.share), expected, "{text}");
        }
        assert_eq!(Rate::parse("1%").expect("a rate").text(), Some("0.01"));
        assert_eq!(Rate::parse("100%").expect("a rate").text(), None);
    }

    #[test]
    fn any_stretch_has_its_share() {
        for (text, per) in [("1%", 0.01), ("25%", 0.25), ("0%", 0.0), ("100%", 1.0)] {
            let (rate, mut turn) = (Rate::parse(text).expect("a rate"), Turn::default());
            for _ in 0..50 {
                // Every second request of an alternating client, too.
                let odd = (0..2_000).filter(|at| turn.takes(&rate) && at % 2 == 1).count() as f64;
                assert!((odd - 1_000.0 * per).abs() <= 5.0, "{text}: {odd}");
            }
        }
    }
}
