//! From a service's url to an endpoint: what goes into the Host field, the canonical path, and the host whose addresses
//! it wants. It asks nobody for addresses itself.

use crate::resource::parse_url;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tidegate_snapshot::Endpoint;

/// What host names stand for at the moment.
pub(crate) trait Addresses {
    /// The addresses of a host in lower case, in the resolver's order; empty while it does not resolve.
    fn of(&self, host: &str) -> &[IpAddr];
    /// Grows whenever an answer of [`Addresses::of`] changed.
    fn version(&self) -> u64;
}

/// An endpoint without its addresses.
#[derive(Debug)]
pub(super) struct Target {
    url: Arc<str>,
    authority: Box<[u8]>,
    base_path: Box<[u8]>,
    query: Option<Box<[u8]>>,
    host: Host,
    port: u16,
}

#[derive(Debug)]
enum Host {
    Literal(IpAddr),
    Name(Box<str>),
}

impl Target {
    /// Takes a url apart. Errors: a sentence.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let url = parse_url(text)?;
        Ok(Self {
            url: text.into(),
            authority: url.authority.as_bytes().into(),
            base_path: base_path(url.path)?,
            query: url.query.filter(|query| !query.is_empty()).map(|query| query.as_bytes().into()),
            host: url
                .host
                .parse()
                .map_or_else(|_| Host::Name(url.host.to_ascii_lowercase().into()), Host::Literal),
            port: url.port,
        })
    }

    /// The host name that has to be resolved, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Literal(_) => None,
        }
    }

    /// Its socket addresses now.
    fn addresses(&self, known: &dyn Addresses) -> Box<[SocketAddr]> {
        let with_port = |address: &IpAddr| SocketAddr::new(*address, self.port);
        match &self.host {
            Host::Literal(address) => [with_port(address)].into(),
            Host::Name(name) => known.of(name).iter().map(with_port).collect(),
        }
    }

    /// Whether `endpoint` is this target with the addresses of now.
    pub(super) fn is(&self, endpoint: &Endpoint, known: &dyn Addresses) -> bool {
        match &self.host {
            Host::Literal(_) => true,
            Host::Name(name) => {
                endpoint.addresses.iter().map(SocketAddr::ip).eq(known.of(name).iter().copied())
            }
        }
    }

    /// The endpoint with the addresses of now.
    pub(super) fn endpoint(&self, known: &dyn Addresses) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            authority: self.authority.clone(),
            base_path: self.base_path.clone(),
            query: self.query.clone(),
            addresses: self.addresses(known),
        }
    }
}

/// The canonical form of a url's path (RFC 3986 section 6.2.2: unreserved characters decoded, other escapes in upper
/// case) without its trailing slashes. The url's grammar was checked before.
fn base_path(path: &str) -> Result<Box<[u8]>, String> {
    let (mut canonical, mut rest) = (Vec::with_capacity(path.len()), path.trim_end_matches('/').as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            canonical.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Err("a '%' in the path is not followed by two hexadecimal digits".into());
        };
        rest = &tail[2..];
        match byte {
            0 => return Err("the path has an encoded NUL".into()),
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => canonical.push(b),
            b => canonical.extend_from_slice(format!("%{b:02X}").as_bytes()),
        }
    }
    if canonical.split(|b| *b == b'/').any(|segment| segment == b"." || segment == b"..") {
        return Err("the path has a '.' or '..' segment: write where it leads".into());
    }
    while canonical.last() == Some(&b'/') {
        canonical.pop();
    }
    Ok(canonical.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl Addresses for Nobody {
        fn of(&self, _: &str) -> &[IpAddr] {
            &[]
        }
        fn version(&self) -> u64 {
            0
        }
    }

    #[test]
    fn urls_become_endpoints() {
        for (url, authority, path, query, addresses) in [
            ("http://10.0.0.1", "10.0.0.1", "", None, vec!["10.0.0.1:80"]),
            ("http://10.0.0.1:81/", "10.0.0.1:81", "", None, vec!["10.0.0.1:81"]),
            ("http://[::1]:81/a/", "[::1]:81", "/a", None, vec!["[::1]:81"]),
            ("http://Host.example:81/%7ea%2fb//?x=1", "Host.example:81", "/~a%2Fb", Some("x=1"), vec![]),
            ("http://h/?", "h", "", None, vec![]),
        ] {
            let endpoint = Target::of(url).expect(url).endpoint(&Nobody);
            assert_eq!(&*endpoint.authority, authority.as_bytes(), "{url}");
            assert_eq!(&*endpoint.base_path, path.as_bytes(), "{url}");
            assert_eq!(endpoint.query.as_deref(), query.map(str::as_bytes), "{url}");
            let found: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(found, addresses, "{url}");
        }
        assert_eq!(Target::of("http://Host.example:81").expect("url").name(), Some("host.example"));
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for url in ["https://h", "h:80", "http://h/%2e%2E/x", "http://h/a%00"] {
            assert!(Target::of(url).is_err(), "{url}");
        }
    }
}
