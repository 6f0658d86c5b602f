//! The request as it goes upstream: written anew from the parsed form, in the client's order and case, without what
//! belongs to the client's connection and with what says where the request came from.

use crate::wire::Peer;
use crate::wire::via;
use tidegate_codec::{BodyFraming, FieldKind, RequestHead, encode};
use tidegate_snapshot::{Endpoint, ForwardedRule, Route, Service};

/// Where a request goes.
pub struct Target<'a> {
    /// The endpoint's authority, for the Host field.
    pub authority: &'a [u8],
    /// Path of the endpoint's url.
    pub base_path: &'a [u8],
    /// Query of the endpoint's url.
    pub query: Option<&'a [u8]>,
}

impl<'a> From<&'a Endpoint> for Target<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Self {
            authority: &endpoint.authority,
            base_path: &endpoint.base_path,
            query: endpoint.query.as_deref(),
        }
    }
}

/// The path of the upstream request (`dgate.md`, Routing): the endpoint's path joined with the request's, or, where the
/// route strips, with the rest that the pattern's `*` matched, or alone.
fn path(out: &mut Vec<u8>, target: &Target<'_>, route: &Route, head: &RequestHead, rest: Option<usize>) {
    out.extend_from_slice(target.base_path);
    if !route.strip_path {
        out.extend_from_slice(head.path());
        return;
    }
    match rest.and_then(|rest| head.path().get(rest..)) {
        Some(rest) => {
            if !rest.starts_with(b"/") {
                out.push(b'/');
            }
            out.extend_from_slice(rest);
        }
        None if target.base_path.is_empty() => out.push(b'/'),
        None => {}
    }
}

fn query(out: &mut Vec<u8>, target: &Target<'_>, service: &Service, head: &RequestHead) {
    let own = head.query().filter(|_| !service.disable_query_params);
    let mut sign = b'?';
    for part in [target.query, own].into_iter().flatten() {
        out.push(sign);
        out.extend_from_slice(part);
        sign = b'&';
    }
}

/// What the client's last proxies said, as far as they are trusted: the last `depth` entries.
fn trusted<'a>(head: &'a RequestHead, depth: u32, entries: &mut Vec<&'a [u8]>) {
    for value in head.fields.values(b"x-forwarded-for") {
        entries.extend(value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty()));
    }
    let surplus = entries.len().saturating_sub(depth as usize);
    entries.drain(..surplus);
}

/// Adds `X-Forwarded-*` and `X-Real-IP`; the client's own were left out before.
fn forwarded(out: &mut Vec<u8>, rule: ForwardedRule, head: &RequestHead, peer: &Peer) {
    if rule.disabled {
        return;
    }
    let address = peer.text.as_bytes();
    if rule.trusted_depth == 0 {
        encode::field(out, b"X-Forwarded-For", address);
        encode::field(out, b"X-Forwarded-Host", head.authority());
        encode::field(out, b"X-Forwarded-Proto", peer.scheme().as_bytes());
        encode::field(out, b"X-Real-IP", address);
        return;
    }
    let mut entries = Vec::new();
    trusted(head, rule.trusted_depth, &mut entries);
    let real = entries.first().copied().unwrap_or(address);
    entries.push(address);
    encode::field(out, b"X-Forwarded-For", &entries.join(&b", "[..]));
    let said = |name: &[u8], own: &[u8], out: &mut Vec<u8>| {
        let value = head.fields.get(name).unwrap_or(own);
        encode::field(out, name, value);
    };
    said(b"X-Forwarded-Host", head.authority(), out);
    said(b"X-Forwarded-Proto", peer.scheme().as_bytes(), out);
    encode::field(out, b"X-Real-IP", real);
}

/// Everything that decides a head.
pub struct Facts<'a> {
    /// The route.
    pub route: &'a Route,
    /// Its service.
    pub service: &'a Service,
    /// Where it goes.
    pub target: Target<'a>,
    /// Start of the path's rest.
    pub rest: Option<usize>,
    /// How forwarding fields are treated.
    pub forwarded: ForwardedRule,
    /// Send the request's own Host, whatever the route says.
    pub is_host_chosen: bool,
    /// How the body leaves; what a module wrote has a length of its own.
    pub body: BodyFraming,
}

/// Writes the head.
pub fn write_head(out: &mut Vec<u8>, head: &RequestHead, peer: &Peer, facts: &Facts<'_>) {
    out.extend_from_slice(head.method().as_str().as_bytes());
    out.push(b' ');
    path(out, &facts.target, facts.route, head, facts.rest);
    query(out, &facts.target, facts.service, head);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let host = if (facts.route.preserve_host || facts.is_host_chosen) && !head.authority().is_empty() {
        head.authority()
    } else {
        facts.target.authority
    };
    let mut has_host = false;
    let mut has_length = false;
    for (kind, name, value) in head.fields.iter() {
        match kind {
            FieldKind::Host => {
                has_host = true;
                encode::field(out, name, host);
            }
            FieldKind::ContentLength => {
                if let BodyFraming::Length(length) = facts.body {
                    has_length = true;
                    encode::field_u64(out, name, length);
                }
            }
            // Handled here, not forwarded: the client is told to go on when its body is wanted.
            FieldKind::Expect => {}
            kind if kind.is_hop_by_hop() || kind.is_forwarding() => {}
            _ => encode::field(out, name, value),
        }
    }
    if !has_host {
        encode::field(out, b"Host", host);
    }
    match facts.body {
        BodyFraming::Length(length) if !has_length => encode::field_u64(out, b"Content-Length", length),
        BodyFraming::Chunked => encode::field(out, b"Transfer-Encoding", b"chunked"),
        _ => {}
    }
    if head.te_trailers() {
        // RFC 9110 section 10.1.4: TE is for one connection, so it is named there.
        encode::field(out, b"TE", b"trailers");
        encode::field(out, b"Connection", b"TE");
    }
    forwarded(out, facts.forwarded, head, peer);
    // RFC 9110 section 7.6.3: a gateway names itself in what it sends inbound.
    encode::field(out, b"Via", via(head.version()));
    encode::end_of_head(out);
}
