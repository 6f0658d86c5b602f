//! Which of a route's modules run for a request: conditions on the request, and shares of the traffic that take the same
//! requests every time. Reads the request only, and touches no engine.

use std::net::IpAddr;
use tidegate_codec::RequestHead;
use tidegate_snapshot::{Condition, Share, Stage, Sticky, Subject, Variant};

/// The variant of a stage that a request gets.
pub(super) fn variant<'s>(stage: &'s Stage, head: &RequestHead, client: IpAddr) -> Option<&'s Variant> {
    stage.variants.iter().find(|variant| {
        variant.when.iter().all(|condition| holds(condition, head))
            && variant.share.as_ref().is_none_or(|share| takes(share, head, client))
    })
}

fn holds(condition: &Condition, head: &RequestHead) -> bool {
    let is = |value: &[u8]| condition.value.as_deref().is_none_or(|wanted| value == wanted);
    let found = match &condition.subject {
        Subject::Header(name) => head.fields.values(name).any(is),
        Subject::Cookie(name) => cookie(head, name).is_some_and(is),
        Subject::Query(name) => {
            parameters(head.query().unwrap_or_default()).any(|(key, value)| *key == **name && is(&value))
        }
        Subject::Method => is(head.method().as_str().as_bytes()),
        Subject::PathPrefix => {
            condition.value.as_deref().is_none_or(|prefix| head.path().starts_with(prefix))
        }
    };
    found != condition.is_negated
}

fn takes(share: &Share, head: &RequestHead, client: IpAddr) -> bool {
    let given = match &share.sticky {
        Sticky::Client => None,
        Sticky::Header(name) => head.fields.get(name),
        Sticky::Cookie(name) => cookie(head, name),
    };
    let hash = match (given, client.to_canonical()) {
        (Some(value), _) => hash(share.salt, value),
        (None, IpAddr::V4(address)) => hash(share.salt, &address.octets()),
        // One client has a whole network of them (RFC 6177).
        (None, IpAddr::V6(address)) => hash(share.salt, &address.octets()[..8]),
    };
    // The high bits choose evenly among a million parts.
    ((u128::from(hash) * 1_000_000) >> 64) < u128::from(share.parts_per_million)
}

/// FNV-1a with a finishing mix, so that it stays the same from build to build and node to node.
fn hash(salt: u64, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ salt;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The value of a cookie (RFC 6265 section 4.2.1); the first of that name.
fn cookie<'h>(head: &'h RequestHead, name: &[u8]) -> Option<&'h [u8]> {
    let pairs = head.fields.values(b"cookie").flat_map(|value| value.split(|b| *b == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="))
}

/// Decoded pairs of a query.
fn parameters(query: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |b| *b == b'=');
        (decode(parts.next().unwrap_or_default()), decode(parts.next().unwrap_or_default()))
    })
}

/// As forms write it (URL standard, 5.1): `+` is a space, broken escapes stay.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_codec::HeadLimits;

    fn head(text: &str) -> RequestHead {
        let mut head = RequestHead::default();
        let limits = HeadLimits { line_bytes: 1000, head_bytes: 4000, fields: 20 };
        let mut bytes = text.replace('\n', "\r\n").into_bytes();
        assert!(head.parse(&mut bytes, &limits).expect("well-formed"));
        head
    }

    fn condition(is_negated: bool, subject: Subject, value: Option<&str>) -> Condition {
        Condition { is_negated, subject, value: value.map(|value| value.as_bytes().into()) }
    }

    #[test]
    fn conditions() {
        let name = |name: &str| -> Box<[u8]> { name.as_bytes().into() };
        let head =
            head("POST /a/b?x=1&y=%20+ HTTP/1.1\nHost: h\nX-Beta: 1\nX-Beta: 2\nCookie: a=1; group=b\n\n");
        for (subject, value, expected) in [
            (Subject::Header(name("x-beta")), None, true),
            (Subject::Header(name("x-beta")), Some("2"), true),
            (Subject::Header(name("x-beta")), Some("3"), false),
            (Subject::Header(name("x-gamma")), None, false),
            (Subject::Cookie(name("group")), Some("b"), true),
            (Subject::Cookie(name("grou")), None, false),
            (Subject::Query(name("y")), Some("  "), true),
            (Subject::Query(name("x")), Some("2"), false),
            (Subject::Method, Some("POST"), true),
            (Subject::Method, Some("GET"), false),
            (Subject::PathPrefix, Some("/a/"), true),
            (Subject::PathPrefix, Some("/b"), false),
        ] {
            assert_eq!(
                holds(&condition(false, subject.clone(), value), &head),
                expected,
                "{subject:?} {value:?}"
            );
            assert_eq!(
                holds(&condition(true, subject.clone(), value), &head),
                !expected,
                "! {subject:?} {value:?}"
            );
        }
    }

    #[test]
    fn a_share_is_even_and_always_the_same() {
        let share = Share { parts_per_million: 10_000, sticky: Sticky::Cookie((*b"id").into()), salt: 7 };
        let client = IpAddr::from([127, 0, 0, 1]);
        let taken = |share: &Share| -> Vec<bool> {
            let one = |id: u32| head(&format!("GET / HTTP/1.1\nHost: h\nCookie: id={id}\n\n"));
            (0..20_000).map(|id| takes(share, &one(id), client)).collect()
        };
        let first = taken(&share);
        assert_eq!(first, taken(&share));
        let count = first.iter().filter(|taken| **taken).count();
        assert!((140..=260).contains(&count), "{count} of 20000 at 1 %");
        let other = taken(&Share { salt: 8, ..share.clone() });
        assert_ne!(first, other);
        let all = Share { parts_per_million: 1_000_000, ..share.clone() };
        assert!(taken(&all).iter().all(|taken| *taken));
        let none = Share { parts_per_million: 0, ..share };
        assert!(!taken(&none).iter().any(|taken| *taken));
    }
}
