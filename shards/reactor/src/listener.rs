//! Accepting connections. The process binds; a shard only accepts.

use crate::options::SocketOptions;
use crate::socket::Socket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// A listening socket of this shard.
pub struct Listener {
    inner: monoio::net::TcpListener,
}

impl Listener {
    /// Takes over a bound, listening socket. Every connection it accepts from now on has the options.
    pub fn new(listener: std::net::TcpListener, options: SocketOptions) -> io::Result<Self> {
        // epoll needs non-blocking sockets, the ring needs blocking ones.
        listener.set_nonblocking(monoio::utils::is_legacy())?;
        let socket = socket2::Socket::from(listener);
        options.set(&socket)?;
        Ok(Self { inner: monoio::net::TcpListener::from_std(socket.into())? })
    }

    /// The next connection and its client's address.
    pub async fn accept(&mut self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = self.inner.accept().await?;
        Ok((Socket::new(stream), peer))
    }
}

impl Drop for Listener {
    /// Stops listening at once. The driver closes the descriptor in a later turn, which never comes on a shard that ends
    /// now: the kernel would go on taking connections that nobody serves for as long as another shard drains. Whoever
    /// shares listening sockets with another process must not do it like this.
    fn drop(&mut self) {
        // SAFETY: the descriptor is open for as long as `inner` lives.
        unsafe { libc::shutdown(self.inner.as_raw_fd(), libc::SHUT_RDWR) };
    }
}
