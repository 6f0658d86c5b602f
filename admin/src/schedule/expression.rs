//! When a job is due: five fields of cron, `@every` with a duration, or a word like `@daily`. Pure: it is given every
//! time that it answers from, and reads no clock.

use crate::resource::Timespan;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// The shortest distance of `@every`.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest: the times of a longer one could not be told from those of none.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Words and the fields they stand for.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A time to ask from when nobody said one: 2024-01-01T00:00:00Z, milliseconds since the epoch.
const SOME_TIME_MS: u64 = 1_704_067_200_000;

/// A parsed expression. Times are milliseconds since the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Expression(Timing);

#[derive(Debug, Clone)]
enum Timing {
    /// Every so many milliseconds, counted from the epoch: so all nodes, and a node before and after it was started
    /// again, agree on the times.
    Every(u64),
    /// The fields hold on the clocks of that zone.
    Fields(Box<Cron>, TimeZone),
}

/// What of a job is wrong, with a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpressionFault {
    /// The expression.
    Cron(String),
    /// The time zone.
    Timezone(String),
}

impl Expression {
    /// Reads an expression. Fields are those of UTC unless `timezone` names another zone.
    pub(crate) fn parse(text: &str, timezone: Option<&str>) -> Result<Self, ExpressionFault> {
        let text = text.trim();
        if let Some(every) = word(text, "@every") {
            if timezone.is_some() {
                let why = "@every has no use for a time zone: take it away";
                return Err(ExpressionFault::Timezone(why.into()));
            }
            return self::every(every).map(|ms| Self(Timing::Every(ms))).map_err(ExpressionFault::Cron);
        }
        let fields = match word(text, "@cron") {
            Some(fields) => fields,
            None if text.starts_with('@') => named(text).map_err(ExpressionFault::Cron)?,
            None => text,
        };
        let zone = match timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                ExpressionFault::Timezone(format!(
                    "there is no time zone '{name}': write a name like 'Europe/Berlin'"
                ))
            })?,
        };
        let cron = self::fields(fields).map_err(ExpressionFault::Cron)?;
        let expression = Self(Timing::Fields(Box::new(cron), zone));
        match expression.next_after(SOME_TIME_MS) {
            Some(_) => Ok(expression),
            None => Err(ExpressionFault::Cron(format!("'{text}' is a time that never comes"))),
        }
    }

    /// The first time after `ms`; `None` if there is none any more.
    pub(crate) fn next_after(&self, ms: u64) -> Option<u64> {
        match &self.0 {
            Timing::Every(every) => (ms / every + 1).checked_mul(*every),
            Timing::Fields(cron, zone) => {
                let from = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?.to_zoned(zone.clone());
                let next = cron.find_next_occurrence(&from, false).ok()?;
                u64::try_from(next.timestamp().as_millisecond()).ok()
            }
        }
    }

    /// The last time that is not later than `ms`.
    pub(crate) fn last_until(&self, ms: u64) -> Option<u64> {
        match &self.0 {
            Timing::Every(every) => Some(ms / every * every),
            Timing::Fields(cron, zone) => {
                let from = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?.to_zoned(zone.clone());
                let last = cron.find_previous_occurrence(&from, true).ok()?;
                u64::try_from(last.timestamp().as_millisecond()).ok()
            }
        }
    }
}

/// What follows a word and a space.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

fn every(text: &str) -> Result<u64, String> {
    let wanted = "write '@every 30s', '@every 1m30s' or '@every 12h'";
    let Ok(Timespan(span)) = text.parse::<Timespan>() else {
        return Err(format!("'@every {text}' has no duration: {wanted}"));
    };
    if span < SHORTEST || span > LONGEST {
        return Err(format!("'@every {text}' is not between 1s and 8784h: {wanted}"));
    }
    match (span.as_millis() as u64, span.subsec_nanos() % 1_000_000) {
        (ms, 0) => Ok(ms),
        _ => Err(format!("'@every {text}' is no whole number of milliseconds: {wanted}")),
    }
}

fn named(text: &str) -> Result<&'static str, String> {
    WORDS.into_iter().find(|(name, _)| *name == text).map(|(_, fields)| fields).ok_or_else(|| {
        format!(
            "'{text}' is unknown: write five fields, '@every 1m', '@hourly', '@daily', '@weekly', '@monthly' or '@yearly'"
        )
    })
}

