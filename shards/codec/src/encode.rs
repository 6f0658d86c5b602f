//! Writes messages from their parsed form, byte for byte as the grammar has it. Everything is appended to a buffer.
//! Names and values come out of this codec's types, which hold nothing that could break a line; debug builds check it.

use crate::Fields;
use crate::grammar::{is_token, is_value};
use http::{Method, StatusCode};

/// `method SP path ["?" query] SP HTTP/1.1 CRLF`.
pub fn request_line(out: &mut Vec<u8>, method: &Method, path: &[u8], query: Option<&[u8]>) {
    debug_assert!(path.iter().all(|&b| b > b' ' && b != 0x7f), "a path that was not canonicalised");
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(path);
    if let Some(query) = query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// The status lines that nearly every response has.
fn common_status_line(status: u16) -> Option<&'static [u8]> {
    Some(match status {
        100 => b"HTTP/1.1 100 Continue\r\n",
        101 => b"HTTP/1.1 101 Switching Protocols\r\n",
        200 => b"HTTP/1.1 200 OK\r\n",
        201 => b"HTTP/1.1 201 Created\r\n",
        202 => b"HTTP/1.1 202 Accepted\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        307 => b"HTTP/1.1 307 Temporary Redirect\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        401 => b"HTTP/1.1 401 Unauthorized\r\n",
        403 => b"HTTP/1.1 403 Forbidden\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        405 => b"HTTP/1.1 405 Method Not Allowed\r\n",
        429 => b"HTTP/1.1 429 Too Many Requests\r\n",
        500 => b"HTTP/1.1 500 Internal Server Error\r\n",
        502 => b"HTTP/1.1 502 Bad Gateway\r\n",
        503 => b"HTTP/1.1 503 Service Unavailable\r\n",
        504 => b"HTTP/1.1 504 Gateway Timeout\r\n",
        _ => return None,
    })
}

/// `HTTP/1.1 SP status SP [reason] CRLF`. An empty reason stands for the standard one, if there is one. `status` is 100 to 999.
pub fn status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    debug_assert!((100..=999).contains(&status) && is_value(reason));
    if reason.is_empty()
        && let Some(line) = common_status_line(status)
    {
        out.extend_from_slice(line);
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    if reason.is_empty() {
        let standard = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        out.extend_from_slice(standard.unwrap_or_default().as_bytes());
    } else {
        out.extend_from_slice(reason);
    }
    out.extend_from_slice(b"\r\n");
}

/// `name ": " value CRLF`.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(is_token(name) && is_value(value), "a field that was not checked");
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A field whose value is a decimal number.
pub fn field_u64(out: &mut Vec<u8>, name: &[u8], value: u64) {
    field(out, name, itoa::Buffer::new().format(value).as_bytes());
}

/// The empty line.
pub fn end_of_head(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// One whole chunk. Nothing is written for no data: an empty chunk would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    chunk_head(out, data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// The line before `len` bytes of data (`len` is not 0), after which the caller writes a CRLF.
pub fn chunk_head(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "an empty chunk ends the body");
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[len >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// The chunk that ends a body, with its trailer section.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&Fields>) {
    out.extend_from_slice(b"0\r\n");
    for (_, name, value) in trailers.into_iter().flat_map(Fields::iter) {
        field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b">".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().strip_prefix('>').unwrap().to_owned()
    }

    #[test]
    fn lines() {
        let get = Method::GET;
        assert_eq!(written(|out| request_line(out, &get, b"/a", None)), "GET /a HTTP/1.1\r\n");
        assert_eq!(written(|out| request_line(out, &get, b"/a", Some(b""))), "GET /a? HTTP/1.1\r\n");
        assert_eq!(written(|out| request_line(out, &get, b"/a", Some(b"b?c"))), "GET /a?b?c HTTP/1.1\r\n");
        assert_eq!(written(|out| status_line(out, 200, b"")), "HTTP/1.1 200 OK\r\n");
        assert_eq!(written(|out| status_line(out, 200, b"Fine")), "HTTP/1.1 200 Fine\r\n");
        assert_eq!(written(|out| status_line(out, 418, b"")), "HTTP/1.1 418 I'm a teapot\r\n");
        assert_eq!(written(|out| status_line(out, 799, b"")), "HTTP/1.1 799 \r\n");
        assert_eq!(written(|out| field(out, b"A", b"")), "A: \r\n");
        assert_eq!(written(|out| field_u64(out, b"A", u64::MAX)), "A: 18446744073709551615\r\n");
        assert_eq!(written(end_of_head), "\r\n");
    }

    #[test]
    fn the_table_agrees_with_the_registry() {
        for status in 100..=999 {
            if let Some(line) = common_status_line(status) {
                let reason = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
                assert_eq!(line, format!("HTTP/1.1 {status} {reason}\r\n").as_bytes());
            }
        }
    }

    #[test]
    fn chunks() {
        assert_eq!(written(|out| chunk(out, b"")), "");
        assert_eq!(written(|out| chunk(out, b"abc")), "3\r\nabc\r\n");
        for (len, want) in
            [(1, "1"), (15, "f"), (16, "10"), (255, "ff"), (256, "100"), (usize::MAX, "ffffffffffffffff")]
        {
            assert_eq!(written(|out| chunk_head(out, len)), format!("{want}\r\n"));
        }
        let mut trailers = Fields::default();
        trailers.add(b"Sum", b"1").unwrap();
        assert_eq!(written(|out| last_chunk(out, None)), "0\r\n\r\n");
        assert_eq!(written(|out| last_chunk(out, Some(&trailers))), "0\r\nSum: 1\r\n\r\n");
    }
}
