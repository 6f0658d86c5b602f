//! A gateway that does nothing: bytes go from a client to the upstream and back, on the CPU of the gateway that is
//! measured. Its time is known from outside as the gateway's is, and from inside by its own clock, so that what the
//! kernel puts between the two is known as well. One request at a time on a connection.

use crate::Failure;
use crate::pace::{bind_to_cpu, histogram};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::time::Timespec;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// How often it looks whether it is to end, in nanoseconds.
const LOOK_NS: i64 = 50_000_000;
/// The listener's token; connections have their index, doubled, and one more for the upstream's side.
const LISTENER: u64 = u64::MAX;

/// A relay that runs.
pub(crate) struct Relay {
    pub(crate) port: u16,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Result<Histogram<u64>, Failure>>,
}

/// A client's connection and its own to the upstream.
struct Pair {
    client: TcpStream,
    upstream: TcpStream,
    /// What the request took, in nanoseconds.
    request_ns: u64,
}

impl Relay {
    pub(crate) fn start(upstream: u16, cpu: usize) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|why| why.to_string())?;
        let port = listener.local_addr().map_err(|why| why.to_string())?.port();
        let ended = Arc::new(AtomicBool::new(false));
        let told = ended.clone();
        let thread = std::thread::spawn(move || {
            bind_to_cpu(cpu)?;
            run(&listener, upstream, &told).map_err(|why| format!("the relay failed: {why}"))
        });
        Ok(Self { port, ended, thread })
    }

    /// Ends it; the time of each exchange between its reading and having written, both ways, in nanoseconds.
    pub(crate) fn end(self) -> Result<Histogram<u64>, Failure> {
        self.ended.store(true, Ordering::Release);
        self.thread.join().map_err(|_| "the relay's thread panicked")?
    }
}

fn run(listener: &TcpListener, upstream: u16, ended: &AtomicBool) -> std::io::Result<Histogram<u64>> {
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
    let (mut times, mut buffer) = (histogram(), vec![0; 64 * 1024]);
    while !ended.load(Ordering::Acquire) {
        for event in wait(&epoll)? {
            let token = event.data.u64();
            if token == LISTENER {
                while let Ok((client, _)) = listener.accept() {
                    let upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream))?;
                    let first = 2 * pairs.len() as u64;
                    watch(&client, first)?;
                    watch(&upstream, first + 1)?;
                    pairs.push(Some(Pair { client, upstream, request_ns: 0 }));
                }
                continue;
            }
            let slot = &mut pairs[(token / 2) as usize];
            let Some(pair) = slot else { continue };
            match pair.pass(token % 2 == 1, &mut buffer) {
                Ok(time) => time.into_iter().for_each(|ns| times.saturating_record(ns)),
                Err(_) => *slot = None,
            }
        }
    }
    Ok(times)
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
    /// Passes on what one side sent; the time of the exchange if that was a response. Small messages only: what finds no
    /// room is an error.
    fn pass(&mut self, from_upstream: bool, buffer: &mut [u8]) -> std::io::Result<Option<u64>> {
        let Self { client, upstream, request_ns } = self;
        let (from, to) = if from_upstream { (upstream, client) } else { (client, upstream) };
        let length = match from.read(buffer) {
            Ok(0) => return Err(ErrorKind::ConnectionAborted.into()),
            Ok(length) => length,
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(why) => return Err(why),
        };
        let read = Instant::now();
        to.write_all(&buffer[..length])?;
        let ns = read.elapsed().as_nanos() as u64;
        if from_upstream {
            return Ok(Some(*request_ns + ns));
        }
        *request_ns = ns;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_both_ways_and_are_timed() {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = upstream.local_addr().expect("an address").port();
        let relay = Relay::start(port, 0).expect("a relay");
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port)).expect("connected");
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
        let times = relay.end().expect("times");
        assert_eq!(times.len(), 3);
        assert!(times.min() > 0);
    }
}
