//! Binding. A proxy address gets one listening socket per shard, between which the kernel spreads connections.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// The address a text names. A name is resolved; of several addresses the first is taken.
pub fn address(text: &str, what: &str) -> Result<SocketAddr, String> {
    let text = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_string() };
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| format!("{what} '{text}' is no address (host:port): {error}"))?;
    found.next().ok_or_else(|| format!("{what} '{text}' has no address"))
}

fn explain(what: &str, address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there: end it or choose another port",
        io::ErrorKind::PermissionDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => "this host has no such address",
        _ => "choose another address",
    };
    format!("{what}: cannot listen on {address} ({error}): {advice}")
}

fn socket(address: SocketAddr, shares_port: bool, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shares_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        // [::] means both families, as users of gateways expect.
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// One listener.
pub fn one(address: SocketAddr, what: &str) -> Result<TcpListener, String> {
    socket(address, false, 1024).map_err(|error| explain(what, address, &error))
}

/// `count` listeners on one address; port 0 becomes one port for all of them.
pub fn shared(address: SocketAddr, count: u16, backlog: i32, what: &str) -> Result<Vec<TcpListener>, String> {
    let fail = |error: io::Error| explain(what, address, &error);
    // Sockets that share a port do not notice another process which shares it too: ask without sharing first.
    if address.port() != 0 {
        drop(socket(address, false, 1).map_err(fail)?);
    }
    let first = socket(address, true, backlog).map_err(fail)?;
    let bound = first.local_addr().map_err(fail)?;
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(socket(bound, true, backlog).map_err(fail)?);
    }
    Ok(listeners)
}
