//! The chunked transfer coding (RFC 9112 section 7.1), byte by byte, so that input may be cut anywhere.
//! Extensions are checked and dropped. It must never take an LF for a CRLF, nor keep more than the trailers it was allowed.

use crate::body::Decoded;
use crate::grammar::{is_ows, is_tchar, is_value_byte};
use crate::{FieldKind, Fields, Malformed, diagnose};

/// Bytes of extensions that one chunk may have.
const MAX_LINE_EXTENSION: u32 = 256;
/// Bytes of extensions that one body may have.
const MAX_BODY_EXTENSIONS: u32 = 16 * 1024;
/// Bytes of a trailer section.
const MAX_TRAILER_BYTES: usize = 8 * 1024;
/// Fields of a trailer section.
const MAX_TRAILERS: usize = 64;
const MAX_SIZE_DIGITS: u8 = 16;

/// Where in the coding the next byte stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
enum Place {
    /// A digit of a chunk size must come.
    #[default]
    SizeStart,
    /// A digit, an extension or the end of the line.
    Size,
    /// White space came where only `;` can go on.
    BeforeSemicolon,
    /// Behind `;`.
    NameStart,
    Name,
    /// White space came behind a name: `=` or `;` can go on.
    AfterName,
    /// Behind `=`.
    ValueStart,
    Token,
    Quoted,
    QuotedPair,
    /// Behind a closing quote.
    AfterQuoted,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line of the trailer section.
    TrailerStart,
    TrailerLine,
    /// Behind the CR of the empty line.
    LastLf,
    Done,
}

/// The state of one chunked body.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    place: Place,
    digits: u8,
    line_extension: u32,
    body_extensions: u32,
    /// What the size line says; then what of the data is still to come.
    left: u64,
    trailers: Fields,
    dropped_trailers: usize,
}

impl Chunked {
    pub(crate) fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    pub(crate) fn trailers(&self) -> &Fields {
        &self.trailers
    }

    pub(crate) fn dropped_trailers(&self) -> usize {
        self.dropped_trailers
    }

