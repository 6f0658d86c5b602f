//! The two ends of what is relayed, in one thread: clients that ask again as soon as they are answered (closed loop), and
//! an upstream that answers as soon as it is asked. Both do the same, which is to send back what came; the clients' first
//! requests set it going.

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use socket2::SockRef;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A request and a response, in bytes.
pub(crate) const LENGTH: usize = 100;
/// How often it looks whether it is to end, in nanoseconds.
const LOOK_NS: i64 = 20_000_000;
/// Sockets that are served in one turn.
const EVENTS: usize = 256;

/// Connections: on each side a client's and its upstream's one after the other.
pub(crate) struct Sockets {
    /// The relay's ends.
    pub(crate) near: Vec<TcpStream>,
    /// The load's ends.
    pub(crate) far: Vec<TcpStream>,
}

/// Makes connections for so many clients.
pub(crate) fn sockets(clients: usize) -> io::Result<Sockets> {
    let (front, behind) = (listen()?, listen()?);
    let mut sockets = Sockets { near: Vec::new(), far: Vec::new() };
    for _ in 0..clients {
        let (client, accepted) = connect(&front)?;
        let (upstream, answering) = connect(&behind)?;
        sockets.near.extend([accepted, upstream]);
        sockets.far.extend([client, answering]);
    }
    Ok(sockets)
}

fn listen() -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// Both ends of a connection: who connected, and who accepted.
fn connect(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let connected = TcpStream::connect(listener.local_addr()?)?;
    let (accepted, _) = listener.accept()?;
    for end in [&connected, &accepted] {
        end.set_nodelay(true)?;
        // Gone at once when closed: a run leaves no ports behind that wait.
        SockRef::from(end).set_linger(Some(Duration::ZERO))?;
    }
    Ok((connected, accepted))
}

/// Loads until told to end, and takes so much time for each message as clients and services take that do something.
pub(crate) fn drive(sockets: &[TcpStream], work: Duration, ended: &AtomicBool) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (at, socket) in sockets.iter().enumerate() {
        socket.set_nonblocking(true)?;
        epoll::add(&epoll, socket, epoll::EventData::new_u64(at as u64), epoll::EventFlags::IN)?;
    }
    for mut client in sockets.iter().step_by(2) {
        client.write_all(&[b'x'; LENGTH])?;
    }
    let mut buffer = [0; 4096];
    let mut events = Vec::with_capacity(EVENTS);
    let look = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
    while !ended.load(Ordering::Acquire) {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), Some(&look)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        for event in &events {
            let echoed = echo(&sockets[event.data.u64() as usize], work, &mut buffer);
            // The relay closes its ends when it has ended.
            if echoed.is_err() && !ended.load(Ordering::Acquire) {
                return echoed;
            }
        }
    }
    Ok(())
}

/// Sends back what came, after some work on it.
fn echo(mut socket: &TcpStream, work: Duration, buffer: &mut [u8]) -> io::Result<()> {
    match socket.read(buffer) {
        Ok(0) => Err(ErrorKind::ConnectionAborted.into()),
        Ok(length) => {
            let began = Instant::now();
            while began.elapsed() < work {
                std::hint::spin_loop();
            }
            socket.write_all(&buffer[..length])
        }
        Err(why) if why.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(why) => Err(why),
    }
}
