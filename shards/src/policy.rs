//! What may pass, before a route is looked for: allowed hosts and the redirect to https. Later policies of a route
//! (limits, authentication) have their place here too; a proxy without rules pays for two length checks.

use crate::fault::Fault;
use crate::tables::Tables;
use tidegate_codec::RequestHead;
use tidegate_snapshot::HostPattern;

/// What a policy decided.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// The request goes on.
    Admitted,
    /// The client is to come again at this URL (308).
    Redirect(String),
}

fn any(patterns: &[HostPattern], host: &[u8]) -> bool {
    std::str::from_utf8(host).is_ok_and(|host| patterns.iter().any(|pattern| pattern.matches(host)))
}

/// Applies the proxy-wide rules.
pub fn admit(tables: &Tables, head: &RequestHead, is_secure: bool) -> Result<Admission, Fault> {
    let settings = tables.settings();
    if !settings.allowed_domains.is_empty() && !any(&settings.allowed_domains, head.host()) {
        return Err(Fault::HostForbidden);
    }
    // CONNECT and `OPTIONS *` have no URL of their own to come again at; they are refused behind this.
    let has_path = head.path().first() == Some(&b'/');
    if !is_secure
        && has_path
        && !settings.redirect_https.is_empty()
        && any(&settings.redirect_https, head.host())
    {
        return Ok(Admission::Redirect(https_url(head, settings.https_port)));
    }
    Ok(Admission::Admitted)
}

/// The request's own URL under https. Host, path and query are canonical, so nothing in them can end the field.
fn https_url(head: &RequestHead, port: u16) -> String {
    let host = String::from_utf8_lossy(head.host());
    let mut url = format!("https://{host}");
    if port != 443 && port != 0 {
        url.push_str(&format!(":{port}"));
    }
    url.push_str(&String::from_utf8_lossy(head.path()));
    if let Some(query) = head.query() {
        url.push('?');
        url.push_str(&String::from_utf8_lossy(query));
    }
    url
}
