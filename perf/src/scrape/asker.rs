//! Asks for `/metrics` as a monitoring system does: at fixed times, a connection for each scrape, all of it read. A scrape
//! that fails is a failure of the run, never a gap in its figures.

use crate::{Failure, interrupt};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for more of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an asker that waits looks whether it is to end.
const LOOK: Duration = Duration::from_millis(5);
/// A family with one sample for each route.
const ONE_PER_ROUTE: &[u8] = b"tidegate_upstream_errors_total{";

/// One scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scraped {
    pub(crate) took: Duration,
    /// Of the body.
    pub(crate) bytes: usize,
}

/// Asks once; `text` is what was answered, head and body, in memory that is used again.
pub(crate) fn scrape(port: u16, text: &mut Vec<u8>) -> Result<Scraped, Failure> {
    let failed = |why: std::io::Error| format!("/metrics of tidegate's admin API cannot be read: {why}");
    let began = Instant::now();
    text.clear();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    // HTTP/1.0: the end of the answer is that of the connection.
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n").map_err(failed)?;
    stream.read_to_end(text).map_err(failed)?;
    let took = began.elapsed();
    let head = text.windows(4).take(4_096).position(|four| four == b"\r\n\r\n");
    match head {
        Some(head) if text.get(9..12) == Some(b"200") && text.ends_with(b"\n") => {
            Ok(Scraped { took, bytes: text.len() - head - 4 })
        }
        _ => {
            let beginning = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
            Err(format!("/metrics of tidegate's admin API answered {beginning:?}"))
        }
    }
}

/// Lines of an answer that are samples, and routes that have a row.
pub(crate) fn samples(text: &[u8]) -> (usize, usize) {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"tidegate_"));
    lines.fold((0, 0), |(all, routes), line| (all + 1, routes + usize::from(line.starts_with(ONE_PER_ROUTE))))
}

/// Asks every so often, first after half of that, until told to end.
pub(crate) fn ask(port: u16, every: Duration, ended: &AtomicBool) -> Result<Vec<Scraped>, Failure> {
    let (mut scrapes, mut text) = (Vec::new(), Vec::new());
    let mut due = Instant::now() + every / 2;
    loop {
        while Instant::now() < due {
            if ended.load(Ordering::Acquire) {
                return Ok(scrapes);
            }
            thread::sleep(LOOK.min(due.saturating_duration_since(Instant::now())));
        }
        if ended.load(Ordering::Acquire) {
            return Ok(scrapes);
        }
        interrupt::check()?;
        scrapes.push(scrape(port, &mut text)?);
        due += every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::Arc;

    /// A port where so many are answered with this; before the last of them, it says so.
    fn answers(text: &'static str, many: usize) -> (u16, Arc<AtomicBool>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_last = Arc::new(AtomicBool::new(false));
        let last = is_last.clone();
        thread::spawn(move || {
            for (at, stream) in listener.incoming().take(many).enumerate() {
                let mut stream = stream.expect("a client");
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                last.store(at + 1 == many, Ordering::Release);
                stream.write_all(text.as_bytes()).expect("sent");
            }
        });
        (port, is_last)
    }

    #[test]
    fn scrapes_are_read_whole_or_fail() {
        let mut text = Vec::new();
        let good = "HTTP/1.0 200 OK\r\n\r\n# HELP x y\ntidegate_revision 1\n\
                    tidegate_upstream_errors_total{route=\"a/b\"} 0\ntidegate_upstream_errors_total{route=\"\"} 0\n";
        let scraped = scrape(answers(good, 1).0, &mut text).expect("a scrape");
        assert_eq!(scraped.bytes, good.len() - "HTTP/1.0 200 OK\r\n\r\n".len());
        assert_eq!(samples(&text), (3, 2));
        for wrong in ["", "HTTP/1.0 404 No\r\n\r\nno\n", "HTTP/1.0 200 OK\r\n\r\ncut"] {
            assert!(scrape(answers(wrong, 1).0, &mut text).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn askers_ask_until_they_are_told_to_end() {
        let (port, ended) = answers("HTTP/1.0 200 OK\r\n\r\ntidegate_revision 1\n", 3);
        let asked = ask(port, Duration::from_millis(2), &ended).expect("scrapes");
        assert_eq!(asked.len(), 3);
    }
}
