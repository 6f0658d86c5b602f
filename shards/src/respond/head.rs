//! Writing a response's head: the upstream's (or a module's) fields in their order and case, without what belongs to one
//! connection, and the framing that the body will really have.

use super::timing::Timing;
use crate::wire::{Output, via};
use std::cell::Cell;
use tidegate_codec::{FieldKind, ResponseHead, Version, encode};
use tidegate_reactor::clock;
use tidegate_snapshot::ProxySettings;

/// What of the request a response depends on.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// No body whatever the fields say.
    pub is_head: bool,
    /// The client's version.
    pub version: Version,
    /// Whether this connection goes on after the response.
    pub is_kept: bool,
}

impl Ask {
    /// For a request that could not be read.
    pub fn unreadable() -> Self {
        Self { is_head: false, version: Version::Http11, is_kept: false }
    }

    /// HTTP/1.0 clients cannot read chunks.
    pub fn knows_chunked(&self) -> bool {
        self.version == Version::Http11
    }
}

/// What the gateway adds.
pub struct Rules<'a> {
    /// Proxy-wide rules.
    pub settings: &'a ProxySettings,
    /// Leave the gateway's own fields out.
    pub is_hidden: bool,
    /// The response was made here: it gets a `Date`.
    pub is_ours: bool,
    /// Where the time went, where the client is told.
    pub timing: Option<Timing>,
}

/// How the body is delimited for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is no body; a length in the fields only announces (HEAD, 304).
    Announced,
    /// So many bytes.
    Length(u64),
    /// Chunked.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

/// RFC 9110 section 6.4.1: no content with 1xx, 204 and 304.
pub(super) fn may_have_body(status: u16) -> bool {
    !matches!(status, 100..=199 | 204 | 304)
}

/// Puts a head into an output's buffer.
pub(super) fn begin(
    output: &mut Output,
    head: &ResponseHead,
    framing: Framing,
    ask: &Ask,
    rules: &Rules<'_>,
) {
    let before = output.buffer.len();
    write(&mut output.buffer, head, framing, ask, rules);
    output.head_bytes = (output.buffer.len() - before) as u64;
}

pub(super) fn write(out: &mut Vec<u8>, head: &ResponseHead, framing: Framing, ask: &Ask, rules: &Rules<'_>) {
    let status = head.status();
    encode::status_line(out, status, head.reason());
    let is_bodiless = !may_have_body(status);
    let mut has_length = false;
    let mut has_date = false;
    for (kind, name, value) in head.fields.iter() {
        match kind {
            FieldKind::ContentLength => match framing {
                // RFC 9110 section 8.6: none with 1xx and 204.
                Framing::Announced | Framing::Length(_) if is_bodiless && status != 304 => {}
                Framing::Announced => encode::field(out, name, value),
                Framing::Length(length) if !has_length => {
                    has_length = true;
                    encode::field_u64(out, name, length);
                }
                _ => {}
            },
            FieldKind::Date => {
                has_date = true;
                encode::field(out, name, value);
            }
            kind if kind.is_hop_by_hop() => {}
            _ => encode::field(out, name, value),
        }
    }
    match framing {
        Framing::Length(length) if !has_length && !is_bodiless => {
            encode::field_u64(out, b"Content-Length", length)
        }
        Framing::Chunked if !is_bodiless => encode::field(out, b"Transfer-Encoding", b"chunked"),
        _ => {}
    }
    if rules.is_ours && !has_date {
        encode::field(out, b"Date", &date());
    }
    global_headers(out, |name| head.fields.has(name), rules);
    if !rules.is_hidden && !rules.is_ours {
        encode::field(out, b"Via", via(head.version()));
    }
    end(out, ask.is_kept && framing != Framing::UntilClose, ask, rules);
}

/// What stands behind the fields of a response that was written out before: it has no `Date`, and `has` says which other
/// fields it has. Its body is as long as it said.
pub(super) fn end_own(out: &mut Vec<u8>, has: impl Fn(&[u8]) -> bool, ask: &Ask, rules: &Rules<'_>) {
    encode::field(out, b"Date", &date());
    global_headers(out, has, rules);
    end(out, ask.is_kept, ask, rules);
}

/// The fields that every response carries, without those that it has.
fn global_headers(out: &mut Vec<u8>, has: impl Fn(&[u8]) -> bool, rules: &Rules<'_>) {
    for (name, value) in &rules.settings.global_headers {
        if !has(name) {
            encode::field(out, name, value);
        }
    }
}

fn end(out: &mut Vec<u8>, is_kept: bool, ask: &Ask, rules: &Rules<'_>) {
    if let Some(timing) = &rules.timing {
        timing.write(out);
    }
    if !is_kept {
        encode::field(out, b"Connection", b"close");
    } else if ask.version == Version::Http10 {
        encode::field(out, b"Connection", b"keep-alive");
    }
    encode::end_of_head(out);
}

thread_local! {
    static DATE: Cell<(u64, [u8; 29])> = const { Cell::new((0, [0; 29])) };
}

/// The value of a `Date` field, made once a second (RFC 9110 section 5.6.7).
fn date() -> [u8; 29] {
    let now = clock::wall().as_secs();
    let (made, text) = DATE.get();
    if made == now {
        return text;
    }
    let text = imf_fixdate(now);
    DATE.set((now, text));
    text
}

fn imf_fixdate(seconds: u64) -> [u8; 29] {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil-from-days: years begin in March, so that the leap day is the last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    let text = format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize],
        time / 3_600,
        time / 60 % 60,
        time % 60
    );
    text.as_bytes().try_into().unwrap_or([b' '; 29])
}

#[cfg(test)]
mod tests {
    use super::imf_fixdate;

    #[test]
    fn dates_are_those_of_the_rfc() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&imf_fixdate(seconds)).expect("ascii"), text);
        }
    }
}
