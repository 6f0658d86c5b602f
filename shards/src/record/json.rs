//! A line as one JSON object. What an exchange did not have is left out. Nothing in it is a stranger's but what passes
//! [`Pen::text`].

use super::escape;
use super::line::{Desk, Line, version};
use super::pen::{Pen, Room};

/// More than all names, numbers and marks of a line together.
const FRAME_BYTES: usize = 672;
/// The longest query that is written into room made before it: replacing credentials may make it longer.
const QUERY_BYTES: usize = 256;

impl Line<'_> {
    /// Appends the line.
    pub(super) fn json(&self, out: &mut Vec<u8>, desk: &mut Desk<'_>) {
        let Some(most) = self.plain_bytes() else { return self.write(out, desk) };
        let begin = out.len();
        out.resize(begin + most, 0);
        let mut room = Room::new(&mut out[begin..]);
        self.write(&mut room, desk);
        let used = room.used();
        out.truncate(begin + used);
    }

    /// More than the line has, if nothing in it must be escaped.
    fn plain_bytes(&self) -> Option<usize> {
        let plain = |text: &[u8]| escape::is_plain(text).then_some(text.len());
        let mut most = FRAME_BYTES + self.peer.text.len();
        if let Some(head) = self.head {
            if head.path_flags().has_marks {
                // Credentials in it are replaced, which may make it longer.
                return None;
            }
            most += head.method().as_str().len() + plain(head.host())? + plain(head.path())?;
            if let Some(query) = head.query() {
                if query.len() > QUERY_BYTES {
                    return None;
                }
                // `pw=x` becomes `pw=[redacted]`, and `:@` `[redacted]@`.
                most += plain(query)? * 8 + 16;
            }
        }
        if let Some(route) = self.route {
            most += plain(route.key.as_bytes())?;
            if let Some(service) = &route.service {
                most += plain(service.key.as_bytes())?;
            }
        }
        Some(most)
    }

    fn write(&self, pen: &mut impl Pen, desk: &mut Desk<'_>) {
        let moment = desk.stamps.moment(self.ended_ns - self.duration_ns);
        pen.put(b"{\"at\":\"");
        pen.put(desk.stamps.rfc3339(moment));
        pen.put(&moment.digits());
        pen.put(b"Z\",\"at_ms\":");
        pen.put(desk.stamps.seconds(moment));
        pen.put(&moment.digits());
        pen.put(b",\"shard\":");
        pen.number(u64::from(self.shard));
        pen.put(b",\"client\":\"");
        // An address of our own writing.
        pen.own(self.peer.text.as_bytes());
        if let Some(head) = self.head {
            pen.put(b"\",\"method\":\"");
            // A token: letters, digits and harmless marks (RFC 9110 section 5.6.2).
            pen.own(head.method().as_str().as_bytes());
            pen.put(b"\",\"host\":\"");
            pen.text(head.host());
            pen.put(b"\",\"path\":\"");
            if head.path_flags().has_marks {
                desk.redaction.marked_path(head.path(), &mut |bytes| pen.text(bytes));
            } else {
                pen.text(head.path());
            }
            if let Some(query) = head.query() {
                pen.put(b"\",\"query\":\"");
                desk.redaction.query(query, &mut |bytes| pen.text(bytes));
            }
            pen.put(b"\",\"version\":\"");
            pen.put(version(head));
        }
        if let Some(route) = self.route {
            pen.put(b"\",\"route\":\"");
            pen.text(route.key.as_bytes());
            if let Some(service) = &route.service {
                pen.put(b"\",\"service\":\"");
                pen.text(service.key.as_bytes());
            }
        }
        if let Some(fault) = self.fault {
            pen.put(b"\",\"fault\":\"");
            pen.own(fault.name().as_bytes());
        }
        pen.put(b"\",\"status\":");
        pen.number(u64::from(self.status));
        pen.put(b",\"received_bytes\":");
        pen.number(self.received_bytes);
        pen.put(b",\"sent_bytes\":");
        pen.number(self.sent_bytes);
        self.times(pen);
        if let Some(rate) = desk.rate {
            pen.put(b",\"sample_rate\":");
            pen.own(rate.as_bytes());
        }
        pen.put(b"}\n");
    }

    fn times(&self, pen: &mut impl Pen) {
        let spans = self.spans;
        pen.put(b",\"duration_us\":");
        pen.number(self.duration_ns / 1_000);
        pen.put(b",\"tax_us\":");
        pen.number(spans.tax_ns(self.duration_ns) / 1_000);
        if spans.module_ns > 0 {
            pen.put(b",\"module_us\":");
            pen.number(spans.module_ns / 1_000);
        }
        if spans.connect_ns > 0 {
            pen.put(b",\"connect_us\":");
            pen.number(spans.connect_ns / 1_000);
        }
        if spans.first_byte_ns > 0 {
            pen.put(b",\"first_byte_us\":");
            pen.number(spans.first_byte_ns / 1_000);
        }
        if spans.transfer_ns > 0 {
            pen.put(b",\"transfer_us\":");
            pen.number(spans.transfer_ns / 1_000);
        }
        if spans.waited_ns > 0 {
            pen.put(b",\"wait_us\":");
            pen.number(spans.waited_ns / 1_000);
        }
    }
}
