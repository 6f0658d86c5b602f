//! What the fields of a head say about framing and the connection, gathered in one pass over their kinds.
//! It must never choose between two readings: where a message says something twice or in two ways, it is refused.

use crate::fields::{Fields, Span};
use crate::grammar::{is_token, list};
use crate::{BodyFraming, FieldKind, Malformed, Version};

/// How many options other than the everyday ones a `Connection` may list: each is compared with every field.
const MAX_CONNECTION_OPTIONS: usize = 32;

/// What matters about the fields of one head.
#[derive(Default, Debug)]
pub(crate) struct Facts {
    /// The value of the last Host, and how many there are.
    pub(crate) host: Option<Span>,
    pub(crate) hosts: usize,
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    /// `Connection: upgrade`, and an Upgrade that lists anything but h2c.
    pub(crate) connection_upgrade: bool,
    pub(crate) upgrade: bool,
    pub(crate) te_trailers: bool,
    /// There is an Expect, and whether it is exactly one `100-continue`.
    pub(crate) expect: Option<bool>,
}

impl Facts {
    /// Gathers the facts, and marks the fields that `Connection` lists.
    ///
    /// # Errors
    /// Broken or repeated framing fields, and a `Connection` that is not a list of tokens.
    pub(crate) fn gather(fields: &mut Fields, version: Version) -> Result<Facts, Malformed> {
        let mut facts = Facts::default();
        let mut lists_others = false;
        let mut codings = 0;
        let mut authorizations = 0;
        for field in &fields.list {
            let value = field.value.of(&fields.bytes);
            match field.kind {
                FieldKind::Host => {
                    facts.host = Some(field.value);
                    facts.hosts += 1;
                }
                FieldKind::ContentLength => {
                    if facts.length.is_some() {
                        return Err(Malformed::DuplicateContentLength);
                    }
                    facts.length = Some(content_length(value)?);
                }
                FieldKind::TransferEncoding => {
                    codings += 1;
                    facts.chunked = value.eq_ignore_ascii_case(b"chunked");
                }
                FieldKind::Connection => lists_others |= facts.connection(value)?,
                FieldKind::Upgrade => {
                    facts.upgrade |= list(value).any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c"));
                }
                FieldKind::Te => {
                    facts.te_trailers |= list(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
                }
                FieldKind::Expect => {
                    let known = value.eq_ignore_ascii_case(b"100-continue");
                    facts.expect = Some(known && facts.expect.is_none());
                }
                // Two of them are two identities: we would check one, and the upstream might believe the other.
                FieldKind::Authorization if authorizations > 0 => {
                    return Err(Malformed::DuplicateAuthorization);
                }
                FieldKind::Authorization => authorizations += 1,
                _ => {}
            }
        }
        match codings {
            0 => {}
            _ if facts.length.is_some() => return Err(Malformed::LengthAndCoding),
            2.. => return Err(Malformed::DuplicateTransferEncoding),
            _ if version == Version::Http10 => return Err(Malformed::TransferEncodingInHttp10),
            _ if !facts.chunked => return Err(Malformed::UnknownTransferCoding),
            _ => {}
        }
        if lists_others {
            mark_options(fields)?;
        }
        Ok(facts)
    }

    /// One line of `Connection`; the answer is whether it lists more than the everyday options.
    fn connection(&mut self, value: &[u8]) -> Result<bool, Malformed> {
        let mut others = false;
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.connection_upgrade = true;
            } else if is_token(option) {
                others = true;
            } else {
                return Err(Malformed::ConnectionOption);
            }
        }
        Ok(others)
    }

    /// Whether the connection goes on after this message, as far as the sender is concerned (RFC 9112 section 9.3).
    pub(crate) fn persists(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.close,
            Version::Http10 => self.keep_alive && !self.close,
        }
    }

    /// The framing that the fields alone ask for.
    pub(crate) fn framing(&self) -> Option<BodyFraming> {
        match self.length {
            _ if self.chunked => Some(BodyFraming::Chunked),
            Some(length) => Some(BodyFraming::Length(length)),
            None => None,
        }
    }

    /// An upgrade is asked for, in the way of RFC 9110 section 7.8. A bare `h2c` does not count: it is never granted, and some
    /// clients (Java's, curl's) offer it with every request, also with a body.
    pub(crate) fn wants_upgrade(&self, version: Version) -> bool {
        version == Version::Http11 && self.connection_upgrade && self.upgrade
    }
}

/// `1*DIGIT` up to 2^63-1, nothing else.
fn content_length(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::ContentLength);
    }
    let mut length = 0u64;
    for digit in value {
        length = length
            .checked_mul(10)
            .and_then(|l| l.checked_add(u64::from(digit - b'0')))
            .filter(|l| *l <= i64::MAX as u64)
            .ok_or(Malformed::ContentLengthTooLarge)?;
    }
    Ok(length)
}

