//! What request and response heads have in common: limits, versions, framings, and the search for a head's end in bytes that
//! come in pieces. It must never look at the same byte again and again because a peer sends slowly.

use crate::Malformed;
use memchr::memchr_iter;

/// The most fields a head may have, whatever [`HeadLimits::fields`] says: they are counted out on the stack.
pub const MAX_FIELDS: usize = 256;

/// The largest head, whatever [`HeadLimits::head_bytes`] says.
const MAX_HEAD_BYTES: usize = 1 << 20;

/// How much of a head is taken in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct HeadLimits {
    /// The request line or status line, in bytes, with its CRLF.
    pub line_bytes: usize,
    /// The whole head, in bytes, with the empty line that ends it. At most 1 MiB.
    pub head_bytes: usize,
    /// The number of fields, counting each line. At most [`MAX_FIELDS`].
    pub fields: usize,
}

impl HeadLimits {
    /// The same, but never above what the codec itself can hold.
    pub(crate) fn bounded(&self) -> HeadLimits {
        HeadLimits {
            line_bytes: self.line_bytes,
            head_bytes: self.head_bytes.min(MAX_HEAD_BYTES),
            fields: self.fields.min(MAX_FIELDS),
        }
    }
}

/// The versions this codec speaks.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// HTTP/1.0: no chunked bodies, no `Expect`, one message per connection unless `keep-alive` is said.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

/// How the body of a message is delimited (RFC 9112 section 6.3).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum BodyFraming {
    /// There is no body.
    #[default]
    None,
    /// So many bytes; at most 2^63-1. May be 0.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// All bytes until the peer closes; responses only.
    UntilClose,
}

/// How far the search for the end of a head has come in an input that only grows.
#[derive(Default, Debug)]
pub(crate) struct Search {
    /// Bytes looked at.
    at: usize,
    /// Where the line begins that is not complete yet.
    line: usize,
    /// Complete lines.
    lines: usize,
}

impl Search {
    /// Nothing was looked at yet, or the input is not the one it was.
    pub(crate) fn is_new(&mut self, input: &[u8]) -> bool {
        if self.at > input.len() {
            *self = Search::default();
        }
        self.at == 0
    }

    /// Looks on, for the empty line that ends the head which begins at `start`. The answer is whether it is there.
    ///
    /// # Errors
    /// [`Malformed::BareLf`], and the limits as soon as what is there is beyond them.
    pub(crate) fn advance(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &HeadLimits,
    ) -> Result<bool, Malformed> {
        if self.at == 0 {
            (self.at, self.line) = (start, start);
        }
        let from = self.at;
        for lf in memchr_iter(b'\n', &input[from..]).map(|lf| from + lf) {
            // The CR, if there is one, belongs to this line: an LF may not start one.
            if lf == self.line || input[lf - 1] != b'\r' {
                return Err(Malformed::BareLf);
            }
            if lf == self.line + 1 && self.lines > 0 {
                return if lf < limits.head_bytes { Ok(true) } else { Err(Malformed::HeadTooLarge) };
            }
            if self.lines == 0 && lf + 1 - start > limits.line_bytes {
                return Err(Malformed::LineTooLong);
            }
            self.lines += 1;
            self.line = lf + 1;
            if self.lines > limits.fields + 1 {
                return Err(Malformed::TooManyFields);
            }
        }
        self.at = input.len();
        if self.lines == 0 && input.len() - start > limits.line_bytes {
            return Err(Malformed::LineTooLong);
        }
        if input.len() >= limits.head_bytes {
            return Err(Malformed::HeadTooLarge);
        }
        Ok(false)
    }
}

/// Where the request line begins: RFC 9112 section 2.2 has a server pass over one empty line before it, which old clients send
/// after a body. `None`: too little is there to tell.
///
/// # Errors
/// [`Malformed::EmptyLines`] if there is more than one, [`Malformed::BareLf`] and [`Malformed::BareCr`].
pub(crate) fn request_line_start(input: &[u8]) -> Result<Option<usize>, Malformed> {
    match input {
        [] | [b'\r'] | [b'\r', b'\n'] => Ok(None),
        [b'\r', b'\n', b'\r' | b'\n', ..] => Err(Malformed::EmptyLines),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [b'\r', ..] => Err(Malformed::BareCr),
        [b'\n', ..] => Err(Malformed::BareLf),
        _ => Ok(Some(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { line_bytes: 10, head_bytes: 40, fields: 2 };

    #[test]
    fn the_end_is_found_in_any_pieces() {
        let check = |input: &str, want: Result<bool, Malformed>| {
            let input = input.as_bytes();
            assert_eq!(Search::default().advance(input, 0, &LIMITS), want, "{input:?} at once");
            let mut search = Search::default();
            let slowly =
                (1..=input.len()).map(|n| search.advance(&input[..n], 0, &LIMITS)).find(|r| *r != Ok(false));
            assert_eq!(slowly.unwrap_or(Ok(false)), want, "{input:?} byte by byte");
        };
        check("GET /\r\n\r\n", Ok(true));
        check("GET /\r\na:\r\nb:\r\n\r\n", Ok(true));
        check("GET /\r\na:\r\nb:\r\n\r", Ok(false));
        check("GET /\r\na:\r\nb:\r\nc:\r\n", Err(Malformed::TooManyFields));
        check("GET /\n", Err(Malformed::BareLf));
        check("GET /\r\n\n", Err(Malformed::BareLf));
        check("GET /\r\na: b\n\r\n", Err(Malformed::BareLf));
        check("GET /abcd\r\n", Err(Malformed::LineTooLong));
        check("GET /abcdef", Err(Malformed::LineTooLong));
        check("GET /\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", Err(Malformed::HeadTooLarge));
    }

    #[test]
    fn one_empty_line_before_a_request() {
        let check = |input: &str, want| assert_eq!(request_line_start(input.as_bytes()), want, "{input:?}");
        check("", Ok(None));
        check("\r", Ok(None));
        check("\r\n", Ok(None));
        check("G", Ok(Some(0)));
        check("\r\nG", Ok(Some(2)));
        check("\r\n\r", Err(Malformed::EmptyLines));
        check("\r\n\n", Err(Malformed::EmptyLines));
        check("\rG", Err(Malformed::BareCr));
        check("\nG", Err(Malformed::BareLf));
        check(" G", Ok(Some(0)));
    }
}
