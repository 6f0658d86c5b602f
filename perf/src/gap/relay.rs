//! A gateway that does nothing: bytes go from a client to the upstream and back, on the CPU of the gateway that is
//! measured: what any gateway costs at least. A process of its own, as a gateway is: threads of the load's process would be
//! interrupted for its memory. One request at a time on a connection.

use crate::arguments::RelayOptions;
use crate::child::Child;
use crate::contestant::wait_until_listening;
use crate::{Failure, interrupt, probe};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

/// How often it looks whether it is to end, in nanoseconds.
const LOOK_NS: i64 = 50_000_000;
/// The listener's token; connections have their index, doubled, and one more for the upstream's side.
const LISTENER: u64 = u64::MAX;

/// A relay that runs.
pub(crate) struct Relay {
    pub(crate) port: u16,
    _child: Child,
}

/// A client's connection and its own to the upstream.
struct Pair {
    client: TcpStream,
    upstream: TcpStream,
}

impl Relay {
    /// Starts this program as a relay.
    pub(crate) fn start(upstream: u16, cpu: usize, dir: &Path) -> Result<Self, Failure> {
        let port = probe::free_port()?;
        let program = std::env::current_exe().map_err(|why| format!("this program has no file: {why}"))?;
        let mut command = Command::new(program);
        command.args(["relay", &port.to_string(), &upstream.to_string()]);
        let mut child = Child::start("relay", command, cpu, dir)?;
        wait_until_listening(&mut child, port)?;
        Ok(Self { port, _child: child })
    }
}

/// Relays until the process is told to end.
pub(crate) fn serve(options: &RelayOptions) -> Result<(), Failure> {
    let failed = |why| format!("the relay failed: {why}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).map_err(failed)?;
    run(&listener, options.upstream, || interrupt::check().is_err()).map_err(failed)
}

fn run(listener: &TcpListener, upstream: u16, ended: impl Fn() -> bool) -> std::io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    listener.set_nonblocking(true)?;
    let watch = |stream: &TcpStream, token| {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        epoll::add(&epoll, stream, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
        std::io::Result::Ok(())
    };
    epoll::add(&epoll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut pairs: Vec<Option<Pair>> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !ended() {
        for event in wait(&epoll)? {
            let token = event.data.u64();
            if token == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    let upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
                    let first = 2 * pairs.len() as u64;
                    watch(&client, first)?;
                    watch(&upstream, first + 1)?;
                    pairs.push(Some(Pair { client, upstream }));
                }
                continue;
            }
            let slot = &mut pairs[(token / 2) as usize];
            let Some(pair) = slot else { continue };
            if pair.pass(token % 2 == 1, &mut buffer).is_err() {
                *slot = None;
            }
        }
    }
    Ok(())
}

fn wait(epoll: &OwnedFd) -> std::io::Result<Vec<epoll::Event>> {
    let mut events = Vec::with_capacity(256);
    let look = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
    match epoll::wait(epoll, spare_capacity(&mut events), Some(&look)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(events),
        Err(why) => Err(why.into()),
    }
}

impl Pair {
    /// Passes on what one side sent. Small messages only: what finds no room is an error.
    fn pass(&mut self, from_upstream: bool, buffer: &mut [u8]) -> std::io::Result<()> {
        let Self { client, upstream } = self;
        let (from, to) = if from_upstream { (upstream, client) } else { (client, upstream) };
        match from.read(buffer) {
            Ok(0) => Err(ErrorKind::ConnectionAborted.into()),
            Ok(length) => to.write_all(&buffer[..length]),
            Err(why) if why.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(why) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn bytes_go_both_ways() {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let (upstream, listener) = (bind(), bind());
        let (behind, front) = (port(&upstream), port(&listener));
        let ended = Arc::new(AtomicBool::new(false));
        let told = ended.clone();
        let relay = std::thread::spawn(move || {
            run(&listener, behind, || told.load(Ordering::Acquire)).expect("it runs")
        });
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, front)).expect("connected");
        let (mut server, _) = upstream.accept().expect("the relay's connection");
        let mut buffer = [0; 16];
        for _ in 0..3 {
            client.write_all(b"question").expect("sent");
            server.read_exact(&mut buffer[..8]).expect("passed on");
            assert_eq!(&buffer[..8], b"question");
            server.write_all(b"answer").expect("sent");
            client.read_exact(&mut buffer[..6]).expect("passed back");
            assert_eq!(&buffer[..6], b"answer");
        }
        ended.store(true, Ordering::Release);
        relay.join().expect("it ends");
    }
}
