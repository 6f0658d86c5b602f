//! The one canonical form of a host: what Host, absolute-form targets and routes are compared by.
//! It must never accept user information, percent-encoding or anything else that another reader could resolve differently.

use crate::Malformed;
use std::io::Write;
use std::net::Ipv6Addr;

/// The longest name the DNS can hold in text (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

/// Appends the canonical form of an authority's host to `out` and returns its port, if there is one.
///
/// Names are lower-cased and lose one trailing dot; they hold letters, digits, `-`, `.`, `_` and `~` (the sub-delimiters and
/// percent-encoding that RFC 3986 also allows occur in no name that resolves, and are refused), in labels that are not empty. IPv6
/// addresses keep their brackets and take the form of RFC 5952. The result is its own canonical form.
///
/// # Errors
/// [`Malformed::Userinfo`], [`Malformed::Host`], [`Malformed::Port`]. `out` may have grown then.
pub fn canonical_host(raw: &[u8], out: &mut Vec<u8>) -> Result<Option<u16>, Malformed> {
    match scan(raw)? {
        Scan::Canonical { name, port } => {
            out.extend_from_slice(&raw[..name]);
            Ok(port)
        }
        Scan::Lower { name, port } => {
            out.extend(raw[..name].iter().map(u8::to_ascii_lowercase));
            Ok(port)
        }
        Scan::V6 { address, port } => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "[{address}]");
            Ok(port)
        }
    }
}

/// What one look over an authority found. `name` is the length of the host in it.
pub(crate) enum Scan {
    Canonical { name: usize, port: Option<u16> },
    Lower { name: usize, port: Option<u16> },
    V6 { address: Ipv6Addr, port: Option<u16> },
}

const LOWER: u8 = 0;
const UPPER: u8 = 1;
const BAD: u8 = 2;

static CLASS: [u8; 256] = {
    let mut table = [BAD; 256];
    let mut b = 0;
    while b < 256 {
        match b as u8 {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => table[b] = LOWER,
            b'A'..=b'Z' => table[b] = UPPER,
            _ => {}
        }
        b += 1;
    }
    table
};

pub(crate) fn scan(raw: &[u8]) -> Result<Scan, Malformed> {
    if raw.first() == Some(&b'[') {
        return scan_v6(raw);
    }
    let colon = memchr::memchr(b':', raw);
    let whole = &raw[..colon.unwrap_or(raw.len())];
    let seen = whole.iter().fold(0, |seen, &b| seen | CLASS[b as usize]);
    if seen & BAD != 0 {
        return Err(if raw.contains(&b'@') { Malformed::Userinfo } else { Malformed::Host });
    }
    let name = whole.strip_suffix(b".").unwrap_or(whole);
    if name.is_empty() || name.len() > MAX_NAME || name[0] == b'.' || has_empty_label(name) {
        return Err(Malformed::Host);
    }
    let port = colon.map(|colon| port(&raw[colon + 1..])).transpose()?;
    let name = name.len();
    Ok(if seen & UPPER != 0 { Scan::Lower { name, port } } else { Scan::Canonical { name, port } })
}

/// Neither two dots in a row nor one at the end.
fn has_empty_label(name: &[u8]) -> bool {
    name.ends_with(b".") || name.windows(2).any(|pair| pair == b"..")
}

/// Zone identifiers and future address forms are refused: neither means anything on the wire.
fn scan_v6(raw: &[u8]) -> Result<Scan, Malformed> {
    let close = memchr::memchr(b']', raw).ok_or(Malformed::Host)?;
    let text = std::str::from_utf8(&raw[1..close]).map_err(|_| Malformed::Host)?;
    let address: Ipv6Addr = text.parse().map_err(|_| Malformed::Host)?;
    match &raw[close + 1..] {
        [] => Ok(Scan::V6 { address, port: None }),
        [b':', digits @ ..] => Ok(Scan::V6 { address, port: Some(port(digits)?) }),
        _ => Err(Malformed::Host),
    }
}

/// One to five digits, up to 65535. RFC 3986 would let them be none; `host:` is refused.
fn port(digits: &[u8]) -> Result<u16, Malformed> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(if digits.contains(&b'@') { Malformed::Userinfo } else { Malformed::Port });
    }
    let number = digits.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
    u16::try_from(number).map_err(|_| Malformed::Port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(raw: &[u8]) -> Result<(String, Option<u16>), Malformed> {
        let mut out = Vec::new();
        canonical_host(raw, &mut out).map(|port| (String::from_utf8(out).unwrap(), port))
    }

    #[test]
    fn forms() {
        let check = |raw: &str, host: &str, port: Option<u16>| {
            assert_eq!(canonical(raw.as_bytes()), Ok((host.into(), port)), "{raw}");
        };
        check("a", "a", None);
        check("a.Example.COM", "a.example.com", None);
        check("example.com.", "example.com", None);
        check("example.com.:80", "example.com", Some(80));
        check("EXAMPLE.com:65535", "example.com", Some(65535));
        check("127.0.0.1:0", "127.0.0.1", Some(0));
        check("home_0.netscape.com:443", "home_0.netscape.com", Some(443));
        check("[::1]", "[::1]", None);
        check("[0:0::0:0001]:8080", "[::1]", Some(8080));
        check("[2001:DB8::A]", "[2001:db8::a]", None);
        check("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", None);
    }

    #[test]
    fn refusals() {
        let check = |raw: &str, want: Malformed| assert_eq!(canonical(raw.as_bytes()), Err(want), "{raw}");
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a/b",
            "a,b",
            "a%41",
            "é",
            "a\\b",
            "::1",
            "[::1",
            "[::1]a",
            "[]",
            "[1.2.3.4]",
            "[fe80::1%eth0]",
            "[v1.a]",
            "a?b",
            "a#b",
            "a=b",
            "*",
            ":80",
        ] {
            check(bad, Malformed::Host);
        }
        for bad in [
            "a:",
            "a:65536",
            "a:100000",
            "a:8o",
            "a:-1",
            "a:+1",
            "a:80:80",
            "a: 80",
            "[::1]:",
            "a:1.2",
            "[::1]:80]",
        ] {
            check(bad, Malformed::Port);
        }
        check("u@a", Malformed::Userinfo);
        check("u:p@a", Malformed::Userinfo);
        check("u:80@a:80", Malformed::Userinfo);
        check(&"a".repeat(254), Malformed::Host);
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(raw in "[a-zA-Z0-9.:@\\[\\]_-]{0,16}|\\[[0-9a-fA-F:]{0,20}\\](:[0-9]{0,6})?") {
            let Ok((host, _)) = canonical(raw.as_bytes()) else { return Ok(()) };
            prop_assert_eq!(canonical(host.as_bytes()), Ok((host.clone(), None)));
            prop_assert!(!host.bytes().any(|b| b.is_ascii_uppercase()) && !host.ends_with('.'));
        }

        #[test]
        fn never_panics(raw in prop::collection::vec(any::<u8>(), 0..24)) {
            let _ = canonical(&raw);
        }
    }
}
