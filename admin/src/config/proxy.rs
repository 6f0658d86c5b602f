//! The section `proxy`: where clients connect and the rules that every snapshot carries.

use super::file::{Listen, LogLevel, ProxyConfig};
use super::section::Section;
use super::{init, transport};
use crate::resource::check_field;
use std::collections::BTreeMap;
use std::path::Path;
use tidegate_snapshot::{ForwardedRule, HostPattern, ProxySettings};

/// What is said about TLS keys.
pub(super) const NO_TLS: &str = "TLS comes with a later version: only plain HTTP is served";

/// Reads the section.
pub(super) fn read(
    mut section: Section<'_>,
    dir: &Path,
    level: LogLevel,
    tuning: &mut BTreeMap<String, String>,
) -> ProxyConfig {
    let mut proxy = ProxyConfig::default();
    let (host, port) = (section.text("host"), section.number::<u16>("port"));
    // Who names a port means it to be reached, as in DGate; who names nothing gets nothing but this machine.
    let host = host.unwrap_or_else(|| if port.is_some() { "0.0.0.0" } else { "127.0.0.1" }.into());
    proxy.listen = Listen { host, port: port.unwrap_or(8080) };
    let level = match section.text("console_log_level") {
        None => level,
        Some(name) => LogLevel::of(&name).unwrap_or_else(|| {
            section.fault("console_log_level", "is no level: write trace, debug, info, warn or error");
            level
        }),
    };
    proxy.console_level = level.of_events();
    proxy.settings = settings(&mut section);
    if let Some(mut tls) = section.section("tls") {
        proxy.settings.https_port = tls.number("port").unwrap_or(443);
        section.warn("tls", NO_TLS);
        for key in ["cert_file", "key_file", "auto_generate"] {
            tls.take(key);
        }
        tls.finish();
    }
    if let Some(transport) = section.section("client_transport") {
        transport::read(transport, &mut proxy, tuning);
    }
    if let Some(init) = section.section("init_resources") {
        proxy.init = init::read(init, dir);
    }
    section.later("enable_h2c", "HTTP/2 comes with a later version: HTTP/1.1 is served");
    section.later("enable_http2", "HTTP/2 comes with a later version: HTTP/1.1 is served");
    section.later("enable_console_logger", "module consoles are always logged: see console_log_level");
    section.refuse(
        "allow_list",
        "is not supported yet, and without it everybody could connect: remove it and filter before the gateway",
    );
    section.finish();
    proxy
}

/// RFC 9110 section 6.6.1: when the message was made, which no fixed text is. DGate's files may have it, so it is no fault.
const DATE: &str =
    "is the time of each response: the gateway or the upstream sets it, and this one is left out";

fn settings(section: &mut Section<'_>) -> ProxySettings {
    let mut headers = section.pairs("global_headers");
    if let Err((name, why)) = check_headers(&headers) {
        section.fault("global_headers", format!("'{name}' {why}"));
    }
    headers.retain(|(name, _)| {
        let is_date = name.eq_ignore_ascii_case("date");
        if is_date {
            section.warn(&format!("global_headers.{name}"), DATE);
        }
        !is_date
    });
    let global_headers = headers.into_iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
    ProxySettings {
        global_headers,
        redirect_https: patterns(section, "redirect_https"),
        https_port: 443,
        allowed_domains: patterns(section, "allowed_domains"),
        strict_mode: section.flag("strict_mode").unwrap_or_default(),
        forwarded: ForwardedRule {
            disabled: section.flag("disable_x_forwarded_headers").unwrap_or_default(),
            trusted_depth: depth(section),
        },
    }
}

fn bytes(text: String) -> Box<[u8]> {
    text.into_bytes().into()
}

/// DGate's -1 means "trust none" like 0.
pub(super) fn depth(section: &mut Section<'_>) -> u32 {
    let depth = section.number::<i64>("x_forwarded_for_depth").unwrap_or_default();
    match depth {
        ..0 => 0,
        0..=64 => depth as u32,
        _ => {
            section.fault("x_forwarded_for_depth", "more than 64 proxies in front are not supported");
            0
        }
    }
}

fn patterns(section: &mut Section<'_>, key: &'static str) -> Vec<HostPattern> {
    let mut found = Vec::new();
    for (index, text) in section.texts(key).into_iter().enumerate() {
        // DGate's expressions are often anchored by hand; ours always are.
        match text.parse() {
            Ok(pattern) => found.push(pattern),
            Err(why) => section.fault(&format!("{key}[{index}]"), format!("{why}")),
        }
    }
    found
}

/// The first pair that cannot be a header field, with the reason.
pub(super) fn check_headers(pairs: &[(String, String)]) -> Result<(), (&str, &'static str)> {
    for (name, value) in pairs {
        check_field(name, value).map_err(|why| (name.as_str(), why))?;
    }
    Ok(())
}
