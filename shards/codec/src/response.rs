//! Response heads: the status line, and how the body that follows is framed.
//! It must never trust an upstream more than a client: the same rules hold, and break the connection in the same way.

use crate::facts::Facts;
use crate::fields::{Fields, Span};
use crate::head::{BodyFraming, HeadLimits, MAX_FIELDS, Search, Version};
use crate::{Malformed, diagnose};
use http::Method;
use memchr::memchr;
use std::mem::MaybeUninit;

/// `HTTP/1.1 200`, after which comes a space and a reason, or the end of the line.
const CODE_END: usize = "HTTP/1.1 200".len();

/// One response head, to be kept and parsed into again and again.
#[derive(Default, Debug)]
pub struct ResponseHead {
    /// The header fields.
    pub fields: Fields,
    status: u16,
    reason: Span,
    version: Version,
    body: BodyFraming,
    keep_alive: bool,
    size: usize,
    search: Search,
}

impl ResponseHead {
    /// Takes one head from the front of `input`, as [`RequestHead::parse`](crate::RequestHead::parse) does; heads of 1xx
    /// responses parse like any other. No empty line may stand before a status line; the space behind the status code may be
    /// missing if there is no reason, since many servers leave it out.
    ///
    /// `request_method` is the method this answers, on which the framing depends (RFC 9112 section 6.3).
    ///
    /// # Errors
    /// Whatever the head breaks; the connection is dropped.
    pub fn parse(
        &mut self,
        input: &mut Vec<u8>,
        limits: &HeadLimits,
        request_method: &Method,
    ) -> Result<bool, Malformed> {
        match self.try_parse(input, &limits.bounded(), request_method) {
            Ok(false) => Ok(false),
            done => {
                self.search = Search::default();
                if done.is_err() {
                    self.fields.clear();
                }
                done
            }
        }
    }

    fn try_parse(
        &mut self,
        input: &mut Vec<u8>,
        limits: &HeadLimits,
        request_method: &Method,
    ) -> Result<bool, Malformed> {
        match input.first() {
            None => return Ok(false),
            Some(b'\r' | b'\n') => return Err(Malformed::EmptyLines),
            Some(_) => {}
        }
        if !self.search.is_new(input) && !self.search.advance(input, 0, limits)? {
            return Ok(false);
        }
        let Some(end) = self.read_line_and_fields(input, limits)? else {
            self.search.advance(input, 0, limits)?;
            return Ok(false);
        };
        self.fields.swap_in(input, end);
        self.size = end;
        let facts = Facts::gather(&mut self.fields, self.version)?;
        self.body = framing(self.status, request_method, &facts)?;
        self.keep_alive = facts.persists(self.version) && self.body != BodyFraming::UntilClose;
        Ok(true)
    }

    /// Has httparse read the head; `None` if it is not complete. Its leniencies are closed as for requests; and since it gives
    /// up a reason that holds bytes from 0x80 up, the reason is cut out here.
    fn read_line_and_fields(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<usize>, Malformed> {
        let head = &input[..input.len().min(limits.head_bytes)];
        let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let end =
            match config.parse_response_with_uninit_headers(&mut parsed, head, &mut slots[..limits.fields]) {
                Ok(httparse::Status::Complete(end)) => end,
                Ok(httparse::Status::Partial) => return Ok(None),
                Err(error) => return Err(diagnose::response(head, error)),
            };
        let (Some(version), Some(status)) = (parsed.version, parsed.code) else {
            return Err(Malformed::StatusLine);
        };
        let lf = CODE_END + memchr(b'\n', &input[CODE_END..end]).ok_or(Malformed::StatusLine)?;
        if input[lf - 1] != b'\r' || input[end - 2] != b'\r' {
            return Err(Malformed::BareLf);
        }
        if lf + 1 > limits.line_bytes {
            return Err(Malformed::LineTooLong);
        }
        if status < 100 {
            return Err(Malformed::Status);
        }
        self.fields.load(input, parsed.headers)?;
        self.reason = Span::new((CODE_END + 1).min(lf - 1), lf - 1);
        self.status = status;
        self.version = if version == 0 { Version::Http10 } else { Version::Http11 };
        Ok(Some(end))
    }

    /// The status code, 100 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Replaces the status; the reason becomes empty, which stands for the standard one.
    pub fn set_status(&mut self, status: u16) {
        self.status = status;
        self.reason = Span::default();
    }

    /// The reason phrase as sent; may be empty.
    pub fn reason(&self) -> &[u8] {
        self.reason.of(&self.fields.bytes)
    }

    /// The version the server speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the body is framed. [`BodyFraming::None`] for 1xx, 204, 304, and answers to HEAD and successful CONNECT, where a
    /// Content-Length describes but does not frame.
    pub fn body(&self) -> BodyFraming {
        self.body
    }

    /// Whether the connection can take another request once the body has been read (RFC 9112 section 9.3).
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The bytes of the head as received.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// RFC 9112 section 6.3, stricter: a 1xx or 204 with Transfer-Encoding is refused, since what follows it is anybody's guess.
fn framing(status: u16, request_method: &Method, facts: &Facts) -> Result<BodyFraming, Malformed> {
    match status {
        100..200 | 204 if facts.chunked => Err(Malformed::TransferEncodingWithoutBody),
        100..200 | 204 | 304 => Ok(BodyFraming::None),
        200..300 if *request_method == Method::CONNECT => Ok(BodyFraming::None),
        _ if *request_method == Method::HEAD => Ok(BodyFraming::None),
        _ => Ok(facts.framing().unwrap_or(BodyFraming::UntilClose)),
    }
}
