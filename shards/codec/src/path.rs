//! The one canonical form of a path, which matching, policies, modules and upstreams all see.
//! It decodes once, and refuses whatever two readers could take for two different paths. It must never resolve dot segments.

use crate::Malformed;

/// What a router may want to know about a canonical path.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct PathFlags {
    /// Holds `%2F`: a backend that decodes it sees another segment. Routes have to opt in to such paths.
    pub encoded_slash: bool,
    /// Holds raw bytes from 0x80 up (valid UTF-8; RFC 3986 wants them encoded, clients send them all the same).
    pub non_ascii: bool,
    /// Holds `%`, `=` or `@`: whoever writes it down looks for credentials then.
    pub has_marks: bool,
}

const PERCENT: u8 = 1;
const DOT: u8 = 2;
const BACKSLASH: u8 = 4;
const BAD: u8 = 8;
const HIGH: u8 = 16;
const MARK: u8 = 32;

/// What each byte of a path asks for.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'%' => PERCENT,
            b'=' | b'@' => MARK,
            b'.' => DOT,
            b'\\' => BACKSLASH,
            0..=b' ' | 0x7f | b'?' | b'#' => BAD,
            0x80.. => HIGH,
            _ => 0,
        };
        b += 1;
    }
    table
};

/// Appends the canonical form of `raw` to `out`. Percent-encoded unreserved characters are decoded, once; the hexadecimal digits
/// of the others become upper case; everything else stays as it is, `//` and `;` included. The result is its own canonical form.
///
/// # Errors
/// The path does not begin with `/`; control characters, space, `?` or `#`; a `%` without two digits; `%00`; a backslash, raw or
/// encoded; a `.` or `..` segment, raw or encoded, with or without `;parameters`, also where an encoded slash bounds it; bytes from
/// 0x80 up that are not UTF-8, and encoded ones that are overlong. `out` may have grown then.
pub fn canonical_path(raw: &[u8], out: &mut Vec<u8>) -> Result<PathFlags, Malformed> {
    match scan(raw)? {
        Scan::Canonical(flags) => {
            out.extend_from_slice(raw);
            Ok(flags)
        }
        Scan::Rewrite(flags) => rewrite(raw, flags, out),
    }
}

/// What one look over a path found.
pub(crate) enum Scan {
    /// It is canonical as it stands.
    Canonical(PathFlags),
    /// It holds percent signs and goes through [`rewrite`].
    Rewrite(PathFlags),
}

/// The one pass that most paths get.
pub(crate) fn scan(raw: &[u8]) -> Result<Scan, Malformed> {
    if raw.first() != Some(&b'/') {
        return Err(Malformed::PathNotAbsolute);
    }
    let seen = raw.iter().fold(0, |seen, &b| seen | CLASS[b as usize]);
    if seen & BAD != 0 {
        return Err(Malformed::PathByte);
    }
    if seen & BACKSLASH != 0 {
        return Err(Malformed::PathBackslash);
    }
    if seen & HIGH != 0 && std::str::from_utf8(raw).is_err() {
        return Err(Malformed::PathUtf8);
    }
    let flags =
        PathFlags { non_ascii: seen & HIGH != 0, has_marks: seen & MARK != 0, ..PathFlags::default() };
    if seen & PERCENT != 0 {
        return Ok(Scan::Rewrite(flags));
    }
    if seen & DOT != 0 && has_dot_segment(raw) {
        return Err(Malformed::PathDotSegment);
    }
    Ok(Scan::Canonical(flags))
}

