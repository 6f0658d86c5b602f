//! Times of documents as text: RFC 3339 in UTC with milliseconds, from the proposer's clock that the change carries.
//! It never asks a clock itself.

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// `at_ms` (milliseconds since 1970-01-01T00:00:00Z) as RFC 3339 text, `2026-03-01T12:00:00.000Z`. Times past the year
/// 9999, which RFC 3339 cannot say, become its last millisecond.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    const LAST: u64 = 253_402_300_799_999;
    let at_ms = at_ms.min(LAST);
    let (days, ms) = (at_ms / DAY_MS, at_ms % DAY_MS);
    // Civil date from a day count (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"), for years from 1970.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn known_times() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_208_000_123, "2024-02-29T12:00:00.123Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }
}
