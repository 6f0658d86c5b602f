//! What a field means to a gateway, decided once while its head is parsed.
//! It must stay cheap (a switch on length and first byte, then one comparison) and must never depend on a field's value.

use crate::Malformed;

/// What a field is to a gateway. A name without a meaning of its own is [`Other`](FieldKind::Other).
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The variants are the names of the fields.
pub enum FieldKind {
    Other,
    /// A name with an underscore that is not an alias of a protected name (those are refused as
    /// [`Malformed::FieldAlias`]). CGI-like backends read `_` and `-` alike, so dropping these is the careful choice.
    Underscore,
    /// A field that this message's own `Connection` lists. Only fields of kind `Other` and `Underscore` become this: whatever
    /// has a kind of its own is protected, and a client's list cannot take it away (RFC 9110 section 7.6.1 forbids listing
    /// end-to-end fields; CVE-2024-45410 is what happens if they are obeyed).
    ConnectionOption,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    ProxyAuthorization,
    Te,
    Trailer,
    Upgrade,
    Http2Settings,
    Expect,
    Forwarded,
    XForwardedFor,
    XForwardedHost,
    XForwardedProto,
    XForwardedPort,
    XForwardedPrefix,
    /// Any other name that starts with `X-Forwarded-`.
    XForwardedOther,
    XRealIp,
    Via,
    Server,
    Date,
    Authorization,
    Cookie,
    SetCookie,
    Origin,
    ContentType,
    ContentEncoding,
    CacheControl,
}

impl FieldKind {
    /// Belongs to one connection and is never forwarded as received (RFC 9110 section 7.6.1, and the proxy fields of section
    /// 11.7, which are for us). `Trailer` is end-to-end. `Content-Length`, `Host` and `Expect` are end-to-end as well, but a
    /// gateway writes its own.
    pub fn is_hop_by_hop(self) -> bool {
        use FieldKind::*;
        matches!(
            self,
            ConnectionOption
                | TransferEncoding
                | Connection
                | KeepAlive
                | ProxyConnection
                | ProxyAuthenticate
                | ProxyAuthorization
                | Te
                | Upgrade
                | Http2Settings
        )
    }

    /// Says where a request came from: what an untrusted peer sends of these is dropped as a family.
    pub fn is_forwarding(self) -> bool {
        use FieldKind::*;
        matches!(
            self,
            Forwarded
                | XForwardedFor
                | XForwardedHost
                | XForwardedProto
                | XForwardedPort
                | XForwardedPrefix
                | XForwardedOther
                | XRealIp
        )
    }

    /// The kind of a field name, which must be a token.
    ///
    /// # Errors
    /// [`Malformed::FieldAlias`] if the name has underscores and reads as a protected name when they are dashes.
    pub fn of(name: &[u8]) -> Result<FieldKind, Malformed> {
        match known(name) {
            Some(kind) => Ok(kind),
            None if !has_underscore(name) => Ok(FieldKind::Other),
            None if is_alias(name) => Err(Malformed::FieldAlias),
            None => Ok(FieldKind::Underscore),
        }
    }
}

fn known(name: &[u8]) -> Option<FieldKind> {
    use FieldKind::*;
    let first = *name.first()? | 0x20;
    // At most two names share a length and a first letter, so this compares once or twice.
    Some(match (name.len(), first) {
        (2, b't') if is(name, b"te") => Te,
        (3, b'v') if is(name, b"via") => Via,
        (4, b'h') if is(name, b"host") => Host,
        (4, b'd') if is(name, b"date") => Date,
        (6, b'c') if is(name, b"cookie") => Cookie,
        (6, b'e') if is(name, b"expect") => Expect,
        (6, b'o') if is(name, b"origin") => Origin,
        (6, b's') if is(name, b"server") => Server,
        (7, b't') if is(name, b"trailer") => Trailer,
        (7, b'u') if is(name, b"upgrade") => Upgrade,
        (9, b'f') if is(name, b"forwarded") => Forwarded,
        (9, b'x') if is(name, b"x-real-ip") => XRealIp,
        (10, b'c') if is(name, b"connection") => Connection,
        (10, b'k') if is(name, b"keep-alive") => KeepAlive,
        (10, b's') if is(name, b"set-cookie") => SetCookie,
        (12, b'c') if is(name, b"content-type") => ContentType,
        (13, b'a') if is(name, b"authorization") => Authorization,
        (13, b'c') if is(name, b"cache-control") => CacheControl,
        (14, b'c') if is(name, b"content-length") => ContentLength,
        (14, b'h') if is(name, b"http2-settings") => Http2Settings,
        (15, b'x') if is(name, b"x-forwarded-for") => XForwardedFor,
        (16, b'c') if is(name, b"content-encoding") => ContentEncoding,
        (16, b'p') if is(name, b"proxy-connection") => ProxyConnection,
        (16, b'x') if is(name, b"x-forwarded-host") => XForwardedHost,
        (16, b'x') if is(name, b"x-forwarded-port") => XForwardedPort,
        (17, b't') if is(name, b"transfer-encoding") => TransferEncoding,
        (17, b'x') if is(name, b"x-forwarded-proto") => XForwardedProto,
        (18, b'p') if is(name, b"proxy-authenticate") => ProxyAuthenticate,
        (18, b'x') if is(name, b"x-forwarded-prefix") => XForwardedPrefix,
        (19, b'p') if is(name, b"proxy-authorization") => ProxyAuthorization,
        (12.., b'x') if is(&name[..12], b"x-forwarded-") => XForwardedOther,
        _ => return None,
    })
}

