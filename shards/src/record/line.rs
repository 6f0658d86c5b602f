//! What a line says of an exchange, and how a template writes it. It only appends to a buffer, and allocates nothing that
//! the buffer has room for.

use super::escape::{self, Delimiters};
use super::format::{Field, Template};
use super::redact::{REDACTED, Redaction};
use super::stamp::{Moment, Stamps};
use crate::fault::Fault;
use crate::profile::Spans;
use crate::wire::Peer;
use tidegate_codec::{RequestHead, Version};
use tidegate_snapshot::Route;

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
    /// What went wrong.
    pub fault: Option<Fault>,
    /// Bytes received from the client since its last request.
    pub received_bytes: u64,
    /// Bytes sent to the client, heads included.
    pub sent_bytes: u64,
    /// How many of these were the response's head.
    pub head_bytes: u64,
    /// When it ended, by the precise clock.
    pub ended_ns: u64,
    /// From the end of the request's head to the end of the response.
    pub duration_ns: u64,
    /// Where that went.
    pub spans: &'a Spans,
    /// The response's fields, where the format shows any.
    pub said: Option<&'a Said>,
}

/// Values of a response's fields, copied before its head is gone.
#[derive(Debug, Default)]
pub struct Said {
    bytes: Vec<u8>,
    /// One for each name: where its value ends, and whether it was there.
    ends: Vec<(usize, bool)>,
}

impl Said {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(super) fn push(&mut self, value: Option<&[u8]>) {
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.ends.push((self.bytes.len(), value.is_some()));
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let (end, is_there) = *self.ends.get(at)?;
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before].0);
        is_there.then(|| &self.bytes[begin..end])
    }
}

/// What both writers need besides the line.
pub(super) struct Desk<'a> {
    pub(super) stamps: &'a mut Stamps,
    pub(super) redaction: &'a Redaction,
    /// As a number, unless everything is recorded.
    pub(super) rate: Option<&'a str>,
}

impl Desk<'_> {
    /// Gives a path to `emit`. One without marks, as nearly all are, is not even looked at.
    fn path(&self, head: &RequestHead, emit: &mut impl FnMut(&[u8])) {
        if head.path_flags().has_marks {
            self.redaction.marked_path(head.path(), emit);
        } else {
            emit(head.path());
        }
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A span that was not there at all is told from a short one.
fn span(out: &mut Vec<u8>, ns: u64) -> Option<()> {
    (ns > 0).then(|| number(out, ns / 1_000))
}

pub(super) fn version(head: &RequestHead) -> &'static [u8; 8] {
    match head.version() {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}

impl Line<'_> {
    fn began(&self, stamps: &Stamps) -> Moment {
        stamps.moment(self.ended_ns - self.duration_ns)
    }

    /// As a template says. What an exchange did not have is `-`.
    pub(super) fn template(&self, out: &mut Vec<u8>, template: &Template, desk: &mut Desk<'_>) {
        for piece in &template.pieces {
            out.extend_from_slice(&piece.before);
            let delimiters = if piece.is_quoted { &template.quoted } else { &template.bare };
            if self.field(out, &piece.field, delimiters, desk).is_none() {
                out.push(b'-');
            }
        }
        out.extend_from_slice(&template.end);
    }

    /// `None`: the exchange had no such thing, and nothing was written.
    fn field(
        &self,
        out: &mut Vec<u8>,
        field: &Field,
        delimiters: &Delimiters,
        desk: &mut Desk<'_>,
    ) -> Option<()> {
        let mut text = |bytes: &[u8]| escape::text(out, bytes, delimiters);
        match field {
            Field::At => {
                let moment = self.began(desk.stamps);
                out.extend_from_slice(desk.stamps.rfc3339(moment));
                out.extend_from_slice(&moment.digits());
                out.push(b'Z');
            }
            Field::AtMs => {
                let moment = self.began(desk.stamps);
                out.extend_from_slice(desk.stamps.seconds(moment));
                out.extend_from_slice(&moment.digits());
            }
            Field::AtClf => {
                let moment = self.began(desk.stamps);
                out.extend_from_slice(desk.stamps.clf(moment));
            }
            Field::Shard => number(out, u64::from(self.shard)),
            Field::Client => out.extend_from_slice(self.peer.text.as_bytes()),
            Field::Method => text(self.head?.method().as_str().as_bytes()),
            Field::Scheme => out.extend_from_slice(if self.peer.is_secure { b"https" } else { b"http" }),
            Field::Host => text(self.head?.host()),
            Field::Path => desk.path(self.head?, &mut text),
            Field::Query => desk.redaction.query(self.head?.query()?, &mut text),
            Field::Request => {
                let head = self.head?;
                text(head.method().as_str().as_bytes());
                text(b" ");
                desk.path(head, &mut text);
                if let Some(query) = head.query() {
                    text(b"?");
                    desk.redaction.query(query, &mut text);
                }
                text(b" ");
                text(version(head));
            }
            Field::Version => text(version(self.head?)),
            Field::Route => text(self.route?.key.as_bytes()),
            Field::Service => text(self.route?.service.as_ref()?.key.as_bytes()),
            Field::Status => number(out, u64::from(self.status)),
            Field::Fault => text(self.fault?.name().as_bytes()),
            Field::ReceivedBytes => number(out, self.received_bytes),
            Field::SentBytes => number(out, self.sent_bytes),
            Field::BodyBytes => match self.sent_bytes.saturating_sub(self.head_bytes) {
                // As Apache's `%b`.
                0 => return None,
                bytes => number(out, bytes),
            },
            Field::DurationUs => number(out, self.duration_ns / 1_000),
            Field::TaxUs => number(out, self.spans.tax_ns(self.duration_ns) / 1_000),
            Field::ModuleUs => span(out, self.spans.module_ns)?,
            Field::ConnectUs => span(out, self.spans.connect_ns)?,
            Field::FirstByteUs => span(out, self.spans.first_byte_ns)?,
            Field::TransferUs => span(out, self.spans.transfer_ns)?,
            Field::WaitUs => span(out, self.spans.waited_ns)?,
            Field::SampleRate => out.extend_from_slice(desk.rate.unwrap_or("1").as_bytes()),
            Field::Asked(name, is_hidden) => {
                let value = self.head?.fields.get(name.as_bytes())?;
                self.value(value, *is_hidden, &mut text, desk);
            }
            Field::Said(at, is_hidden) => {
                self.value(self.said?.get(*at)?, *is_hidden, &mut text, desk);
            }
        }
        Some(())
    }

    fn value(&self, value: &[u8], is_hidden: bool, text: &mut impl FnMut(&[u8]), desk: &Desk<'_>) {
        if is_hidden { text(REDACTED) } else { desk.redaction.value(value, text) }
    }
}
