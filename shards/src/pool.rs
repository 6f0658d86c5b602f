//! The shard's upstream connections: kept idle per destination under bounds, checked before they are used again, opened
//! when there is none. A connection that said something while it was idle is not one to trust and is dropped.

use crate::counters::Counters;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::Link;
use crate::secure::{Insecure, Server};
use crate::wire;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tidegate_codec::ResponseHead;
use tidegate_reactor::{ConnectError, clock, connect};

/// Where a connection leads. Connections are shared among all who mean the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The address.
    pub address: SocketAddr,
    /// Over TLS, with the server that must be there.
    pub server: Option<Rc<Server>>,
}

impl From<SocketAddr> for Destination {
    /// Without TLS.
    fn from(address: SocketAddr) -> Self {
        Self { address, server: None }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Unconnected {
    /// As many as may be are open to this destination.
    Busy,
    /// It was not accepted in time.
    Late,
    /// The kernel or the peer refused.
    Refused(io::Error),
    /// There is a connection, but it is not safe.
    Insecure(Box<Insecure>),
}

impl From<Unconnected> for Fault {
    /// What it means for a request that a service was to answer.
    fn from(unconnected: Unconnected) -> Self {
        match unconnected {
            Unconnected::Busy => Fault::UpstreamBusy,
            Unconnected::Late => Fault::ConnectTimeout,
            Unconnected::Refused(_) | Unconnected::Insecure(_) => Fault::ConnectFailed,
        }
    }
}

/// Counts a connection for its address for as long as it lives.
struct Open {
    peer: Rc<Peer>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.peer.open.set(self.peer.open.get() - 1);
    }
}

#[derive(Default)]
struct Peer {
    open: Cell<usize>,
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    link: Box<Link>,
    since_ms: u64,
}

/// The pool of a shard.
#[derive(Default)]
pub struct Pool {
    peers: RefCell<HashMap<Destination, Rc<Peer>>>,
    idle: Cell<usize>,
}

impl Pool {
    fn peer(&self, destination: &Destination) -> Rc<Peer> {
        let mut peers = self.peers.borrow_mut();
        match peers.get(destination) {
            Some(peer) => peer.clone(),
            None => peers.entry(destination.clone()).or_default().clone(),
        }
    }

    /// A kept connection that is still silent.
    fn kept(&self, peer: &Peer, counters: &Counters) -> Option<Box<Link>> {
        loop {
            let mut idle = peer.idle.borrow_mut().pop()?;
            self.idle.set(self.idle.get() - 1);
            counters.upstream_idle.sub(1);
            if idle.link.input.reader.is_disturbed() {
                continue;
            }
            return Some(idle.link);
        }
    }

    /// A connection to the destination: a kept one unless `fresh`, or a new one, whose making is added to `connect_ns`.
    pub async fn checkout(
        &self,
        destination: &Destination,
        fresh: bool,
        timeout: Duration,
        limits: &Limits,
        counters: &Counters,
        connect_ns: &mut u64,
    ) -> Result<Box<Link>, Unconnected> {
        let peer = self.peer(destination);
        if !fresh && let Some(link) = self.kept(&peer, counters) {
            counters.upstream_reuses.add(1);
            return Ok(link);
        }
        if peer.open.get() >= limits.upstream_max_per_address {
            return Err(Unconnected::Busy);
        }
        peer.open.set(peer.open.get() + 1);
        let open = Open { peer };
        let began_ns = clock::precise_ns();
        let made = Self::make(destination, open, timeout, limits, counters).await;
        *connect_ns += clock::turn_ns().saturating_sub(began_ns);
        made
    }

    async fn make(
        destination: &Destination,
        open: Open,
        timeout: Duration,
        limits: &Limits,
        counters: &Counters,
    ) -> Result<Box<Link>, Unconnected> {
        let began_ms = clock::coarse_ms();
        let connecting = connect(destination.address, timeout, limits.upstream_socket);
        let socket = connecting.await.map_err(|error| match error {
            ConnectError::TimedOut => Unconnected::Late,
            ConnectError::Refused(error) => Unconnected::Refused(error),
        })?;
        counters.upstream_connects.add(1);
        let (input, output) = match &destination.server {
            None => wire::open(socket),
            Some(server) => {
                let gone = Duration::from_millis(clock::coarse_ms() - began_ms);
                let sealing = wire::open_sealed(socket, server, timeout.saturating_sub(gone));
                // Boxed, as all rare waits: every connection has room for its largest future.
                Box::pin(sealing).await.map_err(|insecure| match insecure {
                    Insecure::Late => Unconnected::Late,
                    insecure => Unconnected::Insecure(Box::new(insecure)),
                })?
            }
        };
        Ok(Box::new(Link {
            input,
            output: Some(output),
            head: ResponseHead::default(),
            is_reused: false,
            home: Box::new(open),
        }))
    }

    /// Keeps a connection whose exchange ended cleanly, or closes it where the bounds say so.
    pub fn give_back(&self, mut link: Box<Link>, limits: &Limits, counters: &Counters) {
        let Some(open) = link.home.downcast_ref::<Open>() else { return };
        let peer = open.peer.clone();
        let Some(output) = &mut link.output else { return };
        let is_clean = link.input.is_quiet() && output.buffer.is_empty();
        output.shrink(limits.connection_buffer_bytes * 4);
        output.take_stalled_ns();
        let mut idle = peer.idle.borrow_mut();
        if !is_clean
            || idle.len() >= limits.upstream_idle_per_address
            || self.idle.get() >= limits.upstream_idle_total
        {
            return;
        }
        link.input.reader.deadline().disarm();
        link.is_reused = true;
        // What one large message needed is not kept for all the small ones.
        link.input.watch(limits.connection_buffer_bytes * 4, limits.relay_buffer_bytes);
        idle.push(Idle { link, since_ms: clock::coarse_ms() });
        self.idle.set(self.idle.get() + 1);
        counters.upstream_idle.add(1);
    }

    /// Closes what has been idle for too long and forgets destinations without connections. Called about once a second.
    pub fn sweep(&self, limits: &Limits, counters: &Counters) {
        let oldest = clock::coarse_ms().saturating_sub(limits.upstream_idle_timeout.as_millis() as u64);
        self.peers.borrow_mut().retain(|_, peer| {
            let mut idle = peer.idle.borrow_mut();
            let before = idle.len();
            // Also those that were closed by their peer: no reason to hold their descriptors.
            idle.retain_mut(|kept| kept.since_ms >= oldest && !kept.link.input.reader.is_disturbed());
            let closed = before - idle.len();
            self.idle.set(self.idle.get() - closed);
            counters.upstream_idle.sub(closed as u64);
            drop(idle);
            peer.open.get() > 0
        });
    }

    /// Closes every idle connection: the shard drains.
    pub fn close_idle(&self, counters: &Counters) {
        for peer in self.peers.borrow().values() {
            peer.idle.borrow_mut().clear();
        }
        counters.upstream_idle.sub(self.idle.replace(0) as u64);
    }
}
