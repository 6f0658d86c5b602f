//! Binding. A proxy address gets one listening socket per shard, between which the kernel spreads connections. What is
//! set on a listening socket holds for the connections it accepts.

use crate::steer::{self, Steer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::time::Duration;

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

/// How the proxy's listeners take connections.
#[derive(Debug)]
pub struct Accepting {
    /// Connections waiting at each.
    pub backlog: i32,
    /// Wait for a client's first bytes, whole seconds; zero does not.
    pub defer: Duration,
    /// Requests in first packets that may wait at each; 0 takes none.
    pub fast_open: i32,
    /// Congestion control towards clients.
    pub congestion_control: Option<String>,
    /// Who gets a connection.
    pub steer: Steer,
    /// The CPU of each shard; one listener for each.
    pub cpus: Vec<usize>,
}

/// Listeners on one address, in the order of the shards; port 0 becomes one port for all of them.
pub fn shared(address: SocketAddr, how: &Accepting, what: &str) -> Result<Vec<TcpListener>, String> {
    let fail = |error: io::Error| explain(what, address, &error);
    // Sockets that share a port do not notice another process which shares it too: ask without sharing first.
    if address.port() != 0 {
        drop(socket(address, false, 1).map_err(fail)?);
    }
    let first = socket(address, true, how.backlog).map_err(fail)?;
    let bound = first.local_addr().map_err(fail)?;
    let mut listeners = vec![first];
    for _ in 1..how.cpus.len() {
        listeners.push(socket(bound, true, how.backlog).map_err(fail)?);
    }
    for listener in &listeners {
        set_options(listener, how)?;
    }
    let steered = match how.steer {
        Steer::None => Ok(()),
        Steer::Cpu => steer::attach(&listeners, &how.cpus),
        Steer::IncomingCpu => steer::prefer(&listeners, &how.cpus),
    };
    steered.map_err(|error| format!("--steer: the kernel refuses ({error}): use --steer none"))?;
    Ok(listeners)
}

fn set_options(listener: &TcpListener, how: &Accepting) -> Result<(), String> {
    let number = |option, value: libc::c_int| {
        // SAFETY: the descriptor is open and the option is an int of the size that is said.
        let result = unsafe {
            libc::setsockopt(
                listener.as_raw_fd(),
                libc::IPPROTO_TCP,
                option,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    if !how.defer.is_zero() {
        let seconds = i32::try_from(how.defer.as_secs()).unwrap_or(i32::MAX);
        number(libc::TCP_DEFER_ACCEPT, seconds).map_err(|error| format!("--defer-accept: {error}"))?;
    }
    if how.fast_open > 0 {
        number(libc::TCP_FASTOPEN, how.fast_open).map_err(|error| format!("--tcp-fastopen: {error}"))?;
    }
    if let Some(name) = &how.congestion_control {
        SockRef::from(listener)
            .set_tcp_congestion(name.as_bytes())
            .map_err(|error| no_congestion_control(name, &error))?;
    }
    Ok(())
}

fn no_congestion_control(name: &str, error: &io::Error) -> String {
    let list = |which: &str| {
        let path = format!("/proc/sys/net/ipv4/tcp_{which}_congestion_control");
        std::fs::read_to_string(path).unwrap_or_default().trim().replace(' ', ", ")
    };
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "--congestion-control {name} is for processes with CAP_NET_ADMIN here; anybody may use {}",
            list("allowed")
        ),
        _ => format!(
            "--congestion-control {name}: {error}; this kernel has {}, or load it: modprobe tcp_{name}",
            list("available")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    fn how() -> Accepting {
        Accepting {
            backlog: 16,
            defer: Duration::ZERO,
            fast_open: 0,
            congestion_control: None,
            steer: Steer::None,
            cpus: vec![0],
        }
    }

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn clients_get_the_congestion_control_that_was_asked_for() {
        let how = Accepting { congestion_control: Some("reno".into()), ..how() };
        let listeners = shared(any(), &how, "--proxy-listen").expect("every kernel has reno");
        let _client = TcpStream::connect(listeners[0].local_addr().expect("bound")).expect("connected");
        let (accepted, _) = listeners[0].accept().expect("accepted");
        let name = SockRef::from(&accepted).tcp_congestion().expect("a name");
        assert_eq!(name.split(|byte| *byte == 0).next(), Some(&b"reno"[..]));
        let how = Accepting { congestion_control: Some("no_such".into()), ..how };
        let refused = shared(any(), &how, "--proxy-listen");
        assert!(refused.is_err_and(|why| why.contains("no_such") && why.contains("reno")));
    }

    #[test]
    fn a_client_that_says_nothing_is_not_accepted_yet() {
        for (seconds, is_accepted) in [(0, true), (5, false)] {
            let how = Accepting { defer: Duration::from_secs(seconds), ..how() };
            let listeners = shared(any(), &how, "--proxy-listen").expect("listening");
            listeners[0].set_nonblocking(true).expect("an option");
            let mut client =
                TcpStream::connect(listeners[0].local_addr().expect("bound")).expect("connected");
            assert_eq!(listeners[0].accept().is_ok(), is_accepted, "{seconds}");
            listeners[0].set_nonblocking(false).expect("an option");
            io::Write::write_all(&mut client, b"x").expect("sent");
            if !is_accepted {
                listeners[0].accept().expect("accepted with its first byte");
            }
        }
    }
}
