//! Full TLS handshakes: each request on a connection of its own, from many threads on the load's CPU. It stands here
//! because wrk takes up earlier sessions again, which would measure something else.

use crate::load::{Load, percentile};
use crate::workload::Exchange;
use crate::{Failure, child, interrupt, probe, tls_client};
use rustls::ClientConfig;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For one exchange; a run that waits for longer is broken.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An exchange as a load.
pub(crate) struct Handshakes {
    request: Vec<u8>,
    host: String,
    connections: u32,
    cpu: usize,
}

/// What one thread has seen: microseconds of each exchange, and how many failed.
#[derive(Default)]
struct Seen {
    latencies: Vec<u32>,
    errors: u64,
}

impl Handshakes {
    pub(crate) fn new(exchange: &Exchange, connections: u32, cpu: usize) -> Self {
        let (request, host) = (probe::request(exchange), exchange.host.clone());
        Self { request, host, connections, cpu }
    }

    /// Loads a port for so many seconds.
    pub(crate) fn run(&self, port: u16, seconds: u32) -> Result<Load, Failure> {
        let config = tls_client::config();
        let begun = Instant::now();
        let end = begun + Duration::from_secs(u64::from(seconds));
        let seen: Vec<Seen> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.connections).map(|_| scope.spawn(|| self.until(end, port, &config))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        });
        interrupt::check()?;
        let seconds = begun.elapsed().as_secs_f64();
        let errors = seen.iter().map(|seen| seen.errors).sum();
        let mut latencies: Vec<u32> = seen.into_iter().flat_map(|seen| seen.latencies).collect();
        latencies.sort_unstable();
        let at = |percent| percentile(&latencies, percent).unwrap_or_default();
        let requests = latencies.len() as u64;
        Ok(Load { requests, seconds, p50: at(50.0), p99: at(99.0), p999: at(99.9), errors, late: false })
    }

    fn until(&self, end: Instant, port: u16, config: &Arc<ClientConfig>) -> Seen {
        let mut seen = Seen::default();
        if !child::pin_this_thread(self.cpu) {
            return seen;
        }
        loop {
            let begun = Instant::now();
            if begun >= end || interrupt::check().is_err() {
                return seen;
            }
            match self.once(port, config) {
                Ok(()) => seen.latencies.push(begun.elapsed().as_micros().try_into().unwrap_or(u32::MAX)),
                Err(_) => seen.errors += 1,
            }
        }
    }

    fn once(&self, port: u16, config: &Arc<ClientConfig>) -> std::io::Result<()> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut stream = tls_client::over(stream, &self.host, config.clone())?;
        stream.write_all(&self.request)?;
        let mut answer = Vec::with_capacity(1024);
        // Whether a gateway says goodbye in TLS before it closes is its own business.
        match stream.read_to_end(&mut answer) {
            Err(why) if why.kind() != std::io::ErrorKind::UnexpectedEof => Err(why),
            _ if answer.starts_with(b"HTTP/1.1 200 ") => Ok(()),
            _ => Err(std::io::Error::other("not an answer of 200")),
        }
    }
}