    /// See [`BodyDecoder::decode`](crate::BodyDecoder::decode). Takes what it can up to the start of a second piece of content.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Decoded, Malformed> {
        let mut decoded = Decoded::default();
        while let Some(&byte) = input.get(decoded.consumed) {
            match self.place {
                Place::Done => break,
                Place::Data if !decoded.data.is_empty() => break,
                Place::Data => {
                    let available = input.len() - decoded.consumed;
                    let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(available);
                    decoded.data = decoded.consumed..decoded.consumed + len;
                    decoded.consumed += len;
                    self.left -= len as u64;
                    if self.left == 0 {
                        self.place = Place::DataCr;
                    }
                }
                Place::TrailerLine => decoded.consumed += self.trailer_line(&input[decoded.consumed..])?,
                _ => {
                    self.place = self.step(byte)?;
                    decoded.consumed += 1;
                }
            }
        }
        if decoded.data.is_empty() {
            decoded.data = decoded.consumed..decoded.consumed;
        }
        decoded.done = self.is_done();
        Ok(decoded)
    }

    /// What follows one byte of the coding that is neither content nor within a trailer line.
    fn step(&mut self, byte: u8) -> Result<Place, Malformed> {
        match self.place {
            Place::SizeStart | Place::Size => self.size(byte),
            Place::SizeLf => self.size_line_ended(byte),
            Place::DataCr if byte == b'\r' => Ok(Place::DataLf),
            Place::DataLf if byte == b'\n' => Ok(Place::SizeStart),
            Place::DataCr | Place::DataLf => Err(Malformed::ChunkEnd),
            Place::TrailerStart if byte == b'\r' => Ok(Place::LastLf),
            Place::TrailerStart => self.trailer_byte(byte),
            Place::LastLf if byte == b'\n' => {
                self.trailers_ended()?;
                Ok(Place::Done)
            }
            Place::LastLf => Err(Malformed::BareCr),
            _ => self.extension(byte),
        }
    }

    fn size(&mut self, byte: u8) -> Result<Place, Malformed> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if self.place == Place::SizeStart => return Err(Malformed::ChunkSize),
            b'\r' => return Ok(Place::SizeLf),
            b';' | b' ' | b'\t' => return self.extension(byte),
            _ => return Err(Malformed::ChunkSize),
        };
        if self.place == Place::SizeStart {
            (self.digits, self.left, self.line_extension) = (0, 0, 0);
        }
        self.digits += 1;
        if self.digits > MAX_SIZE_DIGITS {
            return Err(Malformed::ChunkSize);
        }
        // Sixteen digits fill 64 bits exactly, so nothing is shifted out.
        self.left = self.left << 4 | u64::from(digit);
        Ok(Place::Size)
    }

    /// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`
    fn extension(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.line_extension += 1;
        self.body_extensions += 1;
        if self.line_extension > MAX_LINE_EXTENSION || self.body_extensions > MAX_BODY_EXTENSIONS {
            return Err(Malformed::ChunkExtensionTooLong);
        }
        let next = match (self.place, byte) {
            (Place::Quoted, b'"') => Place::AfterQuoted,
            (Place::Quoted, b'\\') => Place::QuotedPair,
            (Place::Quoted | Place::QuotedPair, byte) if is_value_byte(byte) => Place::Quoted,
            (Place::Quoted | Place::QuotedPair, _) => return Err(Malformed::ChunkExtension),
            (Place::NameStart | Place::Name, byte) if is_tchar(byte) => Place::Name,
            (Place::ValueStart | Place::Token, byte) if is_tchar(byte) => Place::Token,
            (Place::NameStart | Place::ValueStart, byte) if is_ows(byte) => self.place,
            (Place::ValueStart, b'"') => Place::Quoted,
            (Place::NameStart | Place::ValueStart, _) => return Err(Malformed::ChunkExtension),
            (Place::Name | Place::AfterName, b'=') => Place::ValueStart,
            (_, b';') => Place::NameStart,
            (Place::Name | Place::AfterName, byte) if is_ows(byte) => Place::AfterName,
            (_, byte) if is_ows(byte) => Place::BeforeSemicolon,
            (Place::Name | Place::Token | Place::AfterQuoted, b'\r') => Place::SizeLf,
            _ => return Err(Malformed::ChunkExtension),
        };
        Ok(next)
    }

    fn size_line_ended(&mut self, byte: u8) -> Result<Place, Malformed> {
        if byte != b'\n' {
            return Err(Malformed::BareCr);
        }
        if self.left > i64::MAX as u64 {
            return Err(Malformed::ChunkSizeTooLarge);
        }
        Ok(if self.left == 0 { Place::TrailerStart } else { Place::Data })
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.keep_trailer_bytes(&[byte])?;
        Ok(if byte == b'\n' { Place::TrailerStart } else { Place::TrailerLine })
    }

    /// Takes the rest of a trailer line, or as much of it as is there.
    fn trailer_line(&mut self, rest: &[u8]) -> Result<usize, Malformed> {
        let lf = memchr::memchr(b'\n', rest);
        let len = lf.map_or(rest.len(), |lf| lf + 1);
        self.keep_trailer_bytes(&rest[..len])?;
        if lf.is_some() {
            self.place = Place::TrailerStart;
        }
        Ok(len)
    }

    fn keep_trailer_bytes(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.trailers.bytes.len() + bytes.len() > MAX_TRAILER_BYTES {
            return Err(Malformed::TrailersTooLarge);
        }
        self.trailers.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads the section as the fields of a head are read, and drops what may not stand there.
    fn trailers_ended(&mut self) -> Result<(), Malformed> {
        if self.trailers.bytes.is_empty() {
            return Ok(());
        }
        // What httparse and the caller's head accept must be one grammar, so the same checks run first here.
        if let Some(malformed) = diagnose::fields(&self.trailers.bytes) {
            return Err(malformed);
        }
        let bytes = {
            let mut bytes = std::mem::take(&mut self.trailers.bytes);
            bytes.extend_from_slice(b"\r\n");
            bytes
        };
        let mut slots = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        let parsed = match httparse::parse_headers(&bytes, &mut slots) {
            Ok(httparse::Status::Complete((_, parsed))) => parsed,
            Ok(httparse::Status::Partial) => return Err(Malformed::FieldName),
            Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TrailersTooLarge),
            Err(_) => return Err(Malformed::FieldValue),
        };
        self.trailers.load(&bytes, parsed)?;
        self.trailers.received = bytes.len();
        self.trailers.bytes = bytes;
        let Fields { bytes, list, .. } = &mut self.trailers;
        let before = list.len();
        list.retain(|field| field.kind == FieldKind::Other && !is_forbidden(field.name.of(bytes)));
        self.dropped_trailers = before - list.len();
        Ok(())
    }
}

/// Controls, conditions and representation data of RFC 9110 that have no kind of their own and must not come in trailers (section
/// 6.5.1): they would have had to be known before the content.
fn is_forbidden(name: &[u8]) -> bool {
    const FORBIDDEN: [&str; 20] = [
        "accept-ranges",
        "age",
        "content-language",
        "content-location",
        "content-range",
        "expires",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "location",
        "max-forwards",
        "pragma",
        "proxy-authentication-info",
        "range",
        "retry-after",
        "vary",
        "warning",
        "www-authenticate",
    ];
    FORBIDDEN.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes()))
}
