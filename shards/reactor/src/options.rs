//! What is set on TCP sockets. A listening socket's options are taken over by every connection it accepts, so that an
//! accepted connection costs no system call for them; an upstream's connection gets them when it is made.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// When the kernel asks a silent peer whether it is still there (RFC 9293 section 3.8.4). Whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between two probes.
    pub interval: Duration,
    /// Probes without an answer, after which the connection is reset.
    pub count: u32,
}

/// What is set on a socket besides `TCP_NODELAY`. The default sets nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketOptions {
    /// Kernel receive buffer in bytes; 0 leaves it to the kernel.
    pub receive_buffer: usize,
    /// Kernel send buffer in bytes; 0 leaves it to the kernel.
    pub send_buffer: usize,
    /// Probes of a silent peer; none by default.
    pub keep_alive: Option<KeepAlive>,
    /// How long sent bytes may stay unacknowledged before the connection is reset (RFC 5482); zero leaves it to the kernel.
    pub user_timeout: Duration,
    /// Unsent bytes in the kernel from which on a socket takes no more; 0 is no bound but the send buffer.
    pub unsent_bytes: u32,
    /// The kernel stamps what arrives (`SO_TIMESTAMPNS`), for [`crate::Reader::arrived_ns`]. On io_uring only.
    pub arrival_stamps: bool,
    /// Addresses of this host that connections to others come from, in turn; empty leaves it to the kernel. Each of them
    /// has ports of its own.
    pub sources: &'static [IpAddr],
}

thread_local! {
    /// Whose turn it is among the sources.
    static TURN: Cell<usize> = const { Cell::new(0) };
}

impl SocketOptions {
    /// Binds a socket that is to be connected to `address` to the next source of its family. The port is left open until
    /// then (`IP_BIND_ADDRESS_NO_PORT`), so that one port serves many destinations.
    pub(crate) fn bind_source(&self, socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
        let count = self.sources.len();
        let turn = TURN.get();
        let mut candidates = (0..count).map(|step| (turn + step) % count);
        let Some(at) = candidates.find(|at| self.sources[*at].is_ipv4() == address.is_ipv4()) else {
            return Ok(());
        };
        TURN.set(at + 1);
        set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
        socket.bind(&SocketAddr::new(self.sources[at], 0).into())
    }

    /// Sets them. The error names the option that was refused.
    pub(crate) fn set(&self, socket: &socket2::Socket) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        // The kernel clamps these; a refusal changes nothing that matters.
        if self.receive_buffer > 0 {
            let _ = socket.set_recv_buffer_size(self.receive_buffer);
        }
        if self.send_buffer > 0 {
            let _ = socket.set_send_buffer_size(self.send_buffer);
        }
        if let Some(KeepAlive { idle, interval, count }) = self.keep_alive {
            let probes = socket2::TcpKeepalive::new().with_time(idle).with_interval(interval);
            socket.set_tcp_keepalive(&probes.with_retries(count)).map_err(|e| named("keep-alive", &e))?;
        }
        if !self.user_timeout.is_zero() {
            let set = socket.set_tcp_user_timeout(Some(self.user_timeout));
            set.map_err(|e| named("TCP_USER_TIMEOUT", &e))?;
        }
        if self.unsent_bytes > 0 {
            socket.set_tcp_notsent_lowat(self.unsent_bytes).map_err(|e| named("TCP_NOTSENT_LOWAT", &e))?;
        }
        if self.arrival_stamps {
            // Without stamps a time is told a little later, and nothing else is different.
            let _ = set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1);
        }
        Ok(())
    }
}

fn named(option: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{option} cannot be set: {error}"))
}

fn set(
    socket: &socket2::Socket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is open and the option is an int of the size that is said.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn connections_come_from_the_sources_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let sources: [IpAddr; 3] =
            ["127.0.0.2", "::1", "127.0.0.3"].map(|text| text.parse().expect("an address"));
        let options = SocketOptions { sources: Vec::from(sources).leak(), ..SocketOptions::default() };
        TURN.set(0);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("one");
            options.bind_source(&socket, address).expect("an address of this host");
            socket.connect(&address.into()).expect("connected");
            seen.push(listener.accept().expect("accepted").1.ip().to_string());
        }
        assert_eq!(seen, ["127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.3"]);
    }

    #[test]
    fn an_accepted_connection_has_what_its_listener_has() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let plain = {
            let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
            listener.accept().expect("accepted").0
        };
        assert!(!plain.nodelay().expect("an option"), "the kernel's default is another");
        let options = SocketOptions {
            receive_buffer: 50_000,
            send_buffer: 60_000,
            keep_alive: Some(KeepAlive {
                idle: Duration::from_secs(61),
                interval: Duration::from_secs(11),
                count: 4,
            }),
            user_timeout: Duration::from_millis(12_345),
            unsent_bytes: 16_384,
            ..SocketOptions::default()
        };
        options.set(&socket2::Socket::from(listener.try_clone().expect("a handle"))).expect("set");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (accepted, _) = listener.accept().expect("accepted");
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().expect("an option"));
        // The kernel doubles what is asked for, for its own bookkeeping (socket(7)).
        assert_eq!(socket.recv_buffer_size().expect("an option"), 100_000);
        assert_eq!(socket.send_buffer_size().expect("an option"), 120_000);
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), Duration::from_secs(61));
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), Duration::from_secs(11));
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), 4);
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(options.user_timeout));
        assert_eq!(socket.tcp_notsent_lowat().expect("an option"), 16_384);
    }
}
