//! Rules of the whole proxy, from the configuration file and flags. Tuning of a shard (rings, buffers, time-outs) is
//! not here: that is fixed at start, this travels with the snapshot.

use crate::HostPattern;

/// Proxy-wide rules.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// Fields added to every response that does not carry them: name, value.
    pub global_headers: Vec<(Box<[u8]>, Box<[u8]>)>,
    /// Hosts whose plain-text requests are answered 308 to `https`.
    pub redirect_https: Vec<HostPattern>,
    /// Port for those redirects; 443 is left out of the URL.
    pub https_port: u16,
    /// When not empty, any other host is answered 403.
    pub allowed_domains: Vec<HostPattern>,
    /// Close the connection instead of answering 404 where no namespace matches.
    pub strict_mode: bool,
    /// What happens to forwarding fields.
    pub forwarded: ForwardedRule,
}

/// How `X-Forwarded-*` and `X-Real-IP` are treated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForwardedRule {
    /// Send none, and remove what the client sent.
    pub disabled: bool,
    /// How many proxies in front of us are trusted. 0: what the client sent of the family is dropped. N: the last N
    /// entries of `X-Forwarded-For` are kept and the N-th from the right is the client's address.
    pub trusted_depth: u32,
}
