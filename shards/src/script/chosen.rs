//! The upstream that `fetchUpstream` names: an endpoint of the service, an address, or a name that the admin resolves.

use super::host::Lender;
use crate::fault::Fault;
use crate::limits::Limits;
pub use crate::names::Names;
use std::net::{IpAddr, SocketAddr};
use tidegate_codec::{canonical_host, canonical_path};
use tidegate_snapshot::{Endpoint, Service};

/// Parses `http://host[:port][/path][?query]`.
fn parse(url: &str) -> Option<(Endpoint, String, u16)> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("HTTP://"))?;
    let rest = rest.split('#').next()?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    let (mut host, mut base_path) = (Vec::new(), Vec::new());
    let port = canonical_host(authority.as_bytes(), &mut host).ok()?;
    let path = path.strip_suffix('/').unwrap_or(path);
    if !path.is_empty() {
        canonical_path(path.as_bytes(), &mut base_path).ok()?;
    }
    if query.is_some_and(|query| query.bytes().any(|b| b <= b' ' || b == 0x7f)) || host.is_empty() {
        return None;
    }
    let endpoint = Endpoint {
        url: url.into(),
        authority: authority.as_bytes().into(),
        base_path: base_path.into(),
        query: query.filter(|query| !query.is_empty()).map(|query| query.as_bytes().into()),
        addresses: Box::default(),
    };
    Some((endpoint, String::from_utf8(host).ok()?, port.unwrap_or(80)))
}

impl Names {
    /// The endpoint a module's URL means.
    pub async fn endpoint(
        &self,
        url: &str,
        service: Option<&Service>,
        lender: &Lender,
        limits: &Limits,
    ) -> Result<Endpoint, Fault> {
        let (mut endpoint, host, port) = parse(url.trim()).ok_or(Fault::ModuleUrl)?;
        let known = service.and_then(|service| {
            service.endpoints.iter().find(|known| known.authority.eq_ignore_ascii_case(&endpoint.authority))
        });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Some(known) = known {
            endpoint.addresses = known.addresses.clone();
            return Ok(endpoint);
        }
        let found: Box<[SocketAddr]> = match bare.parse::<IpAddr>() {
            Ok(address) => Box::new([SocketAddr::new(address, port)]),
            Err(_) => self.resolve(&host, port, limits).await.map_err(|_| Fault::Unresolved)?,
        };
        // What no service names must not be the admin API, under whatever name a module found for it.
        endpoint.addresses = found.into_iter().filter(|address| !lender.fetcher.is_admin(*address)).collect();
        Ok(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn urls_that_can_be_called() {
        for (url, host, port, base, query) in [
            ("http://a.example", "a.example", 80, "", None),
            ("http://A.example:81/", "a.example", 81, "", None),
            ("http://127.0.0.1:8080/v1/?x=1", "127.0.0.1", 8080, "/v1", Some("x=1")),
            ("http://a/b%61", "a", 80, "/ba", None),
        ] {
            let (endpoint, found, at) = parse(url).expect(url);
            assert_eq!((found.as_str(), at), (host, port), "{url}");
            assert_eq!(&*endpoint.base_path, base.as_bytes(), "{url}");
            assert_eq!(endpoint.query.as_deref(), query.map(str::as_bytes), "{url}");
        }
        for url in
            ["", "a.example", "https://a", "ftp://a", "http://", "http://a b", "http://u@a", "http://a/../b"]
        {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
