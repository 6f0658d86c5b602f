//! The address of an admin API: an authority and a path before `/api`. Plain HTTP only; anything else is refused with
//! a reason before a byte is sent.

use crate::failure::Failure;

/// `http://authority/prefix`, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    authority: String,
    prefix: String,
}

impl Address {
    /// Reads a URL; `localhost:9080` is `http://localhost:9080`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |what: &str| Failure::usage(format!("the admin address {what}"));
        let rest = match text.split_once("://") {
            None => text,
            Some(("http" | "HTTP", rest)) => rest,
            Some(("https" | "HTTPS", _)) => {
                return Err(refused("is https, and this client speaks plain HTTP only")
                    .hint("reach the admin API through an SSH tunnel or a TLS proxy on this machine"));
            }
            Some((scheme, _)) => {
                return Err(refused(&format!("has the scheme {scheme}")).hint("write http://HOST:PORT"));
            }
        };
        let (authority, prefix) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(refused("carries a user").hint("give it with -a USER[:PASS]"));
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '\\' | '"');
        let port = port_of(authority);
        if host_of(authority).is_empty()
            || rest.contains(odd)
            || port.is_some_and(|p| p.parse::<u16>().is_err())
        {
            return Err(refused("is not a URL").hint("write http://HOST:PORT"));
        }
        Ok(Self { authority: authority.to_ascii_lowercase(), prefix: prefix.trim_end_matches('/').into() })
    }

    /// Host without the port; an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// The whole URL of a request target such as `/api/v1/route`.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("{self}{target}")
    }

    /// Path before `/api`, as a redirect repeats it.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The same prefix on another authority.
    pub(crate) fn on(&self, authority: &str) -> Self {
        Self { authority: authority.to_ascii_lowercase(), prefix: self.prefix.clone() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

/// Host of `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

fn port_of(authority: &str) -> Option<&str> {
    let after = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    after.split_once(':').map(|(_, port)| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_or_refused() {
        for (text, address, host) in [
            ("http://localhost:9080", "http://localhost:9080", "localhost"),
            ("localhost:9080/", "http://localhost:9080", "localhost"),
            ("GW.example", "http://gw.example", "gw.example"),
            ("http://gw/admin/", "http://gw/admin", "gw"),
            ("[::1]:9080", "http://[::1]:9080", "::1"),
        ] {
            let parsed = Address::parse(text).expect(text);
            assert_eq!((parsed.to_string().as_str(), parsed.host()), (address, host), "{text}");
        }
        for (text, named) in [
            ("https://gw", "SSH tunnel"),
            ("ftp://gw", "scheme ftp"),
            ("http://u:p@gw", "-a USER"),
            ("", "not a URL"),
            ("http://:9080", "not a URL"),
            ("gw:port", "not a URL"),
            ("gw:99999", "not a URL"),
            ("gw?x", "not a URL"),
        ] {
            let failure = Address::parse(text).expect_err(text);
            assert!(failure.text(false).contains(named), "{text}: {failure:?}");
        }
    }
}
