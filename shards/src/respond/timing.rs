//! `Server-Timing` (W3C Server Timing, section 2): what is known of where the time went when a response's head leaves. A
//! field line of its own, so that what the upstream says of itself stays as it is.

use crate::profile::Spans;

/// What is told.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From the end of the request's head until now, nanoseconds.
    pub so_far_ns: u64,
    /// What of it was waited for.
    pub spans: Spans,
}

/// Appends a metric with its duration in milliseconds to three decimals.
fn metric(out: &mut Vec<u8>, name: &[u8], ns: u64) {
    let us = ns.saturating_add(500) / 1_000;
    out.extend_from_slice(name);
    out.extend_from_slice(b";dur=");
    out.extend_from_slice(itoa::Buffer::new().format(us / 1_000).as_bytes());
    let rest = us % 1_000;
    out.push(b'.');
    out.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8));
}

impl Timing {
    /// Appends the field: `gateway`, and `module`, `connect`, `upstream` and `wait` where the exchange had them.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Spans { module_ns, connect_ns, first_byte_ns, waited_ns, .. } = self.spans;
        out.extend_from_slice(b"Server-Timing: ");
        metric(out, b"gateway", self.spans.tax_ns(self.so_far_ns));
        for (name, ns) in [
            (&b", module"[..], module_ns),
            (b", connect", connect_ns),
            (b", upstream", first_byte_ns),
            (b", wait", waited_ns),
        ] {
            if ns > 0 {
                metric(out, name, ns);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_was_is_told_in_milliseconds() {
        let upstream =
            Spans { connect_ns: 1_000_000, first_byte_ns: 50_123_456, waited_ns: 9_000, ..Spans::default() };
        for (so_far_ns, spans, expected) in [
            (12_400, Spans::default(), "gateway;dur=0.012"),
            (
                999_999_500,
                Spans { module_ns: 999_999_500, ..Spans::default() },
                "gateway;dur=0.000, module;dur=1000.000",
            ),
            (
                51_232_456,
                upstream,
                "gateway;dur=0.100, connect;dur=1.000, upstream;dur=50.123, wait;dur=0.009",
            ),
        ] {
            let mut out = Vec::new();
            Timing { so_far_ns, spans }.write(&mut out);
            assert_eq!(String::from_utf8(out).expect("text"), format!("Server-Timing: {expected}\r\n"));
        }
    }
}
