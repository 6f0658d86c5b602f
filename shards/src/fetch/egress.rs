//! Whether a module's `fetch` may connect to an address. Asked about the very address that is connected to, for every
//! hop, after the name was resolved.

use super::address::{Place, place, plain};
use crate::surroundings::Surroundings;
use std::net::{IpAddr, SocketAddr};

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Barred {
    /// It takes `net:private`; this is what it is.
    Private(&'static str),
    /// No permission helps; this is what it is.
    Nowhere(&'static str),
    /// It is the gateway's own admin API.
    Admin,
}

/// The answer for an address: may it be connected to?
pub fn judge(address: SocketAddr, allow_private: bool, around: &Surroundings) -> Result<(), Barred> {
    let place = place(address.ip());
    if let Place::Nowhere(what) = place {
        return Err(Barred::Nowhere(what));
    }
    if is_admin(address, around) {
        return Err(Barred::Admin);
    }
    match place {
        Place::Inside(what) if !allow_private => Err(Barred::Private(what)),
        _ => Ok(()),
    }
}

/// Whether the admin API may be behind an address: any address of this host with the admin's port, whichever of them it
/// listens on.
pub fn is_admin(address: SocketAddr, around: &Surroundings) -> bool {
    let ip = plain(address.ip());
    around.admin.iter().any(|admin| {
        admin.port() == address.port() && (is_of_this_host(ip, around) || plain(admin.ip()) == ip)
    })
}

/// Whether the admin API may be behind a port, if the host is this one.
pub fn is_admin_port(port: u16, around: &Surroundings) -> bool {
    around.admin.iter().any(|admin| admin.port() == port)
}

fn is_of_this_host(ip: IpAddr, around: &Surroundings) -> bool {
    ip.is_loopback() || ip.is_unspecified() || around.interfaces.iter().any(|own| plain(*own) == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(admin: &str) -> Surroundings {
        Surroundings {
            admin: vec![admin.parse().expect("an address")],
            interfaces: ["127.0.0.1", "192.168.7.2", "203.0.113.9", "8.8.4.4", "::1", "fe80::9"]
                .map(|ip| ip.parse().expect("an address"))
                .to_vec(),
            ..Surroundings::default()
        }
    }

    #[test]
    fn permissions_open_what_is_inside() {
        let around = around("127.0.0.1:9080");
        for (address, without, with) in [
            ("1.1.1.1:80", Ok(()), Ok(())),
            ("[2606:4700::1]:443", Ok(()), Ok(())),
            ("127.0.0.1:80", Err(Barred::Private("a loopback address")), Ok(())),
            ("[::ffff:127.0.0.1]:80", Err(Barred::Private("a loopback address")), Ok(())),
            ("169.254.169.254:80", Err(Barred::Private("a link-local address")), Ok(())),
            ("10.0.0.1:80", Err(Barred::Private("a private address")), Ok(())),
            ("[64:ff9b::a00:1]:80", Err(Barred::Private("a private address")), Ok(())),
            (
                "0.0.0.0:80",
                Err(Barred::Nowhere("no address of a host")),
                Err(Barred::Nowhere("no address of a host")),
            ),
            (
                "224.0.0.1:80",
                Err(Barred::Nowhere("a multicast address")),
                Err(Barred::Nowhere("a multicast address")),
            ),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(judge(address, false, &around), without, "{address}");
            assert_eq!(judge(address, true, &around), with, "{address}");
        }
    }

    #[test]
    fn the_admin_is_out_of_reach_under_any_address() {
        for admin in ["127.0.0.1:9080", "0.0.0.0:9080", "[::]:9080", "[::1]:9080", "192.168.7.2:9080"] {
            let around = around(admin);
            for target in [
                "127.0.0.1",
                "127.9.9.9",
                "[::1]",
                "[::ffff:127.0.0.1]",
                "192.168.7.2",
                "203.0.113.9",
                "8.8.4.4",
                "[fe80::9]",
                "[64:ff9b::192.168.7.2]",
                "[2002:c0a8:702::1]",
            ] {
                for port in [9080, 9081] {
                    let address = format!("{target}:{port}").parse().expect("an address");
                    let judged = judge(address, true, &around);
                    assert_eq!(judged == Err(Barred::Admin), port == 9080, "{admin} {target}:{port}");
                }
            }
            let elsewhere = "192.168.7.3:9080".parse().expect("an address");
            assert_eq!(judge(elsewhere, true, &around), Ok(()), "{admin}");
        }
        // An address that no interface had at the start, but that the admin was told to listen on.
        let around = around("198.51.100.7:9080");
        assert_eq!(
            judge("198.51.100.7:9080".parse().expect("an address"), true, &around),
            Err(Barred::Admin)
        );
    }
}