/// Compares a token with a name in lower case. Setting 0x20 lowers letters; of all token characters nothing else turns into a
/// letter, a digit or a dash by it. With the length known there is no loop left.
#[inline(always)]
fn is<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    let mut difference = 0;
    for at in 0..N {
        difference |= (name[at] | 0x20) ^ lower[at];
    }
    difference == 0
}

/// Eight bytes at a time: this is asked of every name that is not a known one.
fn has_underscore(name: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, rest) = name.as_chunks::<8>();
    let in_words = words.iter().any(|word| {
        let difference = u64::from_ne_bytes(*word) ^ (ONES * b'_' as u64);
        difference.wrapping_sub(ONES) & !difference & HIGHS != 0
    });
    in_words || rest.contains(&b'_')
}

/// Protected names that hold a dash; those without one (`host`, `forwarded`, …) have no alias.
fn is_alias(name: &[u8]) -> bool {
    let reads_as = |name: &[u8], protected: &str| {
        name.len() == protected.len()
            && name
                .iter()
                .zip(protected.bytes())
                .all(|(&b, p)| (if b == b'_' { b'-' } else { b | 0x20 }) == p)
    };
    ["content-length", "transfer-encoding", "x-real-ip"].iter().any(|protected| reads_as(name, protected))
        || name.get(..12).is_some_and(|start| reads_as(start, "x-forwarded-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowering_a_token_confuses_nothing() {
        for byte in (0..=255u8).filter(|&b| crate::grammar::is_tchar(b)) {
            let lowered = byte | 0x20;
            if lowered.is_ascii_lowercase() || lowered.is_ascii_digit() || lowered == b'-' {
                assert_eq!(lowered, byte.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn names() {
        let check = |name: &str, want: Result<FieldKind, Malformed>| {
            assert_eq!(FieldKind::of(name.as_bytes()), want, "{name}");
            assert_eq!(FieldKind::of(name.to_ascii_uppercase().as_bytes()), want, "{name} in capitals");
        };
        check("host", Ok(FieldKind::Host));
        check("hosT", Ok(FieldKind::Host));
        check("hose", Ok(FieldKind::Other));
        check("te", Ok(FieldKind::Te));
        check("content-length", Ok(FieldKind::ContentLength));
        check("transfer-encoding", Ok(FieldKind::TransferEncoding));
        check("x-forwarded-port", Ok(FieldKind::XForwardedPort));
        check("x-forwarded-host", Ok(FieldKind::XForwardedHost));
        check("x-forwarded-hose", Ok(FieldKind::XForwardedOther));
        check("x-forwarded-", Ok(FieldKind::XForwardedOther));
        check("x-forwarded", Ok(FieldKind::Other));
        check("x-request-id", Ok(FieldKind::Other));
        check("x_request_id", Ok(FieldKind::Underscore));
        check("a-name-of-many-words_", Ok(FieldKind::Underscore));
        check("_", Ok(FieldKind::Underscore));
        check("x_forwarded_for", Err(Malformed::FieldAlias));
        check("x-forwarded_for", Err(Malformed::FieldAlias));
        check("x-forwarded-for_", Ok(FieldKind::XForwardedOther));
        check("x_forwarded-anything", Err(Malformed::FieldAlias));
        check("x_real-ip", Err(Malformed::FieldAlias));
        check("content_length", Err(Malformed::FieldAlias));
        check("transfer_encoding", Err(Malformed::FieldAlias));
        check("content_type", Ok(FieldKind::Underscore));
    }
}
