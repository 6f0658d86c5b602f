//! The section `admin`: where the API is served and what callers have to show. A way of protecting it that is not
//! supported is a fault: it must never be served wider than its configuration says.

use super::file::{AdminConfig, Listen};
use super::proxy::{NO_TLS, depth};
use super::section::Section;
use crate::api::auth::{AdminAuth, KeySource};
use crate::resource::Hidden;
use ipnet::IpNet;
use std::net::IpAddr;

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> AdminConfig {
    let default = AdminConfig::default();
    let admin = AdminConfig {
        listen: Listen {
            host: section.text("host").unwrap_or(default.listen.host),
            port: section.number("port").unwrap_or(default.listen.port),
        },
        allow_list: allow_list(&mut section),
        x_forwarded_for_depth: depth(&mut section),
        watch_only: section.flag("watch_only").unwrap_or_default(),
        auth: auth(&mut section),
    };
    section.later("tls", NO_TLS);
    section.later("replication", "clusters come with a later version: this node runs alone");
    section.finish();
    admin
}

fn allow_list(section: &mut Section<'_>) -> Vec<IpNet> {
    let mut found = Vec::new();
    for (index, text) in section.texts("allow_list").into_iter().enumerate() {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match net {
            Ok(net) => found.push(net.trunc()),
            Err(_) => section.fault(
                &format!("allow_list[{index}]"),
                "is no address and no network: write 10.0.0.1 or 10.0.0.0/8",
            ),
        }
    }
    found
}

fn auth(section: &mut Section<'_>) -> AdminAuth {
    let method = section.text("auth_method").unwrap_or_default();
    let basic = section.section("basic_auth").map(basic);
    let key = section.section("key_auth").map(key);
    let jwt = section.take("jwt_auth").is_some();
    match method.as_str() {
        "basic" => basic.unwrap_or_else(|| {
            section.fault("basic_auth", "is needed for the auth_method 'basic': name at least one user");
            AdminAuth::None
        }),
        "key" => key.unwrap_or_else(|| {
            section.fault("key_auth", "is needed for the auth_method 'key': give at least one key");
            AdminAuth::None
        }),
        // DGate asks for keys as soon as there are some, whatever the method says.
        "" | "none" if method.is_empty() && key.is_some() => key.unwrap_or_default(),
        "" | "none" => {
            if basic.is_some() || key.is_some() || jwt {
                section.fault(
                    "auth_method",
                    "is none, and there are credentials: say which of them are asked for",
                );
            }
            AdminAuth::None
        }
        "jwt" => {
            section.fault("auth_method", "'jwt' is not supported yet: use basic or key");
            AdminAuth::None
        }
        _ => {
            section.fault("auth_method", "is no method: write none, basic or key");
            AdminAuth::None
        }
    }
}

fn basic(mut section: Section<'_>) -> AdminAuth {
    let mut users = Vec::new();
    for (at, item) in section.items("users") {
        let mut user = Section::open(item, at, section.findings());
        let (name, password) = (user.text("username"), user.text("password"));
        match (name, password) {
            (Some(name), Some(password)) if !name.is_empty() && !password.is_empty() => {
                if name.contains(':') {
                    user.fault("username", "has a ':', which no client can send");
                }
                users.push((name, Hidden::new(password)));
            }
            _ => user.fault("username", "a user needs a username and a password, both not empty"),
        }
        user.finish();
    }
    if users.is_empty() {
        section.fault("users", "names nobody: nobody could call the API");
    }
    section.finish();
    AdminAuth::Basic(users)
}

fn key(mut section: Section<'_>) -> AdminAuth {
    let source = match (section.text("header_name"), section.text("query_param_name")) {
        (Some(_), Some(_)) => {
            section.fault("query_param_name", "stands beside header_name: give one of them");
            KeySource::default()
        }
        (Some(name), None) => {
            if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                section.fault("header_name", "is no header name");
            }
            KeySource::Header(name)
        }
        (None, Some(name)) => KeySource::Query(name),
        (None, None) => KeySource::default(),
    };
    let keys = section.texts("keys");
    if keys.is_empty() || keys.iter().any(String::is_empty) {
        section.fault("keys", "must hold at least one key, and no empty one");
    }
    section.finish();
    AdminAuth::Key { source, keys: keys.into_iter().map(Hidden::new).collect() }
}
