//! `proxy.client_transport`: what DGate hands to Go's HTTP transport. Each key is one row of a table that says what
//! becomes of it here.

use super::file::ProxyConfig;
use super::section::Section;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts that are limits of ours: DGate's key, our flag. 0 means Go's default there and ours here.
const COUNTS: [(&str, &str); 4] = [
    ("max_idle_conns", "upstream_idle_total"),
    ("max_idle_conns_per_host", "upstream_idle_per_address"),
    ("max_conns_per_host", "upstream_max_per_address"),
    ("max_response_header_bytes", "max_response_head_bytes"),
];

/// Keys that nothing here acts on, with what does instead.
const LATER: [(&str, &str); 15] = [
    ("dns_server", "names are resolved by the system's resolver"),
    ("dns_timeout", "names are resolved by the system's resolver, in the background"),
    ("dns_timeout_ms", "names are resolved by the system's resolver, in the background"),
    ("dns_prefer_go", "names are resolved by the system's resolver"),
    ("force_attempt_http2", "HTTP/2 to upstreams comes with a later version"),
    ("tls_handshake_timeout", "TLS to upstreams comes with a later version"),
    ("tls_handshake_timeout_ms", "TLS to upstreams comes with a later version"),
    ("expect_continue_timeout", "'Expect: 100-continue' is answered by the gateway itself"),
    ("write_buffer_size", "buffers are sized by the gateway: see relay_buffer_bytes under 'tidegate'"),
    ("read_buffer_size", "buffers are sized by the gateway: see relay_buffer_bytes under 'tidegate'"),
    ("keep_alive", "TCP keep-alive is always on"),
    ("response_header_timeout", "set requestTimeout of the services"),
    ("dial_timeout", "set connectTimeout of the services"),
    ("dial_timeout_ms", "set connectTimeout of the services"),
    ("disable_compression", "the gateway never compresses: bodies pass as they are"),
];

/// Reads the section.
pub(super) fn read(mut section: Section<'_>, proxy: &mut ProxyConfig, tuning: &mut BTreeMap<String, String>) {
    for (key, flag) in COUNTS {
        if let Some(count) = section.number::<u32>(key).filter(|count| *count > 0) {
            tuning.insert(flag.into(), count.to_string());
        }
    }
    let idle = section.duration("idle_conn_timeout");
    let idle_ms = section.number::<u32>("idle_conn_timeout_ms").map(|ms| Duration::from_millis(ms.into()));
    if let Some(idle) = idle.or(idle_ms).filter(|idle| !idle.is_zero()) {
        tuning.insert("upstream_idle_timeout".into(), format!("{}ms", idle.as_millis().max(1)));
    }
    if section.flag("disable_keep_alives") == Some(true) {
        tuning.insert("upstream_idle_per_address".into(), "0".into());
    }
    proxy.max_body_bytes = section.number::<u32>("max_body_bytes").filter(|max| *max > 0).map(u64::from);
    for (key, why) in LATER {
        section.later(key, why);
    }
    section.refuse(
        "disable_private_ips",
        "is not supported yet, and without it services may reach private addresses: remove it to accept that",
    );
    section.finish();
}
