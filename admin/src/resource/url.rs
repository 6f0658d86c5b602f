//! Upstream urls: `http://host[:port][/path][?query]` and nothing else for now. It parses by hand because every other
//! form has to be named in the answer. Nothing is resolved here.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An upstream url, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamUrl<'a> {
    /// `host[:port]` as written.
    pub authority: &'a str,
    /// The host, brackets of an IPv6 address removed.
    pub host: &'a str,
    /// The port; 80 when the url names none.
    pub port: u16,
    /// The path with its leading slash; empty for none.
    pub path: &'a str,
    /// The query without `?`.
    pub query: Option<&'a str>,
}

/// Takes an upstream url apart. Errors: a sentence about the url, which never repeats it (it may hold a password).
pub fn parse(text: &str) -> Result<UpstreamUrl<'_>, String> {
    let refuse = |why: &str| Err(why.to_owned());
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("a url needs a scheme and a host: write 'http://host:port'");
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => {}
        "https" | "wss" => return refuse("TLS to upstreams comes with a later version: use 'http://'"),
        "ws" => return refuse("WebSocket needs no scheme of its own: use 'http://'"),
        _ => return refuse("only 'http://' urls can be called"),
    }
    if text.len() > 2048 {
        return refuse("is longer than 2048 bytes");
    }
    if rest.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'\\' || b >= 0x80) {
        return refuse(
            "a url has no spaces, control characters, '\\' or letters outside ASCII: percent-encode them",
        );
    }
    if rest.contains('#') {
        return refuse("a fragment ('#…') is never sent: leave it out");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    if authority.contains('@') {
        return refuse("a url must not hold a user or password");
    }
    let (path, query) = behind.split_once('?').map_or((behind, None), |(path, query)| (path, Some(query)));
    let (host, port) = split_port(authority)?;
    check_host(host, authority.starts_with('['))?;
    check_path(path)?;
    Ok(UpstreamUrl { authority, host, port, path, query })
}

/// Whether [`parse`] accepts it.
pub(crate) fn check(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

fn split_port(authority: &str) -> Result<(&str, u16), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, behind) =
                bracketed.split_once(']').ok_or("an IPv6 address stands in brackets, '[::1]'")?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':').unwrap_or("x")) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        None => 80,
        Some(text) if text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse::<u16>().ok().filter(|port| *port > 0).ok_or("the port is not between 1 and 65535")?
        }
        Some(_) => return Err("the port is not between 1 and 65535".into()),
    };
    Ok((host, port))
}

fn check_host(host: &str, bracketed: bool) -> Result<(), String> {
    if bracketed {
        return host.parse::<Ipv6Addr>().map(drop).map_err(|_| "the host is not an IPv6 address".into());
    }
    if host.is_empty() {
        return Err("a url needs a scheme and a host: write 'http://host:port'".into());
    }
    let labels_fit =
        host.trim_end_matches('.').split('.').all(|label| !label.is_empty() && label.len() <= 63);
    let letters = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if host.len() > 253 || !labels_fit || !letters {
        return Err("the host is not a host name".into());
    }
    // What looks like an address must be one: '127.1' and '0x7f.0.0.1' mean different things to different readers.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err("the host is not an IPv4 address of four decimal numbers".into());
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    let bytes = path.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
        if *byte == b'%' && !(hex(at + 1) && hex(at + 2)) {
            return Err("a '%' in the path is not followed by two hexadecimal digits".into());
        }
    }
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("the path has a '.' or '..' segment: write where it leads".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_can_be_called() {
        for (text, host, port, path, query) in [
            ("http://localhost", "localhost", 80, "", None),
            ("http://localhost:8080/", "localhost", 8080, "/", None),
            ("HTTP://a-b.example.com/v1?x=1", "a-b.example.com", 80, "/v1", Some("x=1")),
            ("http://127.0.0.1:1", "127.0.0.1", 1, "", None),
            ("http://[::1]:9000/a%20b", "::1", 9000, "/a%20b", None),
            ("http://svc_1.ns.svc.cluster.local.:81?q", "svc_1.ns.svc.cluster.local.", 81, "", Some("q")),
        ] {
            let url = parse(text).expect(text);
            assert_eq!((url.host, url.port, url.path, url.query), (host, port, path, query), "{text}");
        }
    }

    #[test]
    fn urls_that_cannot() {
        for (text, why) in [
            ("", "scheme and a host"),
            ("localhost:8080", "scheme and a host"),
            ("http://", "scheme and a host"),
            ("http://:80", "scheme and a host"),
            ("https://example.com", "later version"),
            ("ws://example.com", "WebSocket"),
            ("ftp://example.com", "only 'http://'"),
            ("http://u:p@example.com", "user or password"),
            ("http://example.com/#x", "fragment"),
            ("http://example.com:0", "65535"),
            ("http://example.com:99999", "65535"),
            ("http://example.com:", "65535"),
            ("http://a b", "spaces"),
            ("http://a..b", "host name"),
            ("http://127.1", "four decimal"),
            ("http://0x7f.0x1", "four decimal"),
            ("http://2130706433", "four decimal"),
            ("http://[::1", "brackets"),
            ("http://[::g]", "IPv6"),
            ("http://[::1]x", "65535"),
            ("http://a/%zz", "hexadecimal"),
            ("http://a/b/../c", "segment"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
