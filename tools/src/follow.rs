//! Where a redirect may lead. A follower answers a write with 307 to the leader; the request that is then repeated
//! carries the user's password and perhaps a secret, so it goes only where the cluster itself lives: to the same path
//! on the same host, or on a host that the configured admin API names as a member. Anything else is refused.

use crate::address::{Address, host_of};
use crate::failure::{Exit, Failure};
use serde_json::Value;

/// The address a redirect names, if it is a leader's redirect: the same target elsewhere.
pub(crate) fn leader(asked: &Address, target: &str, location: Option<&str>) -> Result<Address, Failure> {
    let location = location.unwrap_or_default();
    let refused = |why: &str| {
        Err(Failure::new(Exit::Refused, "the gateway's redirect was not followed")
            .at(location)
            .why(why)
            .hint("find the leader with: tidegate cluster status, and give it with --admin"))
    };
    if location.to_ascii_lowercase().starts_with("https://") {
        return refused("it leads to https, and this client speaks plain HTTP only");
    }
    let (authority, path) = match location.strip_prefix("http://") {
        Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
        None if location.starts_with('/') && !location.starts_with("//") => {
            return refused("it leads to another path of the same node, which no leader's redirect does");
        }
        None => return refused("it is not an address"),
    };
    if path != format!("{}{target}", asked.prefix()) && path != target {
        return refused("it leads to another path, which no leader's redirect does");
    }
    match Address::parse(authority) {
        Ok(_) if authority.contains('/') => refused("it is not an address"),
        Ok(found) if path == target => Ok(found),
        Ok(_) => Ok(asked.on(authority)),
        Err(_) => refused("it is not an address"),
    }
}

/// Whether an answer of `/cluster/members` names a host, in whatever field: `host`, `host:port` or a URL.
pub(crate) fn names_host(members: &Value, host: &str) -> bool {
    match members {
        Value::String(text) => {
            let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
            let authority = rest.split('/').next().unwrap_or_default();
            !authority.is_empty() && host_of(authority).eq_ignore_ascii_case(host)
        }
        Value::Array(items) => items.iter().any(|item| names_host(item, host)),
        Value::Object(fields) => fields.values().any(|value| names_host(value, host)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_same_path_elsewhere_is_a_leaders_redirect() {
        let asked = Address::parse("http://a:9080").expect("address");
        let target = "/api/v1/route/default/x?y=1";
        for (location, leads) in [
            ("http://b:9080/api/v1/route/default/x?y=1", Some("http://b:9080")),
            ("http://[::1]:9/api/v1/route/default/x?y=1", Some("http://[::1]:9")),
            ("http://b:9080/api/v1/route/default/y?y=1", None),
            ("http://b:9080/", None),
            ("http://b:9080", None),
            ("http://u@b/api/v1/route/default/x?y=1", None),
            ("https://b/api/v1/route/default/x?y=1", None),
            ("//b/api/v1/route/default/x?y=1", None),
            ("/api/v1/route/default/x?y=1", None),
            ("", None),
        ] {
            let found = leader(&asked, target, Some(location)).ok().map(|address| address.to_string());
            assert_eq!(found.as_deref(), leads, "{location}");
        }
    }

    #[test]
    fn members_are_found_in_any_field() {
        let members =
            json!([{"id": 1, "addr": "10.0.0.1:9090"}, {"admin": "http://Node-2:9080/x"}, "[::1]:1"]);
        for (host, named) in [
            ("10.0.0.1", true),
            ("node-2", true),
            ("::1", true),
            ("10.0.0.10", false),
            ("", false),
            ("9090", false),
        ] {
            assert_eq!(names_host(&members, host), named, "{host}");
        }
    }
}
