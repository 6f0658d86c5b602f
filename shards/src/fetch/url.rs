//! A URL as the URL standard's parser serialises it, taken apart once more and believed in nothing: `http` or `https`, a
//! plain host, an optional port, a path and a query of visible ASCII. Whatever else it holds is refused, not repaired.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use tidegate_codec::canonical_host;

/// Longest URL, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// A URL that can be called.
#[derive(Debug)]
pub struct Url {
    text: String,
    path: Range<usize>,
    query: Option<Range<usize>>,
    /// Lower case, IPv6 without brackets.
    host: String,
    address: Option<IpAddr>,
    port: u16,
    is_secure: bool,
    authority: Box<str>,
}

/// Why a URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadUrl {
    /// Neither `http` nor `https`.
    Scheme,
    /// User information before the host.
    Userinfo,
    /// No host, or one that two readers could take for two.
    Host,
    /// A byte that no serialised URL holds.
    Byte,
    /// A fragment, which is no part of a request.
    Fragment,
    /// Too long.
    Length,
}

impl BadUrl {
    /// What is wrong, as the end of a sentence about the URL.
    pub fn text(self) -> &'static str {
        match self {
            Self::Scheme => "only http and https can be fetched",
            Self::Userinfo => {
                "a URL with a user name or password is not fetched: set the header Authorization"
            }
            Self::Host => "its host is no plain name or address",
            Self::Byte => "it holds a character that must be percent-encoded",
            Self::Fragment => "it has a fragment",
            Self::Length => "it is longer than 16384 bytes",
        }
    }
}

impl Url {
    /// Takes a serialised URL apart.
    ///
    /// # Errors
    /// Anything that the serialiser of the URL standard does not write.
    pub fn parse(text: String) -> Result<Self, BadUrl> {
        if text.len() > MAX_BYTES {
            return Err(BadUrl::Length);
        }
        let (is_secure, start) = match text.as_bytes() {
            [b'h', b't', b't', b'p', b':', b'/', b'/', ..] => (false, 7),
            [b'h', b't', b't', b'p', b's', b':', b'/', b'/', ..] => (true, 8),
            _ => return Err(BadUrl::Scheme),
        };
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadUrl::Byte);
        }
        if text.contains('#') {
            return Err(BadUrl::Fragment);
        }
        let end = text[start..].find(['/', '?', '\\']).map_or(text.len(), |at| start + at);
        let authority = &text[start..end];
        if authority.contains('@') {
            return Err(BadUrl::Userinfo);
        }
        let mut host = Vec::new();
        let port = canonical_host(authority.as_bytes(), &mut host).map_err(|_| BadUrl::Host)?;
        let host = String::from_utf8(host).map_err(|_| BadUrl::Host)?;
        let standard = if is_secure { 443 } else { 80 };
        let port = port.unwrap_or(standard);
        if port == 0 {
            return Err(BadUrl::Host);
        }
        let authority = if port == standard { host.clone() } else { format!("{host}:{port}") };
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.trim_end_matches(']').to_owned(),
            None => host,
        };
        let address = match host.parse() {
            Ok(address) => Some(address),
            // What the system's resolver would take for an address in octal, hexadecimal or fewer parts.
            Err(_) if ends_in_a_number(&host) => return Err(BadUrl::Host),
            Err(_) => None,
        };
        let rest = &text[end..];
        let question = rest.find('?');
        let path = end..question.map_or(text.len(), |at| end + at);
        if text[path.clone()].contains('\\') {
            return Err(BadUrl::Byte);
        }
        let query = question.map(|at| end + at + 1..text.len());
        Ok(Self { path, query, host, address, port, is_secure, authority: authority.into(), text })
    }

    /// The path, at least `/`.
    pub fn path(&self) -> &[u8] {
        if self.path.is_empty() { b"/" } else { &self.text.as_bytes()[self.path.clone()] }
    }

    /// The query without `?`.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.clone().map(|query| &self.text.as_bytes()[query])
    }

    /// The host, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is `https`.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// What `Host` says: the host, and the port where it is not the scheme's own.
    pub fn authority(&self) -> &[u8] {
        self.authority.as_bytes()
    }
}

