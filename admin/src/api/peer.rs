//! Whose request it is: the address of the connection, or what trusted proxies in front say, counted from the right so
//! that a client cannot choose it.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// The client's address. With a depth of N, the N-th address from the right of `X-Forwarded-For`; a list that is too
/// short or unreadable leaves the connection's own.
pub(crate) fn address(connection: Option<IpAddr>, headers: &HeaderMap, depth: u32) -> Option<IpAddr> {
    let connection = connection.map(|ip| ip.to_canonical());
    if depth == 0 {
        return connection;
    }
    let mut hops: Vec<&str> = Vec::new();
    for field in headers.get_all("x-forwarded-for") {
        hops.extend(field.to_str().unwrap_or("").split(',').map(str::trim));
    }
    let claimed = hops.len().checked_sub(depth as usize).and_then(|at| hops[at].parse::<IpAddr>().ok());
    claimed.map(|ip| ip.to_canonical()).or(connection)
}

/// Whether the list lets the address in; an empty list lets everybody.
pub(crate) fn allowed(list: &[IpNet], address: Option<IpAddr>) -> bool {
    list.is_empty() || address.is_some_and(|address| list.iter().any(|network| network.contains(&address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_behind_proxies() {
        for (connection, fields, depth, expected) in [
            ("10.0.0.1", vec![], 0, "10.0.0.1"),
            ("10.0.0.1", vec!["1.1.1.1"], 0, "10.0.0.1"),
            ("10.0.0.1", vec!["1.1.1.1"], 1, "1.1.1.1"),
            ("10.0.0.1", vec!["6.6.6.6, 1.1.1.1"], 1, "1.1.1.1"),
            ("10.0.0.1", vec!["6.6.6.6, 1.1.1.1, 2.2.2.2"], 2, "1.1.1.1"),
            ("10.0.0.1", vec!["6.6.6.6", "1.1.1.1"], 1, "1.1.1.1"),
            ("10.0.0.1", vec!["1.1.1.1"], 2, "10.0.0.1"),
            ("10.0.0.1", vec!["rubbish"], 1, "10.0.0.1"),
            ("::ffff:10.0.0.1", vec![], 0, "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for field in &fields {
                headers.append("x-forwarded-for", field.parse().unwrap());
            }
            let found = address(connection.parse().ok(), &headers, depth);
            assert_eq!(found, expected.parse().ok(), "{fields:?} {depth}");
        }
    }

    #[test]
    fn the_allow_list() {
        let list: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|net| net.parse().unwrap()).collect();
        for (address, expected) in [("10.1.2.3", true), ("::1", true), ("11.0.0.1", false)] {
            assert_eq!(allowed(&list, address.parse().ok()), expected, "{address}");
        }
        assert!(!allowed(&list, None));
        assert!(allowed(&[], None));
    }
}
