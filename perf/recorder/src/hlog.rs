//! HdrHistogram interval logs, as the Java library's `HistogramLogWriter` writes them (log format 1.3, V2 compressed
//! histograms), so that every language's reader takes them. Values are nanoseconds. Knows no files and no queues.

use crate::segment::utc_readable;
use base64::Engine;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use std::fmt::Write;
use tidegate_snapshot::Scope;

/// By how much the column `Interval_Max` is divided, the default of the Java library: milliseconds for people.
const MAX_VALUE_UNIT_RATIO: f64 = 1_000_000.0;

/// Writes lines whose times count from a point that never moves, so that each is right below any file's header.
pub(crate) struct LogWriter {
    base_ms: u64,
    serializer: V2DeflateSerializer,
    compressed: Vec<u8>,
    text: String,
}

/// Which interval a line is of, in milliseconds since 1970.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) began_ms: u64,
    pub(crate) ended_ms: u64,
}

impl LogWriter {
    /// A writer whose base time is `base_ms`, milliseconds since 1970.
    pub(crate) fn new(base_ms: u64) -> Self {
        let serializer = V2DeflateSerializer::new();
        Self { base_ms, serializer, compressed: Vec::new(), text: String::new() }
    }

    /// What every file begins with.
    pub(crate) fn header(&self) -> Vec<u8> {
        let (seconds, ms) = (self.base_ms / 1_000, self.base_ms % 1_000);
        format!(
            "#[Tidegate: times in nanoseconds; a line without a tag is the total time of all exchanges]\n\
             #[Histogram log format version 1.3]\n\
             #[StartTime: {seconds}.{ms:03} (seconds since epoch), {}]\n\
             #[BaseTime: {seconds}.{ms:03} (seconds since epoch)]\n\
             \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
            utc_readable(seconds)
        )
        .into_bytes()
    }

    /// Appends a line. A tag may be empty, and must be made of [`tag_part`]s and dots.
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, tag: &str, span: Span, times: &Histogram<u32>) {
        self.compressed.clear();
        // Into memory, of a histogram whose bounds the format can say: nothing to fail.
        if self.serializer.serialize(times, &mut self.compressed).is_err() {
            return;
        }
        let begin_ms = span.began_ms.saturating_sub(self.base_ms);
        let length_ms = span.ended_ms.saturating_sub(span.began_ms);
        self.text.clear();
        if !tag.is_empty() {
            let _ = write!(self.text, "Tag={tag},");
        }
        let _ = write!(
            self.text,
            "{}.{:03},{}.{:03},{:.3},",
            begin_ms / 1_000,
            begin_ms % 1_000,
            length_ms / 1_000,
            length_ms % 1_000,
            times.max() as f64 / MAX_VALUE_UNIT_RATIO
        );
        base64::engine::general_purpose::STANDARD.encode_string(&self.compressed, &mut self.text);
        self.text.push('\n');
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// The front of a row's tags: `route.default/users.`; `route.none.` for requests that matched none.
pub(crate) fn row_tags(scope: Scope, key: &str) -> String {
    let mut tag = format!("{}.", scope.name());
    tag_part(if key.is_empty() { "none" } else { key }, &mut tag);
    tag.push('.');
    tag
}

/// Text as part of a tag: what is not plain becomes `%` and two hexadecimal digits a byte. The format forbids commas,
/// blanks and line ends.
fn tag_part(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'.'
            | b'_'
            | b'-'
            | b'/'
            | b'~'
            | b':'
            | b'@'
            | b'+' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_hold_nothing_that_ends_them() {
        for (scope, key, expected) in [
            (Scope::Route, "default/users", "route.default/users."),
            (Scope::Route, "", "route.none."),
            (Scope::Service, "a/b c,d", "service.a/b%20c%2Cd."),
            (Scope::Module, "n/\u{e4}\n", "module.n/%C3%A4%0A."),
        ] {
            assert_eq!(row_tags(scope, key), expected);
        }
    }

    #[test]
    fn a_file_begins_as_readers_expect() {
        let header = String::from_utf8(LogWriter::new(1_795_262_462_007).header()).expect("text");
        assert!(header.len() < 4096, "it leaves with the first block");
        for line in [
            "#[Histogram log format version 1.3]",
            "#[StartTime: 1795262462.007 (seconds since epoch), 2026-11-21T12:01:02Z]",
            "#[BaseTime: 1795262462.007 (seconds since epoch)]",
        ] {
            assert!(header.lines().any(|found| found == line), "{line} in {header}");
        }
    }

    #[test]
    fn times_stand_relative_to_the_base_and_never_before_it() {
        let mut times = Histogram::new(3).expect("a histogram");
        times.record(2_500_000).expect("a time");
        let mut writer = LogWriter::new(10_000);
        for (began_ms, ended_ms, expected) in
            [(11_005, 12_006, "1.005,1.001,2.501,HIST"), (9_000, 10_000, "0.000,1.000,2.501,HIST")]
        {
            let mut line = Vec::new();
            writer.line(&mut line, "", Span { began_ms, ended_ms }, &times);
            let line = String::from_utf8(line).expect("text");
            assert!(line.starts_with(expected), "{line}");
        }
    }
}
