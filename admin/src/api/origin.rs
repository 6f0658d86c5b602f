//! Browsers that are led to the admin API by somebody else's page (cross-site requests, DNS rebinding). What a browser
//! says about where a request comes from decides; no page of another origin is ever let in, and no CORS field is sent.

use super::auth::AdminAuth;
use super::refusal::Refusal;
use super::state::ApiSettings;
use http::{HeaderMap, Uri, header};
use std::net::{IpAddr, Ipv6Addr};

/// Refuses what a page of another origin sends, and hosts that are not ours.
pub(crate) fn check(settings: &ApiSettings, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let foreign = || Refusal::Forbidden("pages of other origins may not call the admin API".into());
    let mut hosts = headers.get_all(header::HOST).iter();
    let field = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::BadRequest("more than one Host".into()));
    }
    let field = field.map(|host| host.to_str().map_err(|_| Refusal::Misdirected)).transpose()?;
    let authority = uri.authority().map(|authority| authority.as_str()).or(field);
    if let Some(authority) = authority {
        let host = host_of(authority).ok_or(Refusal::Misdirected)?;
        // Without credentials nothing but the Host tells a rebound name from ours. With them, a rebound page has none.
        let checked = matches!(settings.auth, AdminAuth::None) || !settings.host_names.is_empty();
        if checked && !is_ours(host, &settings.host_names) {
            return Err(Refusal::Misdirected);
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if site != "same-origin" && site != "none" {
            return Err(foreign());
        }
    }
    for origin in headers.get_all(header::ORIGIN) {
        let claimed = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(scheme, host)| {
            let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
            host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase()
        });
        let own = authority.map(|own| {
            let own = own.to_ascii_lowercase();
            own.strip_suffix(":80").or_else(|| own.strip_suffix(":443")).unwrap_or(&own).to_owned()
        });
        if claimed.is_none() || claimed != own {
            return Err(foreign());
        }
    }
    Ok(())
}

/// The host of `host[:port]`.
fn host_of(authority: &str) -> Option<&str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return (host.parse::<Ipv6Addr>().is_ok() && is_port(port)).then_some(host);
    }
    let at = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(at);
    let letters = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (!host.is_empty() && letters && is_port(port)).then_some(host)
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Addresses, `localhost`, names without a dot (nobody can register those, so none can be rebound), and what is
/// configured.
fn is_ours(host: &str, configured: &[String]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || host.ends_with(".localhost")
        || configured.iter().any(|name| name.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix() {
        let open = ApiSettings { host_names: vec!["admin.example.com".into()], ..ApiSettings::default() };
        let no_names = ApiSettings::default();
        let keyed = ApiSettings {
            auth: AdminAuth::Key { source: super::super::auth::KeySource::default(), keys: vec!["k".into()] },
            ..ApiSettings::default()
        };
        const HOST: &str = "host";
        for (settings, fields, expected) in [
            (&open, vec![], None),
            (&open, vec![(HOST, "127.0.0.1:9080")], None),
            (&open, vec![(HOST, "[::1]:9080")], None),
            (&open, vec![(HOST, "localhost:9080")], None),
            (&open, vec![(HOST, "LOCALHOST")], None),
            (&open, vec![(HOST, "gateway:9080")], None),
            (&open, vec![(HOST, "admin.example.com.:9080")], None),
            (&no_names, vec![(HOST, "admin.example.com")], Some(421)),
            (&no_names, vec![(HOST, "evil.example.net:9080")], Some(421)),
            (&no_names, vec![(HOST, "127.0.0.1.evil.net")], Some(421)),
            (&no_names, vec![(HOST, "a@localhost")], Some(421)),
            (&no_names, vec![(HOST, "localhost:x")], Some(421)),
            (&no_names, vec![(HOST, "[::1")], Some(421)),
            (&no_names, vec![(HOST, "localhost"), (HOST, "localhost")], Some(400)),
            (&keyed, vec![(HOST, "admin.example.com")], None),
            (&open, vec![(HOST, "localhost:9080"), ("origin", "http://localhost:9080")], None),
            (&open, vec![(HOST, "localhost"), ("origin", "http://localhost:80")], None),
            (&open, vec![(HOST, "localhost:9080"), ("origin", "http://localhost:9081")], Some(403)),
            (&open, vec![(HOST, "localhost:9080"), ("origin", "https://evil.net")], Some(403)),
            (&open, vec![(HOST, "localhost:9080"), ("origin", "null")], Some(403)),
            (&open, vec![("origin", "http://localhost")], Some(403)),
            (&keyed, vec![(HOST, "localhost:9080"), ("origin", "https://evil.net")], Some(403)),
            (&open, vec![("sec-fetch-site", "same-origin")], None),
            (&open, vec![("sec-fetch-site", "none")], None),
            (&open, vec![("sec-fetch-site", "same-site")], Some(403)),
            (&open, vec![("sec-fetch-site", "cross-site")], Some(403)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in &fields {
                headers.append(*name, value.parse().unwrap());
            }
            let refused = check(settings, &headers, &"/api/v1/service".parse().unwrap()).err();
            let status = refused.map(|refusal| axum::response::IntoResponse::into_response(refusal).status());
            assert_eq!(status.map(|status| status.as_u16()), expected, "{fields:?}");
        }
    }
}
