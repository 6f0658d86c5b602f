//! What the process found around it at its start, for modules: variables they may be shown, certificates they may trust,
//! and the addresses that they never reach. It does not change while the process runs.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// The surroundings.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The environment's variables.
    pub variables: HashMap<String, String>,
    /// Trusted certificates of authorities, DER.
    pub roots: Vec<Vec<u8>>,
    /// Where the admin API listens.
    pub admin: Vec<SocketAddr>,
    /// Addresses of this host's network interfaces.
    pub interfaces: Vec<IpAddr>,
}
