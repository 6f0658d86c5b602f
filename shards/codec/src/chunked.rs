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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode;
    use crate::{BodyDecoder, BodyFraming};
    use proptest::prelude::*;

    /// Content, whether the body is done, and how much of the input was left over.
    type Outcome = Result<(Vec<u8>, bool, usize), Malformed>;

    /// Decodes input that comes in pieces which end at `cuts`.
    fn decode(decoder: &mut BodyDecoder, input: &[u8], cuts: &[usize]) -> Outcome {
        let mut content = Vec::new();
        let mut at = 0;
        for end in cuts.iter().copied().chain([input.len()]) {
            while !decoder.is_done() {
                let decoded = decoder.decode(&input[at..end])?;
                assert!(decoded.data.end <= decoded.consumed && decoded.done == decoder.is_done());
                content.extend_from_slice(&input[at..end][decoded.data]);
                at += decoded.consumed;
                if decoded.consumed == 0 {
                    break;
                }
            }
        }
        Ok((content, decoder.is_done(), input.len() - at))
    }

    fn chunked(input: &[u8], cuts: &[usize]) -> (Outcome, BodyDecoder) {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        (decode(&mut decoder, input, cuts), decoder)
    }

    fn check(input: &str, want: Result<(&str, bool, usize), Malformed>) -> BodyDecoder {
        let input = input.as_bytes();
        let want = want.map(|(content, done, left)| (content.as_bytes().to_vec(), done, left));
        let every_byte: Vec<_> = (0..input.len()).collect();
        assert_eq!(chunked(input, &every_byte).0, want, "{:?} byte by byte", String::from_utf8_lossy(input));
        let (got, decoder) = chunked(input, &[]);
        assert_eq!(got, want, "{:?}", String::from_utf8_lossy(input));
        decoder
    }

    #[test]
    fn bodies() {
        check("0\r\n\r\n", Ok(("", true, 0)));
        check("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET", Ok(("hello world", true, 3)));
        check("a\r\n0123456789\r\n000\r\n\r\n", Ok(("0123456789", true, 0)));
        check("A\r\n0123456789\r\n", Ok(("0123456789", false, 0)));
        check("0000000000000001\r\nx\r\n0\r\n\r\n", Ok(("x", true, 0)));
        check("7fffffffffffffff\r\nx", Ok(("x", false, 0)));
        check("2\r\n\r\n\r\n0\r\n\r\n", Ok(("\r\n", true, 0)));
    }

    #[test]
    fn one_call_takes_a_whole_small_body() {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked);
        let decoded = decoder.decode(b"3\r\nabc\r\n0\r\n\r\nGET").unwrap();
        assert_eq!(decoded, Decoded { consumed: 13, data: 3..6, done: true });
    }

    #[test]
    fn extensions_are_checked_and_dropped() {
        for ok in [
            ";a",
            ";a=b",
            ";a=\"b\"",
            ";a=\"\"",
            ";a;b=c;d",
            " ; a = b ; c",
            "\t;a\t=\t\"b;\\\" \"",
            ";a=\"\u{e9}\"",
        ] {
            check(&format!("1{ok}\r\nx\r\n0{ok}\r\n\r\n"), Ok(("x", true, 0)));
        }
        for bad in [
            ";",
            ";;",
            ";=",
            ";a=",
            ";a=;",
            ";a b",
            "; ",
            ";a ",
            ";a=b ",
            " ",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=\"\x01\"",
            ";a=\"\\\x01\"",
            ";a\0",
            ";a=b=c",
            " a",
            ";(a)",
            ";a,b",
        ] {
            let (got, _) = chunked(format!("1{bad}\r\nx\r\n0\r\n\r\n").as_bytes(), &[]);
            assert_eq!(got, Err(Malformed::ChunkExtension), "{bad:?}");
        }
        let of = |len: usize| format!("1;{}\r\nx\r\n", "a".repeat(len - 2));
        check(&(of(256) + "0\r\n\r\n"), Ok(("x", true, 0)));
        check(&of(257), Err(Malformed::ChunkExtensionTooLong));
        check(&(of(256).repeat(64) + "0\r\n\r\n"), Ok((&"x".repeat(64), true, 0)));
        check(&(of(256).repeat(64) + "0;a"), Err(Malformed::ChunkExtensionTooLong));
    }

    #[test]
    fn refusals() {
        for bad in [
            "\r\n",
            " 1\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1\n",
            "1,\r\n",
            "00000000000000001\r\n",
            ";a\r\n",
            "g",
        ] {
            check(bad, Err(Malformed::ChunkSize));
        }
        check("8000000000000000\r\n", Err(Malformed::ChunkSizeTooLarge));
        check("ffffffffffffffff\r\n", Err(Malformed::ChunkSizeTooLarge));
        check("1\rx", Err(Malformed::BareCr));
        check("1;a\n", Err(Malformed::ChunkExtension));
        check("1\r\nxy\r\n", Err(Malformed::ChunkEnd));
        check("1\r\nx\n", Err(Malformed::ChunkEnd));
        check("1\r\nx\rx", Err(Malformed::ChunkEnd));
        check("1\r\nx0\r\n\r\n", Err(Malformed::ChunkEnd));
        check("0\r\n\rx", Err(Malformed::BareCr));
        check("0\r\n\n\r\n", Err(Malformed::BareLf));
        check("0\r\na: b\n\r\n", Err(Malformed::BareLf));
        check("0\r\na: b\rc\r\n\r\n", Err(Malformed::BareCr));
        check("0\r\na\r\n\r\n", Err(Malformed::MissingColon));
        check("0\r\n a: b\r\n\r\n", Err(Malformed::ObsFold));
        check("0\r\na: b\r\n c\r\n\r\n", Err(Malformed::ObsFold));
        check("0\r\na : b\r\n\r\n", Err(Malformed::SpaceBeforeColon));
        check("0\r\n: b\r\n\r\n", Err(Malformed::EmptyFieldName));
        check("0\r\na@: b\r\n\r\n", Err(Malformed::FieldName));
        check("0\r\na: \0\r\n\r\n", Err(Malformed::FieldValue));
        check("0\r\nx_forwarded_for: a\r\n\r\n", Err(Malformed::FieldAlias));
        check(&format!("0\r\na: {}\r\n\r\n", "b".repeat(9000)), Err(Malformed::TrailersTooLarge));
        check(&format!("0\r\n{}\r\n", "a: b\r\n".repeat(65)), Err(Malformed::TrailersTooLarge));
    }

    #[test]
    fn trailers() {
        let of = |section: &str, dropped: usize| {
            let decoder = check(&format!("1\r\nx\r\n0\r\n{section}\r\n"), Ok(("x", true, 0)));
            assert_eq!(decoder.dropped_trailers(), dropped, "{section:?}");
            let shown = |(_, n, v): (_, &[u8], &[u8])| {
                format!("{}={} ", String::from_utf8_lossy(n), String::from_utf8_lossy(v))
            };
            decoder.trailers().iter().map(shown).collect::<String>()
        };
        assert_eq!(of("", 0), "");
        assert_eq!(of("Sum: 1\r\nGrpc-Status:  0 \r\n", 0), "Sum=1 Grpc-Status=0 ");
        assert_eq!(of("Vary: *\r\nContent-Type: text/plain\r\nA:\r\n", 2), "A= ");
        let bad = "Host: a\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: x\r\nX-Forwarded-For: y\r\na_b: c\r\n";
        assert_eq!(of(bad, 6), "");
        assert_eq!(of(&"a: b\r\n".repeat(64), 0).len(), 64 * 4);
    }

    #[test]
    fn other_framings() {
        let run = |framing, input: &[u8]| {
            let mut decoder = BodyDecoder::new(framing);
            let outcome = decode(&mut decoder, input, &[1]).unwrap();
            (outcome.0.len(), outcome.1, outcome.2, decoder.remaining(), decoder.end_of_input())
        };
        assert_eq!(run(BodyFraming::None, b"abc"), (0, true, 3, Some(0), Ok(())));
        assert_eq!(run(BodyFraming::Length(0), b"abc"), (0, true, 3, Some(0), Ok(())));
        assert_eq!(run(BodyFraming::Length(2), b"abc"), (2, true, 1, Some(0), Ok(())));
        assert_eq!(run(BodyFraming::Length(5), b"abc"), (3, false, 0, Some(2), Err(Malformed::Truncated)));
        assert_eq!(run(BodyFraming::UntilClose, b"abc"), (3, false, 0, None, Ok(())));
        assert_eq!(
            run(BodyFraming::Chunked, b"1\r\nx\r\n0\r\n\r"),
            (1, false, 0, None, Err(Malformed::Truncated))
        );
        let mut decoder = BodyDecoder::new(BodyFraming::UntilClose);
        decoder.end_of_input().unwrap();
        assert!(decoder.is_done() && decoder.decode(b"abc").unwrap().done && decoder.trailers().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            trailer in prop::option::of("[a-z]{1,8}"),
            mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
            tail in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let mut trailers = Fields::default();
            if let Some(value) = &trailer {
                trailers.add(b"sum", value.as_bytes()).unwrap();
            }
            let mut wire = Vec::new();
            pieces.iter().for_each(|piece| encode::chunk(&mut wire, piece));
            encode::last_chunk(&mut wire, Some(&trailers));
            wire.extend_from_slice(&tail);
            let mut cuts: Vec<_> = cuts.drain(..).map(|cut| cut.index(wire.len())).collect();
            cuts.sort_unstable();
            let (got, decoder) = chunked(&wire, &cuts);
            prop_assert_eq!(got, Ok((pieces.concat(), true, tail.len())));
            prop_assert_eq!(decoder.trailers().get(b"sum"), trailer.as_deref().map(str::as_bytes));
        }

        #[test]
        fn cuts_do_not_matter(
            input in "([0-9a-f]{1,2}|;a=b| |\"|\r\n|\r|\n|x|0\r\n\r\n|a: b){0,12}",
            mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let input = input.as_bytes();
            let mut cuts: Vec<_> = cuts.drain(..).map(|cut| cut.index(input.len() + 1)).collect();
            cuts.sort_unstable();
            prop_assert_eq!(chunked(input, &cuts).0, chunked(input, &[]).0);
        }
    }
}
