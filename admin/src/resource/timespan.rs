//! Durations as users write them: Go strings (`50ms`, `1m30s`) or whole nanoseconds; always answered as the string Go
//! would print. Never negative, never a float.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

/// What the JSON Schema calls the format of a duration's text.
pub(crate) const FORMAT: &str = "go-duration";

/// What is said about text that is no duration.
pub(crate) const WANTED: &str = "is not a duration: write '50ms', '1.5s' or '1m30s', or whole nanoseconds";

/// Nanoseconds of each unit that Go knows.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration from the API or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timespan(pub Duration);

impl Timespan {
    /// From milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl FromStr for Timespan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || WANTED.to_owned();
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let (digits, behind) = rest.split_at(number);
            let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
            let (unit, behind) = behind.split_at(end);
            let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            total = total.saturating_add(amount(digits, scale).ok_or_else(wrong)?);
            rest = behind;
        }
        u64::try_from(total).map(|ns| Self(Duration::from_nanos(ns))).map_err(|_| wrong())
    }
}

/// `digits` (with at most one point) times `scale`, in nanoseconds.
fn amount(digits: &str, scale: u64) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || whole.len() > 20 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut part = u128::from(scale);
    let mut sum = whole * part;
    for digit in fraction.bytes().take(15) {
        sum += u128::from(digit - b'0') * part / 10;
        part /= 10;
    }
    Some(sum)
}

/// As Go's `Duration.String` prints it.
impl std::fmt::Display for Timespan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ns = self.0.as_nanos();
        let decimal = |value: u128, scale: u128| {
            let text =
                format!("{}.{:0width$}", value / scale, value % scale, width = scale.ilog10() as usize);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match ns {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{ns}ns"),
            1_000..1_000_000 => write!(f, "{}µs", decimal(ns, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", decimal(ns, 1_000_000)),
            _ => {
                let (minutes, seconds) = (ns / 60_000_000_000, ns % 60_000_000_000);
                let (hours, minutes) = (minutes / 60, minutes % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", decimal(seconds, 1_000_000_000))
            }
        }
    }
}

impl Serialize for Timespan {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timespan {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Timespan;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a duration such as '50ms', or whole nanoseconds")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timespan, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, ns: u64) -> Result<Timespan, E> {
                Ok(Timespan(Duration::from_nanos(ns)))
            }
            fn visit_i64<E: serde::de::Error>(self, ns: i64) -> Result<Timespan, E> {
                u64::try_from(ns).map_err(|_| E::custom(WANTED)).and_then(|ns| self.visit_u64(ns))
            }
        }
        d.deserialize_any(Visitor)
    }
}

impl JsonSchema for Timespan {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Timespan".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": FORMAT, "minimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_strings_in_and_out() {
        for (text, canonical) in [
            ("0", "0s"),
            ("50ms", "50ms"),
            ("1m30s", "1m30s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            (".5s", "500ms"),
            ("1500us", "1.5ms"),
            ("2µs", "2µs"),
            ("7ns", "7ns"),
            ("2h", "2h0m0s"),
            ("1h0.25s", "1h0m0.25s"),
            ("+3s", "3s"),
        ] {
            let parsed: Timespan = text.parse().expect(text);
            assert_eq!(parsed.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse::<Timespan>(), Ok(parsed), "{canonical}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in
            ["", "5", "-5s", "s", "5 s", "5sec", "1..5s", ".s", "1s5", "99999999999999h", "ms50", "1e3s"]
        {
            assert!(text.parse::<Timespan>().is_err(), "{text}");
        }
    }

    #[test]
    fn integers_are_nanoseconds() {
        let read = |json: &str| serde_json::from_str::<Timespan>(json).ok();
        assert_eq!(read("1000000"), Some(Timespan::from_millis(1)));
        assert_eq!(read("\"1ms\""), Some(Timespan::from_millis(1)));
        assert_eq!(read("-1"), None);
        assert_eq!(read("1.5"), None);
    }
}
