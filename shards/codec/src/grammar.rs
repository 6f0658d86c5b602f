//! The few lexical rules of RFC 9110 section 5.6 that the rest is built of: tokens, field values, white space, lists.
//! Pure functions over bytes; nothing here knows a field by its name.

/// `tchar` of RFC 9110 section 5.6.2.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = matches!(
            b as u8,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
                | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
        );
        b += 1;
    }
    table
};

pub(crate) fn is_tchar(b: u8) -> bool {
    TOKEN[b as usize]
}

/// `token`: one or more `tchar`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| is_tchar(b))
}

/// What may stand inside a field value: HTAB, SP, visible ASCII and obs-text (RFC 9110 section 5.5).
pub(crate) fn is_value_byte(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

/// A whole field value; empty is one.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is_value_byte(b))
}

/// `OWS` is SP and HTAB, nothing else (RFC 9110 section 5.6.3).
pub(crate) fn is_ows(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// Takes `OWS` from both ends.
pub(crate) fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_ows(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_ows(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list; empty elements are passed over (RFC 9110 section 5.6.1.2).
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim_ows).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_elements() {
        let check = |value: &str, want: &[&str]| {
            let got: Vec<_> = list(value.as_bytes()).map(|e| std::str::from_utf8(e).unwrap()).collect();
            assert_eq!(got, want, "{value:?}");
        };
        check("", &[]);
        check(" , ,", &[]);
        check("close", &["close"]);
        check(" close ,\tUpgrade", &["close", "Upgrade"]);
        check("a b,c", &["a b", "c"]);
    }

    #[test]
    fn tokens_and_values() {
        for b in 0..=255u8 {
            assert_eq!(is_tchar(b), b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b), "{b:#x}");
            assert_eq!(is_value(&[b]), b == b'\t' || !(b < 0x20 || b == 0x7f), "{b:#x}");
        }
        assert!(!is_token(b"") && is_token(b"GET") && !is_token(b"G T") && is_value(b""));
    }
}
