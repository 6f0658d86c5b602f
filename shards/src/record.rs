//! The access record: one JSON line per answered request, gathered in a buffer that the recorder takes when it is full.
//! Formatting is all that a shard does for it; queries are left out, since credentials stand in them.

use crate::wire::Peer;
use std::cell::RefCell;
use std::io::Write;
use tidegate_codec::RequestHead;
use tidegate_reactor::clock;
use tidegate_snapshot::{RecordSink, Route};

/// Room that one more line may need; a longer line grows its buffer.
const LINE_BYTES: usize = 2 << 10;

/// The shard's access records, where somebody wants them.
#[derive(Default)]
pub struct Records {
    open: RefCell<Option<Open>>,
}

struct Open {
    sink: Box<dyn RecordSink>,
    lines: Vec<u8>,
}

/// What a line says of an exchange.
pub struct Line<'a> {
    /// Index of the shard.
    pub shard: u16,
    /// Who asked.
    pub peer: &'a Peer,
    /// What for; `None` for what was no request.
    pub head: Option<&'a RequestHead>,
    /// The route.
    pub route: Option<&'a Route>,
    /// The status that was sent.
    pub status: u16,
    /// Bytes sent to the client, heads included.
    pub sent_bytes: u64,
    /// From the end of the request's head to the end of the response.
    pub duration_ns: u64,
}

impl Records {
    /// Records into a sink, or not at all.
    pub fn new(sink: Option<Box<dyn RecordSink>>) -> Self {
        Self {
            open: RefCell::new(sink.map(|mut sink| {
                let lines = sink.buffer();
                Open { sink, lines }
            })),
        }
    }

    /// Adds a line.
    pub fn add(&self, line: &Line<'_>) {
        if let Some(open) = &mut *self.open.borrow_mut() {
            write(&mut open.lines, line);
            if open.lines.len() + LINE_BYTES > open.lines.capacity() {
                open.submit();
            }
        }
    }

    /// Hands over what is there: nobody should have to wait long for a line.
    pub fn flush(&self) {
        if let Some(open) = &mut *self.open.borrow_mut()
            && !open.lines.is_empty()
        {
            open.submit();
        }
    }
}

impl Open {
    fn submit(&mut self) {
        let next = self.sink.buffer();
        self.sink.submit(std::mem::replace(&mut self.lines, next));
    }
}

/// Text inside a JSON string: control characters and quotes escaped, what is no UTF-8 replaced.
fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                0..=0x1f | 0x7f => drop(write!(out, "\\u{byte:04x}")),
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn string(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
    text(out, value);
    out.push(b'"');
}

fn write(out: &mut Vec<u8>, line: &Line<'_>) {
    number(out, "{\"at_ms\":", clock::wall().as_millis() as u64);
    number(out, ",\"shard\":", u64::from(line.shard));
    string(out, ",\"client\":", line.peer.text.as_bytes());
    if let Some(head) = line.head {
        string(out, ",\"method\":", head.method().as_str().as_bytes());
        string(out, ",\"host\":", head.host());
        string(out, ",\"path\":", head.path());
    }
    if let Some(route) = line.route {
        string(out, ",\"route\":", route.key.as_bytes());
    }
    number(out, ",\"status\":", u64::from(line.status));
    number(out, ",\"sent_bytes\":", line.sent_bytes);
    number(out, ",\"duration_us\":", line.duration_ns / 1_000);
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_cannot_leave_its_string() {
        for (bytes, expected) in [
            (&b"/plain"[..], "/plain"),
            (b"/a\"b\\c", r#"/a\"b\\c"#),
            (b"/\n\x7f", r"/\u000a\u007f"),
            ("/\u{e4}".as_bytes(), "/\u{e4}"),
            (b"/\xff!", "/\u{fffd}!"),
        ] {
            let mut out = Vec::new();
            text(&mut out, bytes);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }
}
