//! Text of a stranger inside a line: nothing a client sends can end a field or a line, or say something to the terminal of
//! whoever reads it. Plain text, which nearly all is, is found to be so in one pass and copied whole.

/// Which bytes must not stand in a field of a template, besides those that never may.
#[derive(Clone, Debug)]
pub(super) struct Delimiters {
    bytes: [bool; 128],
    /// There are more of them than quotation marks and backslashes.
    is_bare: bool,
}

impl Delimiters {
    /// Only quotation marks and backslashes: for fields that stand in quotation marks.
    pub(super) fn quotes() -> Self {
        let mut bytes = [false; 128];
        (bytes[usize::from(b'"')], bytes[usize::from(b'\\')]) = (true, true);
        Self { bytes, is_bare: false }
    }

    /// Adds what ends a field.
    pub(super) fn add(&mut self, byte: u8) {
        if let Some(is_one) = self.bytes.get_mut(usize::from(byte)) {
            (*is_one, self.is_bare) = (true, true);
        }
    }

    fn contain(&self, byte: u8) -> bool {
        self.bytes.get(usize::from(byte)).is_none_or(|is_one| *is_one)
    }
}

/// Whether all bytes are printable ASCII, and none a quotation mark or backslash. Eight at a time: a byte that is not makes
/// the highest bit of its own place, or of one above it.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let below = |word: u64, byte: u8| word.wrapping_sub(u64::from(byte) * ONES) & !word;
    let is = |word: u64, byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
    let odd =
        |word: u64| (word | below(word, b' ') | is(word, b'"') | is(word, b'\\') | is(word, 0x7f)) & HIGH;
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(_), Some(last)) => {
            let (words, _) = bytes.as_chunks::<8>();
            words
                .iter()
                .fold(odd(u64::from_le_bytes(*last)), |any, word| any | odd(u64::from_le_bytes(*word)))
                == 0
        }
        _ => bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')),
    }
}

/// Inside a JSON string (RFC 8259 section 7): control characters, also those beyond ASCII and the line ends that Unicode
/// adds, and quotes are escaped; what is no UTF-8 is replaced.
pub(super) fn json(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    json_slowly(out, bytes);
}

#[cold]
fn json_slowly(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
                '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    out.extend_from_slice(b"\\u");
                    hex(out, (c as u32 >> 8) as u8);
                    hex(out, c as u8);
                }
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// In a template's line, in the way of Apache's `mod_log_config`: what is not printable ASCII, and the delimiters, become
/// `\xHH`, quotation marks and backslashes get a backslash.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8], delimiters: &Delimiters) {
    if is_plain(bytes) && !(delimiters.is_bare && bytes.iter().any(|byte| delimiters.contain(*byte))) {
        return out.extend_from_slice(bytes);
    }
    text_slowly(out, bytes, delimiters);
}

fn text_slowly(out: &mut Vec<u8>, bytes: &[u8], delimiters: &Delimiters) {
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            0x20..=0x7e if !delimiters.contain(*byte) => out.push(*byte),
            _ => {
                out.extend_from_slice(b"\\x");
                hex(out, *byte);
            }
        }
    }
}

fn hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_told_at_every_place() {
        for length in 1..40 {
            let plain: Vec<u8> = (0..length).map(|at| b" !#[]~aZ09"[at % 10]).collect();
            assert!(is_plain(&plain), "{plain:?}");
            for at in 0..length {
                for odd in (0..=0x1f).chain([b'"', b'\\']).chain(0x7f..=0xff) {
                    let mut bytes = plain.clone();
                    bytes[at] = odd;
                    assert!(!is_plain(&bytes), "{odd} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn json_text_cannot_leave_its_string() {
        for (bytes, expected) in [
            (&b"/plain"[..], "/plain"),
            (b"/a\"b\\c", r#"/a\"b\\c"#),
            (b"/\n\x7f\x1b[31m", r"/\u000a\u007f\u001b[31m"),
            ("/\u{e4}".as_bytes(), "/\u{e4}"),
            ("\u{85}\u{2028}".as_bytes(), r"\u0085\u2028"),
            (b"/\xff!", "/\u{fffd}!"),
        ] {
            let mut out = Vec::new();
            json(&mut out, bytes);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }

    #[test]
    fn text_cannot_leave_its_field() {
        let mut split = Delimiters::quotes();
        b" |".iter().for_each(|byte| split.add(*byte));
        for (bytes, quoted, bare) in [
            (&b"/plain-1.0"[..], "/plain-1.0", "/plain-1.0"),
            (b"a b|c", "a b|c", r"a\x20b\x7cc"),
            (b"a\"b\\", r#"a\"b\\"#, r#"a\"b\\"#),
            (b"\r\n\x00\x7f\xff", r"\x0d\x0a\x00\x7f\xff", r"\x0d\x0a\x00\x7f\xff"),
            ("\u{e4}".as_bytes(), r"\xc3\xa4", r"\xc3\xa4"),
        ] {
            for (delimiters, expected) in [(&Delimiters::quotes(), quoted), (&split, bare)] {
                let mut out = Vec::new();
                text(&mut out, bytes, delimiters);
                assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
            }
        }
    }
}