/// The URL standard's "ends in a number": such a host is an IPv4 address or nothing.
fn ends_in_a_number(host: &str) -> bool {
    debug_assert!(host.parse::<Ipv4Addr>().is_err());
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hexadecimal =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    is_hexadecimal || !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_called() {
        for (text, host, port, authority, path, query) in [
            ("http://a.example/", "a.example", 80, "a.example", "/", None),
            ("https://a.example", "a.example", 443, "a.example", "/", None),
            ("http://a:443/x/%2F/..%2e?", "a", 443, "a:443", "/x/%2F/..%2e", Some("")),
            ("https://a:443/?a=b?c&d=\\|^", "a", 443, "a", "/", Some("a=b?c&d=\\|^")),
            ("http://a?x", "a", 80, "a", "/", Some("x")),
            ("http://127.0.0.1:8080//b;c@d", "127.0.0.1", 8080, "127.0.0.1:8080", "//b;c@d", None),
            ("http://[::1]:81/", "::1", 81, "[::1]:81", "/", None),
            ("http://[0:0:0:0:0:FFFF:7f00:1]/", "::ffff:127.0.0.1", 80, "[::ffff:127.0.0.1]", "/", None),
            (
                "http://xn--mnchen-3ya.example/",
                "xn--mnchen-3ya.example",
                80,
                "xn--mnchen-3ya.example",
                "/",
                None,
            ),
            ("http://A.Example./", "a.example", 80, "a.example", "/", None),
            ("http://0xyz.example/", "0xyz.example", 80, "0xyz.example", "/", None),
        ] {
            let url = Url::parse(text.to_owned()).expect(text);
            assert_eq!(
                (url.host(), url.port(), url.authority()),
                (host, port, authority.as_bytes()),
                "{text}"
            );
            assert_eq!((url.path(), url.query()), (path.as_bytes(), query.map(str::as_bytes)), "{text}");
            assert_eq!(url.is_secure(), text.starts_with("https"));
            assert_eq!(url.address().is_some(), host.parse::<IpAddr>().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (text, want) in [
            ("", BadUrl::Scheme),
            ("ftp://a/", BadUrl::Scheme),
            ("HTTP://a/", BadUrl::Scheme),
            ("http:/a/", BadUrl::Scheme),
            ("//a/", BadUrl::Scheme),
            ("file:///etc/passwd", BadUrl::Scheme),
            ("http://", BadUrl::Host),
            ("http:///a", BadUrl::Host),
            ("http://u@a/", BadUrl::Userinfo),
            ("http://u:p@a/", BadUrl::Userinfo),
            ("http://@a/", BadUrl::Userinfo),
            ("http://a b/", BadUrl::Byte),
            ("http://a/ b", BadUrl::Byte),
            ("http://a/\r\nX: y", BadUrl::Byte),
            ("http://a/\0", BadUrl::Byte),
            ("http://a/é", BadUrl::Byte),
            ("http://é/", BadUrl::Byte),
            ("http://a/\\b", BadUrl::Byte),
            ("http://a\\@b/", BadUrl::Byte),
            ("http://a/#b", BadUrl::Fragment),
            ("http://a/?b#", BadUrl::Fragment),
            ("http://a%2eb/", BadUrl::Host),
            ("http://a..b/", BadUrl::Host),
            ("http://a:/", BadUrl::Host),
            ("http://a:0/", BadUrl::Host),
            ("http://a:65536/", BadUrl::Host),
            ("http://[::1/", BadUrl::Host),
            ("http://[fe80::1%25eth0]/", BadUrl::Host),
            ("http://[127.0.0.1]/", BadUrl::Host),
            // What inet_aton takes for 127.0.0.1 and its like.
            ("http://2130706433/", BadUrl::Host),
            ("http://0x7f000001/", BadUrl::Host),
            ("http://0X7F.0.0.1/", BadUrl::Host),
            ("http://127.1/", BadUrl::Host),
            ("http://127.0.1/", BadUrl::Host),
            ("http://0177.0.0.1/", BadUrl::Host),
            ("http://127.0.0.01/", BadUrl::Host),
            ("http://127.0.0.0x1/", BadUrl::Host),
            ("http://127.0.0.256/", BadUrl::Host),
            ("http://1.2.3.4.5/", BadUrl::Host),
            ("http://a.0x/", BadUrl::Host),
            ("http://a.1/", BadUrl::Host),
        ] {
            assert_eq!(Url::parse(text.to_owned()).err(), Some(want), "{text:?}");
        }
        let long = format!("http://a/{}", "x".repeat(MAX_BYTES));
        assert_eq!(Url::parse(long).err(), Some(BadUrl::Length));
    }
}
