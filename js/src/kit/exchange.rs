//! The exchange of the kit: a request, an upstream's response and a response being written, all in memory. It refuses what
//! the gateway refuses, so that a module that passes here is not surprised there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::bodies::Body;
use crate::host::{Chunks, Described, Exchange, Pending, Refused, RequestPart, Side};

/// Fields that belong to the gateway (RFC 9110, section 7.6.1, and the framing of RFC 9112, section 6).
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// One message.
pub(crate) struct Message {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Body,
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The module has set a status, a field or a body.
    pub(crate) is_written: bool,
}

impl Default for Message {
    fn default() -> Self {
        Message {
            status: 200,
            fields: Vec::new(),
            body: Body::default(),
            trailers: Vec::new(),
            is_written: false,
        }
    }
}

/// See the module's text.
#[derive(Default)]
pub(crate) struct MemoryExchange {
    pub(crate) id: String,
    /// In the order of [`RequestPart`].
    pub(crate) parts: RefCell<[String; 7]>,
    pub(crate) params: Vec<(String, String)>,
    /// JSON of route, service and namespace.
    pub(crate) described: [Option<Rc<str>>; 3],
    pub(crate) messages: RefCell<[Message; 3]>,
    pub(crate) has_upstream: Cell<bool>,
    pub(crate) is_sent: Cell<bool>,
    pub(crate) is_ended: Cell<bool>,
    pub(crate) body_cap: usize,
}

fn index(side: Side) -> usize {
    match side {
        Side::Request => 0,
        Side::Upstream => 1,
        Side::Response => 2,
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let special = |b: u8| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || special(b))
}

fn admit(name: &str, value: &[u8]) -> Result<(), Refused> {
    let shown = name.escape_debug();
    if !is_token(name) {
        return refuse(format!("'{shown}': a field name is a token"));
    }
    if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
        return refuse(format!("'{shown}': a field value has no control characters"));
    }
    if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        return refuse(format!("'{shown}' frames the message and belongs to the gateway"));
    }
    Ok(())
}

impl MemoryExchange {
    /// Whether that message can be changed now.
    fn open(&self, side: Side) -> Result<std::cell::RefMut<'_, Message>, Refused> {
        match side {
            Side::Request if self.is_sent.get() => refuse("the request has gone upstream already"),
            Side::Upstream if !self.has_upstream.get() => refuse("there is no upstream response yet"),
            Side::Response if self.is_ended.get() => refuse("the response has been sent already"),
            _ => {
                let mut message =
                    std::cell::RefMut::map(self.messages.borrow_mut(), |all| &mut all[index(side)]);
                message.is_written = true;
                Ok(message)
            }
        }
    }

    /// The body of a message as it leaves.
    pub(crate) fn leaving(&self, side: Side) -> Result<Rc<dyn Chunks>, Refused> {
        let body = &mut self.messages.borrow_mut()[index(side)].body;
        match body {
            Body::Taken => refuse("the module took the body as a stream and wrote no other"),
            _ => body.stream(),
        }
    }
}

impl Exchange for MemoryExchange {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn describe(&self, what: Described) -> Option<Rc<str>> {
        self.described[what as usize].clone()
    }

    fn path_params(&self, each: &mut dyn FnMut(&str, &str)) {
        self.params.iter().for_each(|(name, value)| each(name, value));
    }

    fn field(&self, side: Side, name: &str, each: &mut dyn FnMut(&[u8])) {
        let messages = self.messages.borrow();
        let found = messages[index(side)].fields.iter();
        found.filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).for_each(|(_, v)| each(v));
    }

    fn fields(&self, side: Side, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.messages.borrow()[index(side)].fields.iter().for_each(|(n, v)| each(n, v));
    }

    fn set_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        admit(name, value)?;
        let fields = &mut self.open(side)?.fields;
        let at = fields.iter().position(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name.as_bytes()));
        let at = at.unwrap_or(fields.len()).min(fields.len());
        fields.insert(at, (name.into(), value.into()));
        Ok(())
    }

    fn add_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        admit(name, value)?;
        self.open(side)?.fields.push((name.into(), value.into()));
        Ok(())
    }

    fn remove_field(&self, side: Side, name: &str) -> Result<bool, Refused> {
        admit(name, b"")?;
        let fields = &mut self.open(side)?.fields;
        let before = fields.len();
        fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name.as_bytes()));
        Ok(fields.len() < before)
    }

    fn request_part(&self, part: RequestPart) -> String {
        self.parts.borrow()[part as usize].clone()
    }

    fn set_request_part(&self, part: RequestPart, value: &str) -> Result<(), Refused> {
        let shown = value.escape_debug();
        let plain = value.bytes().all(|b| b > b' ' && b != 0x7f);
        match part {
            RequestPart::Method if !is_token(value) => return refuse(format!("'{shown}' is no method")),
            RequestPart::Path if !value.starts_with('/') || !plain || value.contains(['?', '#']) => {
                return refuse(format!(
                    "Path '{shown}': a path begins with '/' and has no '?', '#' or spaces"
                ));
            }
            RequestPart::Query if !plain || value.contains('#') => {
                return refuse(format!("Query '{shown}': a query has no '#' or spaces"));
            }
            RequestPart::Host if !plain || value.is_empty() || value.contains(['/', '?', '#', '@']) => {
                return refuse(format!("Host: '{shown}' is no host"));
            }
            RequestPart::Method | RequestPart::Path | RequestPart::Query | RequestPart::Host => {}
            _ => return refuse("this part of the request is a fact and cannot be changed"),
        }
        self.open(Side::Request)?;
        self.parts.borrow_mut()[part as usize] = value.into();
        Ok(())
    }

    fn status(&self, side: Side) -> u16 {
        self.messages.borrow()[index(side)].status
    }

    fn set_status(&self, side: Side, status: u16) -> Result<(), Refused> {
        if !(200..600).contains(&status) {
            return refuse(format!("{status} is no status of a final response: use 200 to 599"));
        }
        if side == Side::Request {
            return refuse("a request has no status");
        }
        self.open(side)?.status = status;
        Ok(())
    }

    fn upstream_protocol(&self) -> String {
        "HTTP/1.1".into()
    }

    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        let messages = self.messages.borrow();
        let upstream = &messages[index(Side::Upstream)];
        // They have arrived once the body was read.
        if !matches!(upstream.body, Body::Arrived(_)) {
            upstream.trailers.iter().for_each(|(n, v)| each(n, v));
        }
    }

    fn content_length(&self, side: Side) -> Option<u64> {
        self.messages.borrow()[index(side)].body.length()
    }

    fn read_body(&self, side: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        let body = self.messages.borrow_mut()[index(side)].body.read(self.body_cap);
        Box::pin(std::future::ready(body))
    }

    fn body(&self, side: Side) -> Result<Rc<dyn Chunks>, Refused> {
        self.messages.borrow_mut()[index(side)].body.stream()
    }

    fn stream_body(&self, side: Side, body: Rc<dyn Chunks>) -> Result<(), Refused> {
        self.open(side)?.body = Body::Coming(body);
        Ok(())
    }

    fn write_body(&self, side: Side, body: Vec<u8>) -> Result<(), Refused> {
        self.open(side)?.body = Body::Whole(body.into());
        Ok(())
    }

    fn end_response(&self) -> Result<(), Refused> {
        self.open(Side::Response)?;
        self.is_ended.set(true);
        Ok(())
    }

    fn response_ended(&self) -> bool {
        self.is_ended.get()
    }
}
