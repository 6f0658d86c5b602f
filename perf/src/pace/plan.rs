//! What a load at a fixed rate is to do: where, what, how often, for how long. Checked before anything is opened.

use crate::Failure;
use crate::workload::Exchange;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::Range;
use std::time::Duration;

/// A query that carries a request's number, so that its packets can be told from those of others.
const MARK: &str = "tidegate-perf=";
/// Digits of that number.
pub(crate) const MARK_DIGITS: usize = 10;

/// A load.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) request: Request,
    /// Requests a second.
    pub(crate) rate: f64,
    /// Gaps between requests are random with this seed, instead of all the same.
    pub(crate) seed: Option<u64>,
    pub(crate) connections: u32,
    pub(crate) length: Duration,
    /// How long an answer may take, from when the request was due.
    pub(crate) timeout: Duration,
    /// The CPU that the load's thread is bound to.
    pub(crate) cpu: Option<usize>,
    /// Looks for answers all the time instead of sleeping until there is one.
    pub(crate) spin: bool,
}

/// From one request of several to the next: prime to their number as long as that is less, so that all of them come in
/// turn, and far enough that two that follow each other have nothing in common.
const STEP: u64 = 7_919;

/// A request as it is sent, or several that are sent in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    texts: Vec<Vec<u8>>,
    mark: Option<Range<usize>>,
}

impl Request {
    /// An exchange's request; with `marked` its number stands in the query.
    pub(crate) fn new(exchange: &Exchange, marked: bool) -> Self {
        let Exchange { method, path, body, .. } = exchange;
        let query = if path.contains('?') { '&' } else { '?' };
        let target = match marked {
            true => format!("{path}{query}{MARK}{:0MARK_DIGITS$}", 0),
            false => path.clone(),
        };
        let end = method.len() + 1 + target.len();
        let mark = marked.then(|| end - MARK_DIGITS..end);
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let fields: String =
            exchange.header().into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut bytes = format!("{method} {target} HTTP/1.1\r\n{fields}{length}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self { texts: vec![bytes], mark }
    }

    /// Several exchanges' requests, unmarked, one after the other and again; none is asked twice before all were once.
    pub(crate) fn in_turn(exchanges: impl Iterator<Item = Exchange>) -> Self {
        let texts = exchanges.flat_map(|exchange| Self::new(&exchange, false).texts).collect();
        Self { texts, mark: None }
    }

    /// The bytes of one request.
    pub(crate) fn numbered(&mut self, number: u64) -> &[u8] {
        let at = match self.texts.len() as u64 {
            0 | 1 => 0,
            texts => (number % texts * STEP % texts) as usize,
        };
        let text = &mut self.texts[at];
        if let Some(mark) = &self.mark {
            let mut rest = number;
            for digit in text[mark.clone()].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        text
    }
}

/// The number that a packet's first line carries, if it is a marked request.
pub(crate) fn number_in(head: &[u8]) -> Option<u64> {
    let line = &head[..head.iter().position(|byte| *byte == b'\r').unwrap_or(head.len())];
    let at = line.windows(MARK.len()).position(|window| window == MARK.as_bytes())? + MARK.len();
    std::str::from_utf8(line.get(at..at + MARK_DIGITS)?).ok()?.parse().ok()
}

/// Address, host and path of `http://HOST:PORT/PATH`.
pub(crate) fn target(url: &str) -> Result<(SocketAddr, String, String), Failure> {
    let wrong = |why: &str| format!("{url}: {why}; it is http://HOST:PORT/PATH");
    let uri: http::Uri = url.parse().map_err(|why: http::uri::InvalidUri| wrong(&why.to_string()))?;
    match uri.scheme_str() {
        Some("http") => {}
        _ => return Err(wrong("only http is spoken here")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
    let host = authority.host().trim_matches(['[', ']']);
    let found = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs();
    let address = found.map_err(|why| wrong(&why.to_string()))?.next();
    let address = address.ok_or_else(|| wrong("the host has no address"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((address, authority.as_str().to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;
    use std::collections::HashSet;

    #[test]
    fn requests_carry_their_number() {
        let mut request = Request::new(&Workload::SmallGet.exchange(), true);
        for number in [0, 7, 1_234_567_890] {
            let bytes = request.numbered(number).to_vec();
            let text = String::from_utf8(bytes).expect("text");
            assert!(text.starts_with("GET /small?tidegate-perf="), "{text}");
            assert!(text.ends_with("\r\n\r\n"));
            assert_eq!(number_in(text.as_bytes()), Some(number), "{text}");
        }
        let mut plain = Request::new(&Workload::Post16k.exchange(), false);
        assert_eq!(number_in(plain.numbered(9)), None);
        assert!(plain.numbered(9).ends_with(b"xxx"));
        assert_eq!(number_in(b"GET /?tidegate-perf=12 HTTP/1.1\r\n"), None);
    }

    #[test]
    fn of_several_requests_all_come_in_turn() {
        let small = Workload::SmallGet.exchange();
        let exchange = |n: usize| Exchange { path: format!("/{n}"), ..small.clone() };
        for texts in [1, 2, 100, 10_000] {
            let mut request = Request::in_turn((0..texts).map(exchange));
            let sent: HashSet<Vec<u8>> =
                (0..texts as u64).map(|number| request.numbered(number).to_vec()).collect();
            assert_eq!(sent.len(), texts);
            assert_eq!(request.numbered(0).to_vec(), request.numbered(texts as u64).to_vec());
        }
    }

    #[test]
    fn urls_say_where_and_what() {
        let (address, host, path) = target("http://127.0.0.1:81/a?b=c").expect("a target");
        assert_eq!(
            (address.to_string(), host, path),
            ("127.0.0.1:81".into(), "127.0.0.1:81".into(), "/a?b=c".into())
        );
        assert_eq!(target("http://[::1]:81").map(|(_, _, path)| path), Ok("/".into()));
        for wrong in ["https://127.0.0.1/", "127.0.0.1", "http://", "/path"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
