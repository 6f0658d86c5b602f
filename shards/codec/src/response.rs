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
                    self.reset();
                }
                done
            }
        }
    }

    /// Forgets what was parsed, and how far the search for the end of a head has come: for a head that is kept for another
    /// connection.
    pub fn reset(&mut self) {
        self.fields.clear();
        self.search = Search::default();
        self.reason = Span::default();
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
            // An end that httparse did not see cannot be one.
            return if self.search.advance(input, 0, limits)? {
                Err(Malformed::StatusLine)
            } else {
                Ok(false)
            };
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { line_bytes: 100, head_bytes: 500, fields: 5 };

    /// Parses a head that comes in one piece, and again byte by byte, and sees that both agree.
    fn parse(input: &[u8], method: &Method) -> Result<Option<ResponseHead>, Malformed> {
        let mut whole = ResponseHead::default();
        let at_once = whole.parse(&mut input.to_vec(), &LIMITS, method);
        let mut pieces = ResponseHead::default();
        let mut buffer = Vec::new();
        let mut unread = input.iter();
        let piecewise = loop {
            match (pieces.parse(&mut buffer, &LIMITS, method), unread.next()) {
                (Ok(false), Some(&byte)) => buffer.push(byte),
                (done, _) => break done,
            }
        };
        assert_eq!(
            at_once.map_err(|_| ()),
            piecewise.map_err(|_| ()),
            "{:?}",
            String::from_utf8_lossy(input)
        );
        if at_once == Ok(true) {
            assert_eq!(describe(&whole), describe(&pieces));
        }
        Ok(at_once?.then_some(whole))
    }

    fn describe(head: &ResponseHead) -> String {
        let reason = String::from_utf8_lossy(head.reason());
        format!("{} {:?} {:?} {:?} {}", head.status(), reason, head.version(), head.body(), head.keep_alive())
    }

    #[test]
    fn heads() {
        let check = |input: &str, want: &str| {
            let head = parse(input.as_bytes(), &Method::GET).unwrap().unwrap();
            assert_eq!(describe(&head), want, "{input:?}");
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", r#"200 "OK" Http11 Length(5) true"#);
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", r#"200 "OK" Http11 Chunked true"#);
        check("HTTP/1.1 200 \r\n\r\n", r#"200 "" Http11 UntilClose false"#);
        check("HTTP/1.1 200\r\n\r\n", r#"200 "" Http11 UntilClose false"#);
        check("HTTP/1.1 200 Très  bien \r\n\r\n", r#"200 "Très  bien " Http11 UntilClose false"#);
        check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", r#"200 "OK" Http10 Length(0) false"#);
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n",
            r#"200 "OK" Http10 Length(0) true"#,
        );
        check(
            "HTTP/1.1 204 x\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
            r#"204 "x" Http11 None false"#,
        );
        check("HTTP/1.1 100 Continue\r\n\r\n", r#"100 "Continue" Http11 None true"#);
        check("HTTP/1.1 999 x\r\nContent-Length: 5\r\n\r\n", r#"999 "x" Http11 Length(5) true"#);
    }

    #[test]
    fn the_method_decides_about_the_body() {
        let check = |method: Method, status: u16, want: BodyFraming| {
            for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
                let input = format!("HTTP/1.1 {status} x\r\n{field}\r\n\r\n");
                let head = parse(input.as_bytes(), &method).unwrap().unwrap();
                let framed =
                    if field.starts_with('T') { BodyFraming::Chunked } else { BodyFraming::Length(5) };
                let want = if want == BodyFraming::UntilClose { framed } else { want };
                assert_eq!(head.body(), want, "{method} {status}");
                assert!(head.keep_alive());
            }
        };
        check(Method::GET, 200, BodyFraming::UntilClose);
        check(Method::HEAD, 200, BodyFraming::None);
        check(Method::HEAD, 404, BodyFraming::None);
        check(Method::GET, 304, BodyFraming::None);
        check(Method::CONNECT, 200, BodyFraming::None);
        check(Method::CONNECT, 407, BodyFraming::UntilClose);
    }

    #[test]
    fn refusals() {
        let check = |input: &str, want: Malformed| {
            assert_eq!(parse(input.as_bytes(), &Method::GET).err(), Some(want), "{input:?}");
        };
        check("\r\nHTTP/1.1 200 OK\r\n\r\n", Malformed::EmptyLines);
        check("\nHTTP/1.1 200 OK\r\n\r\n", Malformed::EmptyLines);
        check("HTTP/1.1 200 OK\n\n", Malformed::BareLf);
        check("HTTP/1.1 200\n\r\n", Malformed::BareLf);
        check("HTTP/1.1 200 OK\r\nA: b\n\r\n", Malformed::BareLf);
        check("HTTP/1.1 200 OK\r\nA: b\r\n\n", Malformed::BareLf);
        check("HTTP/1.1 200 O\rK\r\n\r\n", Malformed::BareCr);
        check("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Malformed::ObsFold);
        check("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Malformed::SpaceBeforeColon);
        check("HTTP/1.1 200 O\0K\r\n\r\n", Malformed::StatusLine);
        check("HTTP/1.1  200 OK\r\n\r\n", Malformed::StatusLine);
        check("HTTP/1.1 20 OK\r\n\r\n", Malformed::StatusLine);
        check("HTTP/1.1 2000 OK\r\n\r\n", Malformed::StatusLine);
        check("HTTP/1.1 099 OK\r\n\r\n", Malformed::Status);
        check("HTTP/2.0 200 OK\r\n\r\n", Malformed::UnsupportedVersion);
        check("HTTP/2 200 OK\r\n\r\n", Malformed::Version);
        check("ICY 200 OK\r\n\r\n", Malformed::Version);
        check("<html>\r\n\r\n", Malformed::Version);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            Malformed::DuplicateContentLength,
        );
        check("HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n", Malformed::ContentLength);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            Malformed::LengthAndCoding,
        );
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Malformed::UnknownTransferCoding);
        check("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::TransferEncodingInHttp10);
        check("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::TransferEncodingWithoutBody);
        check("HTTP/1.1 101 x\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::TransferEncodingWithoutBody);
        check(&format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(86)), Malformed::LineTooLong);
        check(&format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(500)), Malformed::HeadTooLarge);
        check(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(6)), Malformed::TooManyFields);
    }

    #[test]
    fn a_status_that_is_set_has_the_standard_reason() {
        let mut head = parse(b"HTTP/1.1 200 Fine\r\n\r\n", &Method::GET).unwrap().unwrap();
        head.set_status(404);
        assert_eq!((head.status(), head.reason()), (404, &b""[..]));
    }
}
