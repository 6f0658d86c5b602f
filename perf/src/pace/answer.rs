//! Finds the end of an HTTP/1.1 answer in the pieces that arrive, over httparse. Counts bytes; keeps no body.

/// The longest head that is taken, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_FIELDS: usize = 128;

/// A whole answer was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) status: u16,
    /// The connection takes another request.
    pub(crate) keep: bool,
}

/// What arrives is no HTTP/1.1 answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotHttp;

#[derive(Debug)]
enum Part {
    Head,
    /// Bytes that are missing.
    Body(u64),
    /// The line before a chunk, so far in `kept`.
    ChunkSize,
    /// Bytes of a chunk and of the line end after it that are missing.
    Chunk(u64),
    /// Fields after the last chunk, so far in `kept`.
    Trailer,
    UntilClosed,
}

/// Reads one answer after the other.
#[derive(Debug)]
pub(crate) struct Answer {
    part: Part,
    kept: Vec<u8>,
    ended: Ended,
}

impl Answer {
    pub(crate) fn new() -> Self {
        Self { part: Part::Head, kept: Vec::new(), ended: Ended { status: 0, keep: true } }
    }

    /// Takes a piece. Some when it was the end of an answer; bytes beyond that end are not HTTP, for nothing was asked.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) -> Result<Option<Ended>, NotHttp> {
        loop {
            match &mut self.part {
                Part::Head => {
                    // Most answers come whole: those are not copied.
                    let whole = if self.kept.is_empty() { head(piece)? } else { None };
                    let (head, length) = match whole {
                        Some(found) => found,
                        None => {
                            let before = self.kept.len();
                            self.kept.extend_from_slice(piece);
                            if self.kept.len() > MAX_HEAD {
                                return Err(NotHttp);
                            }
                            match head(&self.kept)? {
                                Some((head, length)) => (head, length - before),
                                None => return Ok(None),
                            }
                        }
                    };
                    self.kept.clear();
                    piece = &piece[length..];
                    if head.status < 200 {
                        continue;
                    }
                    self.ended = Ended { status: head.status, keep: head.keep };
                    self.part = head.body;
                }
                Part::Body(missing) => {
                    let taken = (*missing).min(piece.len() as u64);
                    *missing -= taken;
                    piece = &piece[taken as usize..];
                    return if *missing == 0 { self.end(piece) } else { Ok(None) };
                }
                Part::Chunk(missing) => {
                    let taken = (*missing).min(piece.len() as u64);
                    *missing -= taken;
                    piece = &piece[taken as usize..];
                    if *missing > 0 {
                        return Ok(None);
                    }
                    self.part = Part::ChunkSize;
                }
                Part::ChunkSize => {
                    let Some(line) = self.line(&mut piece)? else { return Ok(None) };
                    let size = match httparse::parse_chunk_size(&line) {
                        Ok(httparse::Status::Complete((_, size))) => size,
                        _ => return Err(NotHttp),
                    };
                    self.part = if size == 0 { Part::Trailer } else { Part::Chunk(size.saturating_add(2)) };
                }
                Part::Trailer => match self.line(&mut piece)? {
                    Some(line) if line == b"\r\n" => return self.end(piece),
                    Some(_) => {}
                    None => return Ok(None),
                },
                Part::UntilClosed => return Ok(None),
            }
        }
    }

    /// The connection was closed; some if that was the end of the answer.
    pub(crate) fn closed(&mut self) -> Option<Ended> {
        let until_closed = matches!(self.part, Part::UntilClosed);
        until_closed.then_some(Ended { keep: false, ..self.ended })
    }

    fn end(&mut self, rest: &[u8]) -> Result<Option<Ended>, NotHttp> {
        self.part = Part::Head;
        if rest.is_empty() { Ok(Some(self.ended)) } else { Err(NotHttp) }
    }

    /// A line with its end, once it is there.
    fn line(&mut self, piece: &mut &[u8]) -> Result<Option<Vec<u8>>, NotHttp> {
        let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1);
        self.kept.extend_from_slice(&piece[..end]);
        *piece = &piece[end..];
        if self.kept.len() > MAX_HEAD {
            return Err(NotHttp);
        }
        Ok(self.kept.ends_with(b"\n").then(|| std::mem::take(&mut self.kept)))
    }
}

struct Head {
    status: u16,
    keep: bool,
    body: Part,
}

/// A head and its length, once it is whole.
fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, NotHttp> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NotHttp),
    };
    let status = response.code.ok_or(NotHttp)?;
    let field = |name: &str| {
        let found = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let says = |name, value: &str| field(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    // RFC 9112, section 6.3; requests of this load are never HEAD or CONNECT.
    let body = match field("content-length") {
        _ if matches!(status, 204 | 304) => Part::Body(0),
        _ if says("transfer-encoding", "chunked") => Part::ChunkSize,
        Some(length) => Part::Body(length.parse().map_err(|_| NotHttp)?),
        None => Part::UntilClosed,
    };
    let keep = match response.version {
        Some(1) => !says("connection", "close"),
        _ => says("connection", "keep-alive"),
    };
    Ok(Some((Head { status, keep, body }, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_answer_is_found_however_it_is_cut() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Ok(Some((200, true)))),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: close\r\n\r\n", Ok(Some((200, false)))),
            ("HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No\r\n\r\n", Ok(Some((204, true)))),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", Ok(Some((200, false)))),
            (
                "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nabcde\r\n0\r\nA: b\r\n\r\n",
                Ok(Some((503, true))),
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", Ok(None)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n", Ok(None)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", Err(NotHttp)),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err(NotHttp)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Err(NotHttp)),
            ("SSH-2.0-x\r\n", Err(NotHttp)),
        ] {
            for step in [1, 2, 7, answer.len()] {
                let mut reader = Answer::new();
                let mut told = Ok(None);
                for piece in answer.as_bytes().chunks(step) {
                    told = match (told, reader.feed(piece)) {
                        (Ok(None), now) => now,
                        (Ok(Some(_)), _) | (Err(NotHttp), _) => Err(NotHttp),
                    };
                }
                let told = told.map(|ended| ended.map(|ended| (ended.status, ended.keep)));
                assert_eq!(told, expected, "{answer:?} in pieces of {step}");
            }
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_its_connection() {
        let mut reader = Answer::new();
        assert_eq!(reader.closed(), None);
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\n\r\nabc"), Ok(None));
        assert_eq!(reader.closed(), Some(Ended { status: 200, keep: false }));
        let mut reader = Answer::new();
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), Ok(None));
        assert_eq!(reader.closed(), None);
    }
}