/// Marks the fields that a `Connection` lists, except those with a kind of their own.
fn mark_options(fields: &mut Fields) -> Result<(), Malformed> {
    let Fields { bytes, list: all, .. } = fields;
    let mut options = 0;
    for at in 0..all.len() {
        if all[at].kind != FieldKind::Connection {
            continue;
        }
        for option in list(all[at].value.of(bytes)) {
            options += 1;
            if options > MAX_CONNECTION_OPTIONS {
                return Err(Malformed::TooManyConnectionOptions);
            }
            for field in all.iter_mut() {
                let may_be_listed = matches!(field.kind, FieldKind::Other | FieldKind::Underscore);
                if may_be_listed && field.name.of(bytes).eq_ignore_ascii_case(option) {
                    field.kind = FieldKind::ConnectionOption;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[&str]) -> Fields {
        let mut fields = Fields::default();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            fields.add(name.as_bytes(), value.as_bytes()).unwrap();
        }
        fields
    }

    #[test]
    fn framing() {
        let check = |lines: &[&str], want: Result<Option<BodyFraming>, Malformed>| {
            let got = Facts::gather(&mut fields(lines), Version::Http11).map(|facts| facts.framing());
            assert_eq!(got, want, "{lines:?}");
        };
        check(&[], Ok(None));
        check(&["Content-Length: 0"], Ok(Some(BodyFraming::Length(0))));
        check(&["Content-Length: 003"], Ok(Some(BodyFraming::Length(3))));
        check(&["Content-Length: 9223372036854775807"], Ok(Some(BodyFraming::Length(i64::MAX as u64))));
        check(&["Content-Length: 9223372036854775808"], Err(Malformed::ContentLengthTooLarge));
        check(&["Content-Length: 99999999999999999999999"], Err(Malformed::ContentLengthTooLarge));
        for bad in ["", "+5", "-5", "0x5", "5,5", "5, 5", "5 5", "5;", "5.0", "five", "\"5\""] {
            check(&[&format!("Content-Length: {bad}")], Err(Malformed::ContentLength));
        }
        check(&["Content-Length: 5", "content-length: 5"], Err(Malformed::DuplicateContentLength));
        check(&["Transfer-Encoding: chunked"], Ok(Some(BodyFraming::Chunked)));
        check(&["transfer-encoding: CHUNKED"], Ok(Some(BodyFraming::Chunked)));
        for bad in [
            "",
            "identity",
            "gzip, chunked",
            "chunked, chunked",
            ",chunked",
            "chunked,",
            "xchunked",
            "chunked;a=b",
            "\"chunked\"",
        ] {
            check(&[&format!("Transfer-Encoding: {bad}")], Err(Malformed::UnknownTransferCoding));
        }
        check(
            &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            Err(Malformed::DuplicateTransferEncoding),
        );
        check(
            &["Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
            Err(Malformed::DuplicateTransferEncoding),
        );
        check(&["Transfer-Encoding: chunked", "Content-Length: 5"], Err(Malformed::LengthAndCoding));
        check(&["Content-Length: 5", "Transfer-Encoding:"], Err(Malformed::LengthAndCoding));
        let old = Facts::gather(&mut fields(&["Transfer-Encoding: chunked"]), Version::Http10);
        assert_eq!(old.unwrap_err(), Malformed::TransferEncodingInHttp10);
    }

    #[test]
    fn persistence() {
        let check = |lines: &[&str], in_1_1: bool, in_1_0: bool| {
            let facts = Facts::gather(&mut fields(lines), Version::Http11).unwrap();
            assert_eq!(facts.persists(Version::Http11), in_1_1, "{lines:?} in 1.1");
            assert_eq!(facts.persists(Version::Http10), in_1_0, "{lines:?} in 1.0");
        };
        check(&[], true, false);
        check(&["Connection: close"], false, false);
        check(&["Connection: keep-alive"], true, true);
        check(&["Connection: Keep-Alive, , x"], true, true);
        check(&["Connection: keep-alive", "x: y", "Connection: upgrade,CLOSE"], false, false);
        check(&["Proxy-Connection: close"], true, false);
        let odd = Facts::gather(&mut fields(&["Connection: close; x"]), Version::Http11);
        assert_eq!(odd.unwrap_err(), Malformed::ConnectionOption);
    }

    #[test]
    fn connection_options_cannot_name_what_is_protected() {
        let mut f = fields(&[
            "X-Mine: 1",
            "Connection: x-mine, Host, Content-Length, X-Forwarded-For, Authorization",
            "Host: a",
            "Authorization: b",
            "Connection: TE, x_mine, X-Real-IP",
            "X-Forwarded-For: c",
            "x_mine: d",
            "X-Real-IP: e",
            "TE: trailers",
            "other: f",
        ]);
        let facts = Facts::gather(&mut f, Version::Http11).unwrap();
        assert!(facts.te_trailers);
        let removed = f.iter().filter(|(kind, ..)| kind.is_hop_by_hop()).map(|(_, name, _)| name.to_vec());
        let removed: Vec<_> = removed.map(|name| String::from_utf8(name).unwrap()).collect();
        assert_eq!(removed, ["X-Mine", "Connection", "Connection", "x_mine", "TE"]);
        let many = format!("Connection: {}", "a,".repeat(33));
        assert_eq!(
            Facts::gather(&mut fields(&[&many]), Version::Http11).unwrap_err(),
            Malformed::TooManyConnectionOptions
        );
    }

    #[test]
    fn expectations_and_upgrades() {
        let check = |lines: &[&str], expect: Option<bool>, upgrade: bool| {
            let facts = Facts::gather(&mut fields(lines), Version::Http11).unwrap();
            assert_eq!((facts.expect, facts.wants_upgrade(Version::Http11)), (expect, upgrade), "{lines:?}");
            assert!(!facts.wants_upgrade(Version::Http10));
        };
        check(&[], None, false);
        check(&["Expect: 100-Continue"], Some(true), false);
        check(&["Expect: 100-continue, 100-continue"], Some(false), false);
        check(&["Expect: 100-continue", "Expect: 100-continue"], Some(false), false);
        check(&["Expect: x", "Expect: 100-continue"], Some(false), false);
        check(&["Expect:"], Some(false), false);
        check(&["Upgrade: websocket"], None, false);
        check(&["Connection: upgrade"], None, false);
        check(&["Connection: Upgrade", "Upgrade: websocket"], None, true);
        check(&["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], None, false);
        check(&["Connection: Upgrade", "Upgrade: h2c, websocket"], None, true);
        check(&["Connection: Upgrade", "Upgrade: "], None, false);
    }
}
