//! Says which rule a head broke, when httparse says only that it did. Runs once per refused connection, so it may be slow.
//! It must never accept anything: every path ends in a [`Malformed`].

use crate::Malformed;
use crate::grammar::{is_ows, is_token, is_value};
use httparse::Error;

/// The rule that the request head at the front of `head` broke.
pub(crate) fn request(head: &[u8], error: Error) -> Malformed {
    let (line, rest) = cut_line(head);
    match error {
        Error::TooManyHeaders => Malformed::TooManyFields,
        Error::HeaderName | Error::HeaderValue => fields(rest).unwrap_or(fallback(error)),
        Error::NewLine if ended_well(line) => fields(rest).unwrap_or(Malformed::BareCr),
        _ => request_line(line),
    }
}

/// The rule that the response head at the front of `head` broke.
pub(crate) fn response(head: &[u8], error: Error) -> Malformed {
    let (line, rest) = cut_line(head);
    match error {
        Error::TooManyHeaders => Malformed::TooManyFields,
        Error::HeaderName | Error::HeaderValue => fields(rest).unwrap_or(fallback(error)),
        Error::NewLine if ended_well(line) => fields(rest).unwrap_or(Malformed::BareCr),
        Error::Version => version(line.split(|&b| b == b' ').next().unwrap_or_default()),
        _ if has_bare_cr(line) => Malformed::BareCr,
        _ => Malformed::StatusLine,
    }
}

/// The first rule that a section of field lines (of a head or of trailers) breaks, if it breaks one.
pub(crate) fn fields(mut rest: &[u8]) -> Option<Malformed> {
    while !rest.is_empty() {
        let (line, after) = cut_line(rest);
        if let Some(malformed) = field_line(line) {
            return Some(malformed);
        }
        rest = after;
    }
    None
}

fn field_line(line: &[u8]) -> Option<Malformed> {
    if has_bare_cr(line) {
        return Some(Malformed::BareCr);
    }
    if line.ends_with(b"\n") && !line.ends_with(b"\r\n") {
        return Some(Malformed::BareLf);
    }
    let content = line.strip_suffix(b"\r\n").unwrap_or(line);
    if content.first().is_some_and(|&b| is_ows(b)) {
        return Some(Malformed::ObsFold);
    }
    let Some(colon) = content.iter().position(|&b| b == b':') else {
        let is_partial = !line.ends_with(b"\n") && content.iter().all(|&b| is_token(&[b]) || b == b'\r');
        return (!content.is_empty() && !is_partial).then_some(Malformed::MissingColon);
    };
    match (&content[..colon], &content[colon + 1..]) {
        ([], _) => Some(Malformed::EmptyFieldName),
        ([.., last], _) if is_ows(*last) => Some(Malformed::SpaceBeforeColon),
        (name, _) if !is_token(name) => Some(Malformed::FieldName),
        (_, value) if !is_value(value) => Some(Malformed::FieldValue),
        _ => None,
    }
}

fn request_line(line: &[u8]) -> Malformed {
    if has_bare_cr(line) {
        return Malformed::BareCr;
    }
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    let mut parts = content.splitn(3, |&b| b == b' ');
    let (method, target, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if method.is_empty() {
        return Malformed::RequestLine;
    }
    if !is_token(method) {
        return Malformed::Method;
    }
    match (target, rest) {
        (None | Some([]), _) => Malformed::RequestLine,
        (Some(target), _) if target.iter().any(|&b| b <= b' ' || b == 0x7f) => Malformed::TargetByte,
        (Some(target), Some(_)) if std::str::from_utf8(target).is_err() => Malformed::TargetByte,
        (_, None) => Malformed::RequestLine,
        (_, Some(rest)) if rest.contains(&b' ') => Malformed::RequestLine,
        (_, Some(rest)) => version(rest),
    }
}

/// `HTTP/` and two digits is a version, if not one of ours.
fn version(text: &[u8]) -> Malformed {
    match text {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Malformed::UnsupportedVersion
        }
        _ => Malformed::Version,
    }
}

fn fallback(error: Error) -> Malformed {
    if error == Error::HeaderName { Malformed::FieldName } else { Malformed::FieldValue }
}

/// The line at the front, with its LF if it has one, and what follows.
fn cut_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(memchr::memchr(b'\n', bytes).map_or(bytes.len(), |lf| lf + 1))
}

/// Nothing is wrong with the end of the first line.
fn ended_well(line: &[u8]) -> bool {
    let is_request = line.ends_with(b" HTTP/1.1\r\n") || line.ends_with(b" HTTP/1.0\r\n");
    (is_request || line.starts_with(b"HTTP/1.") && line.ends_with(b"\r\n")) && !has_bare_cr(line)
}

/// A CR that is not the one of the CRLF at the end. The last byte of an incomplete line may still become one.
fn has_bare_cr(line: &[u8]) -> bool {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    content.contains(&b'\r')
}
