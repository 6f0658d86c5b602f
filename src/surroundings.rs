//! What modules may see of the process's surroundings and what they must not reach, gathered once before the shards are
//! born: variables, the admin's listener, the addresses of this host. Nothing here is asked for again later.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::ptr;
use std::sync::Arc;
use tidegate_shards::Surroundings;

/// Gathers them.
pub fn gather(admin: &TcpListener) -> Result<Arc<Surroundings>, String> {
    let told = |what: &str, error: io::Error| format!("{what} cannot be read: {error}");
    Ok(Arc::new(Surroundings {
        // A variable that is no UTF-8 cannot be shown to a module.
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        admin: vec![admin.local_addr().map_err(|error| told("the admin listener's address", error))?],
        interfaces: interfaces().map_err(|error| told("the network interfaces' addresses", error))?,
        ..Surroundings::default()
    }))
}

/// The addresses of this host's network interfaces.
fn interfaces() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the call writes a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: `at` is an entry of the list, which lives until it is freed; its address is null or a socket address
        // of the family that it names.
        unsafe {
            found.extend(address_of((*at).ifa_addr));
            at = (*at).ifa_next;
        }
    }
    // SAFETY: the list came from `getifaddrs` and is not used any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// The IP address in a socket address, where it is one.
///
/// # Safety
/// `address` is null or points to a socket address of the family that it names.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, and the family says which structure it is. They may be unaligned to that structure.
    unsafe {
        match i32::from((*address).sa_family) {
            libc::AF_INET => {
                let inner = address.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(inner.sin_addr.s_addr.to_ne_bytes()).into())
            }
            libc::AF_INET6 => {
                let inner = address.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(inner.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback_interface() {
        let found = interfaces().expect("the kernel tells");
        assert!(found.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{found:?}");
    }

    #[test]
    fn the_admins_own_address_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let around = gather(&listener).expect("gathered");
        assert_eq!(around.admin, [listener.local_addr().expect("an address")]);
        assert!(around.variables.contains_key("PATH"));
    }
}
