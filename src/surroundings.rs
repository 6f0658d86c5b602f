//! What modules may see of the process's surroundings and what they must not reach, gathered once before the shards are
//! born: variables, trusted certificates, the admin's listener, the addresses of this host. Nothing here is asked for again later.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use tidegate_shards::Surroundings;
use tracing::warn;

/// Gathers them. `ca_file` is PEM: authorities that are trusted beside the system's.
pub fn gather(admin: &TcpListener, ca_file: Option<&Path>) -> Result<Arc<Surroundings>, String> {
    let told = |what: &str, error: io::Error| format!("{what} cannot be read: {error}");
    Ok(Arc::new(Surroundings {
        // A variable that is no UTF-8 cannot be shown to a module.
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        admin: vec![admin.local_addr().map_err(|error| told("the admin listener's address", error))?],
        interfaces: interfaces().map_err(|error| told("the network interfaces' addresses", error))?,
        roots: roots(ca_file)?,
    }))
}

/// The system's trusted certificates and those of the file, DER.
fn roots(ca_file: Option<&Path>) -> Result<Vec<Vec<u8>>, String> {
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        warn!("the system's trusted certificates cannot all be read: {error}");
    }
    let mut roots: Vec<Vec<u8>> = system.certs.iter().map(|certificate| certificate.to_vec()).collect();
    if let Some(path) = ca_file {
        let told = |why: String| format!("--fetch-ca-file {}: {why}", path.display());
        let before = roots.len();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| told(error.to_string()))? {
            roots.push(certificate.map_err(|error| told(error.to_string()))?.to_vec());
        }
        if roots.len() == before {
            return Err(told("there is no certificate in it: write PEM".into()));
        }
    }
    Ok(roots)
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
    fn a_file_of_authorities_is_read_or_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, want) in [
            ("", "there is no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\nnope", "--fetch-ca-file"),
            ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", ""),
        ] {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, text).expect("written");
            let before = roots(None).expect("the system's").len();
            match roots(Some(&path)) {
                Ok(found) => assert!(want.is_empty() && found.len() == before + 1, "{text}"),
                Err(why) => assert!(!want.is_empty() && why.contains(want), "{text}: {why}"),
            }
        }
        assert!(roots(Some(&folder.path().join("none"))).is_err());
    }

    #[test]
    fn the_admins_own_address_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let around = gather(&listener, None).expect("gathered");
        assert_eq!(around.admin, [listener.local_addr().expect("an address")]);
        assert!(around.variables.contains_key("PATH"));
    }
}