/// Appends the canonical form of a path that [`scan`] sent here.
pub(crate) fn rewrite(raw: &[u8], mut flags: PathFlags, out: &mut Vec<u8>) -> Result<PathFlags, Malformed> {
    let start = out.len();
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            out.push(*first);
            rest = tail;
            continue;
        }
        let [high, low, tail @ ..] = tail else { return Err(Malformed::PathPercent) };
        let (Some(h), Some(l)) = (hex(*high), hex(*low)) else { return Err(Malformed::PathPercent) };
        match h << 4 | l {
            0 => return Err(Malformed::PathNul),
            b'\\' => return Err(Malformed::PathBackslash),
            b @ (b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~') => out.push(b),
            b if is_overlong(b, tail) => return Err(Malformed::PathUtf8),
            b => {
                flags.encoded_slash |= b == b'/';
                out.extend_from_slice(&[b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
            }
        }
        rest = tail;
    }
    if has_dot_segment(&out[start..]) {
        return Err(Malformed::PathDotSegment);
    }
    flags.has_marks |= out[start..].contains(&b'%');
    Ok(flags)
}

/// Whether an encoded byte and what follows it spell a character in more bytes than it needs (RFC 3629 section 3): a lenient
/// reader takes `%C0%AF` for a slash. Other bytes that are no UTF-8 stay: old encodings are in use.
fn is_overlong(lead: u8, tail: &[u8]) -> bool {
    let [b'%', next, _, ..] = tail else { return false };
    matches!(
        (lead, next),
        (0xc0 | 0xc1, b'8' | b'9' | b'a' | b'b' | b'A' | b'B') | (0xe0, b'8' | b'9') | (0xf0, b'8')
    )
}

/// Looks for `.` and `..` between slashes, raw or encoded. Parameters do not count, since servers that know them (`/..;/`) take
/// them off before they resolve.
fn has_dot_segment(path: &[u8]) -> bool {
    memchr::memchr_iter(b'.', path).any(|at| begins_segment(&path[..at]) && is_dots(&path[at..]))
}

fn begins_segment(before: &[u8]) -> bool {
    before.ends_with(b"/") || before.ends_with(b"%2F")
}

/// `rest` begins with a dot at the start of a segment: is the segment `.` or `..`?
fn is_dots(rest: &[u8]) -> bool {
    let after = rest.strip_prefix(b"..").unwrap_or(&rest[1..]);
    matches!(after, [] | [b'/' | b';', ..] | [b'%', b'2', b'F', ..] | [b'%', b'3', b'B', ..])
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(raw: &[u8]) -> Result<(Vec<u8>, PathFlags), Malformed> {
        let mut out = Vec::new();
        canonical_path(raw, &mut out).map(|flags| (out, flags))
    }

    #[test]
    fn forms() {
        let check = |raw: &str, want: &str| {
            let (out, flags) = canonical(raw.as_bytes()).unwrap_or_else(|e| panic!("{raw}: {e}"));
            assert_eq!(std::str::from_utf8(&out).unwrap(), want, "{raw}");
            assert_eq!(flags.encoded_slash, want.contains("%2F"), "{raw}");
            assert_eq!(flags.non_ascii, !want.is_ascii(), "{raw}");
            assert_eq!(flags.has_marks, want.contains(['%', '=', '@']), "{raw}");
        };
        check("/", "/");
        check("/a/b.c", "/a/b.c");
        check("//a//b", "//a//b");
        check("/%61%2D%7e%5F", "/a-~_");
        check("/%c3%a9", "/%C3%A9");
        check("/é", "/é");
        check("/%25", "/%25");
        check("/%252e%252e/", "/%252e%252e/");
        check("/%2525", "/%2525");
        check("/a%2fb", "/a%2Fb");
        check("/a%3fb%23", "/a%3Fb%23");
        check("/%20%0a", "/%20%0A");
        check("/...", "/...");
        check("/a;b=c", "/a;b=c");
        check("/@a", "/@a");
        check("/..a/.b/a../a.", "/..a/.b/a../a.");
        check("/.well-known/x", "/.well-known/x");
        check("/%2ewell-known", "/.well-known");
        check("/a;v=1/b", "/a;v=1/b");
        check("/;..", "/;..");
        check("/{a}|\"<b>^`", "/{a}|\"<b>^`");
        check("/a:b@c", "/a:b@c");
    }

    #[test]
    fn refusals() {
        let check = |raw: &str, want: Malformed| assert_eq!(canonical(raw.as_bytes()), Err(want), "{raw}");
        check("", Malformed::PathNotAbsolute);
        check("a", Malformed::PathNotAbsolute);
        check("*", Malformed::PathNotAbsolute);
        check("/a b", Malformed::PathByte);
        check("/a\tb", Malformed::PathByte);
        check("/a\x7f", Malformed::PathByte);
        check("/a\0", Malformed::PathByte);
        check("/a?b", Malformed::PathByte);
        check("/a#b", Malformed::PathByte);
        for bad in ["/%", "/%4", "/%zz", "/%4g", "/%%41", "/a%2", "/%u0041"] {
            check(bad, Malformed::PathPercent);
        }
        check("/a%00b", Malformed::PathNul);
        check("/a\\b", Malformed::PathBackslash);
        check("/a%5cb", Malformed::PathBackslash);
        check("/a%5Cb", Malformed::PathBackslash);
        for dots in [
            "/.",
            "/..",
            "/../",
            "/a/..",
            "/a/../b",
            "/a/./b",
            "/%2e",
            "/%2e%2E/",
            "/.%2e/a",
            "/a/%2e./b",
            "/..;/a",
            "/.;x",
            "/..;a=b",
            "/%2e%2e;/",
            "/..%3b/",
            "/..%3Ba",
            "/..%2fa",
            "/a%2f..",
            "/a%2f..%2fb",
            "/a%2F%2e%2e",
            "//..",
        ] {
            check(dots, Malformed::PathDotSegment);
        }
        assert_eq!(canonical(b"/\xc0\xae"), Err(Malformed::PathUtf8));
        for overlong in ["/%c0%af", "/a%C1%81", "/%e0%80%af", "/%E0%9f%bf", "/%f0%8f%bf%bf"] {
            assert_eq!(canonical(overlong.as_bytes()), Err(Malformed::PathUtf8), "{overlong}");
        }
        for fine in ["/%C3%A4", "/%E0%A4%85", "/%F0%9F%99%82", "/caf%E9", "/%C0", "/%C0x"] {
            assert!(canonical(fine.as_bytes()).is_ok(), "{fine}");
        }
        assert_eq!(canonical(b"/%61\xff"), Err(Malformed::PathUtf8));
    }

    /// Bytes that make interesting paths far more often than chance would.
    fn path_bytes() -> impl Strategy<Value = Vec<u8>> {
        let pieces: [&[u8]; 16] = [
            b"/",
            b".",
            b"%2e",
            b"%2f",
            b"%25",
            b";",
            b"%3b",
            b"a",
            b"%41",
            b"%c3",
            b"\xc3\xa9",
            b"%",
            b"2e",
            b"\\",
            b"%5c",
            b" ",
        ];
        let piece = prop::sample::select(pieces.to_vec());
        prop::collection::vec(piece, 0..12).prop_map(|pieces| [&b"/"[..], &pieces.concat()].concat())
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent_and_safe(raw in prop_oneof![path_bytes(), prop::collection::vec(any::<u8>(), 0..24)]) {
            let Ok((once, flags)) = canonical(&raw) else { return Ok(()) };
            prop_assert_eq!(canonical(&once), Ok((once.clone(), flags)));
            prop_assert!(once.starts_with(b"/") && once.len() <= raw.len());
            prop_assert!(once.iter().all(|&b| b > b' ' && b != 0x7f && !b"?#\\".contains(&b)));
            let text = String::from_utf8(once).unwrap().replace("%2F", "/").replace("%3B", ";");
            let names = text.split('/').map(|segment| segment.split(';').next().unwrap());
            prop_assert!(names.clone().all(|name| name != "." && name != ".."), "{}", text);
        }
    }
}