fn fields(text: &str) -> Result<Cron, String> {
    let count = text.split_whitespace().count();
    if count != 5 {
        return Err(format!(
            "'{text}' has {count} fields, and five are wanted: minute, hour, day of the month, month, day of the week"
        ));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| format!("'{text}' is no cron expression: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().expect("a time").as_millisecond()).expect("after the epoch")
    }

    fn show(ms: Option<u64>) -> String {
        ms.map_or("never".into(), |ms| Timestamp::from_millisecond(ms as i64).expect("a time").to_string())
    }

    /// The times after `from`.
    fn check(text: &str, zone: Option<&str>, from: &str, expected: &[&str]) {
        let expression = Expression::parse(text, zone).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        let mut at = ms(from);
        for expected in expected {
            let next = expression.next_after(at);
            assert_eq!(show(next), *expected, "{text} {zone:?} from {}", show(Some(at)));
            at = next.expect("a time");
            assert_eq!(expression.last_until(at), Some(at), "{text}: its own times are its last ones");
        }
    }

    #[test]
    fn the_next_time() {
        let monday = "2023-11-13T10:20:30.5Z";
        check("* * * * *", None, monday, &["2023-11-13T10:21:00Z", "2023-11-13T10:22:00Z"]);
        check(
            "*/15 * * * *",
            None,
            monday,
            &["2023-11-13T10:30:00Z", "2023-11-13T10:45:00Z", "2023-11-13T11:00:00Z"],
        );
        check("0 3 * * *", None, monday, &["2023-11-14T03:00:00Z", "2023-11-15T03:00:00Z"]);
        check("@cron 0 3 * * *", None, monday, &["2023-11-14T03:00:00Z"]);
        check(
            "30 9-17/4 * * MON-FRI",
            None,
            monday,
            &["2023-11-13T13:30:00Z", "2023-11-13T17:30:00Z", "2023-11-14T09:30:00Z"],
        );
        check("0 0 * * 7", None, monday, &["2023-11-19T00:00:00Z"]);
        check("0 0 * * sun", None, monday, &["2023-11-19T00:00:00Z"]);
        // Either of the two days, as cron has always done it.
        check(
            "0 0 15 * 2",
            None,
            monday,
            &["2023-11-14T00:00:00Z", "2023-11-15T00:00:00Z", "2023-11-21T00:00:00Z"],
        );
        check(
            "5,10 0 1 jan *",
            None,
            monday,
            &["2024-01-01T00:05:00Z", "2024-01-01T00:10:00Z", "2025-01-01T00:05:00Z"],
        );
        check("  0   3  *  *  * ", None, monday, &["2023-11-14T03:00:00Z"]);
    }

    #[test]
    fn words() {
        let from = "2023-11-13T10:20:30Z";
        check("@hourly", None, from, &["2023-11-13T11:00:00Z", "2023-11-13T12:00:00Z"]);
        check("@daily", None, from, &["2023-11-14T00:00:00Z", "2023-11-15T00:00:00Z"]);
        check("@midnight", None, from, &["2023-11-14T00:00:00Z"]);
        check("@weekly", None, from, &["2023-11-19T00:00:00Z", "2023-11-26T00:00:00Z"]);
        check("@monthly", None, from, &["2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"]);
        check("@yearly", None, from, &["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]);
        check("@annually", None, from, &["2024-01-01T00:00:00Z"]);
    }

    #[test]
    fn ends_of_months_and_leap_years() {
        check(
            "0 0 31 * *",
            None,
            "2023-11-13T00:00:00Z",
            &["2023-12-31T00:00:00Z", "2024-01-31T00:00:00Z", "2024-03-31T00:00:00Z"],
        );
        check(
            "0 0 L * *",
            None,
            "2023-11-13T00:00:00Z",
            &["2023-11-30T00:00:00Z", "2023-12-31T00:00:00Z", "2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z"],
        );
        check("0 0 29 2 *", None, "2023-11-13T00:00:00Z", &["2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"]);
        // 2100 is no leap year.
        check("0 0 29 2 *", None, "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
        check("59 23 31 12 *", None, "2023-12-31T23:59:00Z", &["2024-12-31T23:59:00Z"]);
    }

    #[test]
    fn every_counts_from_the_epoch() {
        check("@every 1s", None, "2023-11-13T10:20:30.2Z", &["2023-11-13T10:20:31Z", "2023-11-13T10:20:32Z"]);
        check("@every 1m", None, "2023-11-13T10:20:30Z", &["2023-11-13T10:21:00Z", "2023-11-13T10:22:00Z"]);
        check(
            "@every 1h30m",
            None,
            "2023-11-13T10:20:30Z",
            &["2023-11-13T10:30:00Z", "2023-11-13T12:00:00Z"],
        );
        check(
            "@every 1.5s",
            None,
            "2023-11-13T00:00:00Z",
            &["2023-11-13T00:00:01.5Z", "2023-11-13T00:00:03Z"],
        );
        let every = Expression::parse("@every 10s", None).expect("fine");
        assert_eq!(every.last_until(25_999), Some(20_000));
        assert_eq!(every.next_after(20_000), Some(30_000));
    }

    #[test]
    fn clocks_that_are_changed() {
        let berlin = Some("Europe/Berlin");
        check("0 3 * * *", berlin, "2023-11-13T10:00:00Z", &["2023-11-14T02:00:00Z"]);
        // On the last Sunday of March 02:00 becomes 03:00: what is due in between is due once, at its end.
        check(
            "30 2 * * *",
            berlin,
            "2024-03-30T12:00:00Z",
            &["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"],
        );
        // On the last Sunday of October 03:00 becomes 02:00: what is due at a set time is due once.
        check(
            "30 2 * * *",
            berlin,
            "2024-10-26T12:00:00Z",
            &["2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"],
        );
        // What is due every hour goes on being so.
        check(
            "0 * * * *",
            berlin,
            "2024-10-26T23:30:00Z",
            &["2024-10-27T00:00:00Z", "2024-10-27T01:00:00Z", "2024-10-27T02:00:00Z"],
        );
        check(
            "@daily",
            Some("America/New_York"),
            "2024-03-09T12:00:00Z",
            &["2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"],
        );
    }

    #[test]
    fn the_last_time() {
        for (text, until, expected) in [
            ("0 3 * * *", "2023-11-13T02:59:59Z", "2023-11-12T03:00:00Z"),
            ("0 3 * * *", "2023-11-13T03:00:00Z", "2023-11-13T03:00:00Z"),
            ("0 3 * * *", "2023-11-13T23:00:00.9Z", "2023-11-13T03:00:00Z"),
            ("@every 1m", "2023-11-13T23:00:59.9Z", "2023-11-13T23:00:00Z"),
            ("0 0 29 2 *", "2023-11-13T00:00:00Z", "2020-02-29T00:00:00Z"),
        ] {
            let expression = Expression::parse(text, None).expect("fine");
            assert_eq!(show(expression.last_until(ms(until))), expected, "{text} until {until}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, zone, at_zone, why) in [
            ("", None, false, "0 fields"),
            ("* * * *", None, false, "4 fields"),
            ("* * * * * *", None, false, "6 fields"),
            ("61 * * * *", None, false, "61 * * * *"),
            ("* 24 * * *", None, false, "no cron expression"),
            ("* * 0 * *", None, false, "no cron expression"),
            ("* * * 13 *", None, false, "no cron expression"),
            ("* * * * 8", None, false, "no cron expression"),
            ("*/0 * * * *", None, false, "no cron expression"),
            ("a * * * *", None, false, "no cron expression"),
            ("0 0 30 2 *", None, false, "never comes"),
            ("@reboot", None, false, "'@reboot' is unknown"),
            ("@Daily", None, false, "unknown"),
            ("@every", None, false, "no duration"),
            ("@every x", None, false, "no duration"),
            ("@every 1", None, false, "no duration"),
            ("@every 999ms", None, false, "not between 1s"),
            ("@every 0s", None, false, "not between 1s"),
            ("@every 9000h", None, false, "not between 1s"),
            ("@every 1.0000001s", None, false, "milliseconds"),
            ("@every -1m", None, false, "no duration"),
            ("@every1m", None, false, "unknown"),
            ("@daily", Some("Mars/Base"), true, "no time zone 'Mars/Base'"),
            ("@daily", Some(""), true, "no time zone"),
            ("@every 1m", Some("UTC"), true, "no use for a time zone"),
        ] {
            match Expression::parse(text, zone) {
                Err(ExpressionFault::Cron(told)) if !at_zone => assert!(told.contains(why), "{text}: {told}"),
                Err(ExpressionFault::Timezone(told)) if at_zone => {
                    assert!(told.contains(why), "{text}: {told}")
                }
                other => panic!("{text} {zone:?}: {other:?}"),
            }
        }
    }
}
