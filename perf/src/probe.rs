//! One request over a fresh connection, its answer compared byte for byte, before anything is measured: a gateway that
//! answers wrongly may be as fast as it likes.

use crate::child::installed;
use crate::workload::{Answer, Exchange, Transport};
use crate::{Failure, tls_client};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the exchange's request as a PUT, for what has to be put somewhere before it can be asked for. What is answered
/// is not looked at: the check that follows tells whether it worked.
pub(crate) fn put(port: u16, exchange: &Exchange) {
    let _ = ask(port, Transport::Plain, &Exchange { method: "PUT", ..exchange.clone() });
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|why| why.to_string())?;
    Ok(listener.local_addr().map_err(|why| why.to_string())?.port())
}

/// Whether somebody listens.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Sends the exchange's request and compares status, body, and the field it asks for.
pub(crate) fn check(port: u16, transport: Transport, exchange: &Exchange) -> Result<(), Failure> {
    if transport.http2() {
        return same(&ask_http2(port, transport, exchange)?, &exchange.answer);
    }
    let (head, body) = ask(port, transport, exchange).map_err(|why| format!("no answer: {why}"))?;
    let status = head.status;
    if status != 200 {
        let body = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
        return Err(format!("answered {status} instead of 200: {body}"));
    }
    if let Some((name, value)) = exchange.field.filter(|(name, value)| head.field(name) != Some(value)) {
        return Err(format!("the answer has no field {name}: {value}"));
    }
    same(&body, &exchange.answer)
}

/// Sends a request that must be refused with 401: who lets everybody through is fast for no reason.
pub(crate) fn check_refused(port: u16, transport: Transport, exchange: &Exchange) -> Result<(), Failure> {
    match ask(port, transport, exchange) {
        Ok((head, _)) if head.status == 401 => Ok(()),
        Ok((head, _)) => Err(format!("answered {} where it has to refuse with 401", head.status)),
        Err(why) => Err(format!("no answer: {why}")),
    }
}

fn same(body: &[u8], answer: &Answer) -> Result<(), Failure> {
    let expected = match answer {
        Answer::Bytes(expected) => expected,
        Answer::Json(expected) if body.len() == expected.len() && json(body) == json(expected) => {
            return Ok(());
        }
        Answer::Json(expected) => expected,
    };
    if body == expected {
        return Ok(());
    }
    let same = body.iter().zip(expected).take_while(|(ours, theirs)| ours == theirs).count();
    Err(format!("the body differs at byte {same} ({} bytes instead of {})", body.len(), expected.len()))
}

/// A JSON text's value; none if it is no JSON.
fn json(text: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(text).ok()
}

/// Status and fields of an answer.
struct Head {
    status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }
}

/// Sends the exchange's request and gives what comes back, whatever it is.
fn ask(port: u16, transport: Transport, exchange: &Exchange) -> io::Result<(Head, Vec<u8>)> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = request(&Exchange { close: true, ..exchange.clone() });
    let answer = if transport.tls() {
        converse(tls_client::over(stream, &exchange.host, tls_client::config())?, &request)?
    } else {
        converse(stream, &request)?
    };
    parse(&answer).ok_or_else(|| io::Error::other("not a whole HTTP/1.1 answer"))
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // The end of the connection without TLS's own goodbye; what is missing shows in the answer's length.
        Err(why) if why.kind() != io::ErrorKind::UnexpectedEof => Err(why),
        _ => Ok(answer),
    }
}

/// The bytes of a request in HTTP/1.1.
pub(crate) fn request(exchange: &Exchange) -> Vec<u8> {
    let Exchange { method, path, body, .. } = exchange;
    let mut fields: String =
        exchange.header().into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    if !body.is_empty() {
        fields += &format!("Content-Length: {}\r\n", body.len());
    }
    [format!("{method} {path} HTTP/1.1\r\n{fields}\r\n").as_bytes(), body].concat()
}

/// The body of an answer over HTTP/2, which nghttp fetches: a wrong status shows in the body.
fn ask_http2(port: u16, transport: Transport, exchange: &Exchange) -> Result<Vec<u8>, Failure> {
    let nghttp = installed("nghttp").ok_or("nghttp is not installed (Debian: apt install nghttp2-client)")?;
    let scheme = if transport.tls() { "https" } else { "http" };
    let mut command = Command::new(nghttp);
    command.args(["--no-verify-peer", "--timeout=5"]).arg(format!("--header=:authority: {}", exchange.host));
    command.args(
        exchange.fields.iter().map(|(name, value)| format!("--header={}: {value}", name.to_lowercase())),
    );
    let told = command.arg(format!("{scheme}://127.0.0.1:{port}{}", exchange.path)).output();
    told.map(|told| told.stdout).map_err(|why| format!("cannot run nghttp: {why}"))
}

/// Head and body of an answer that the end of the connection ended.
fn parse(answer: &[u8]) -> Option<(Head, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]);
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    let head = Head { status, fields };
    if head.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let body = dechunk(body)?;
        return Some((head, body));
    }
    match head.field("content-length") {
        Some(length) => (length.parse::<usize>().ok()? == body.len()).then(|| (head, body.to_vec())),
        None => Some((head, body.to_vec())),
    }
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    /// Answers one request on a port of its own.
    fn once(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // The whole head: what is left unread when a connection is closed resets it.
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let _ = stream.write_all(answer.as_bytes());
        });
        port
    }

    #[test]
    fn a_wrong_answer_is_told_from_a_right_one() {
        let exchange = |answer, field| Exchange { answer, field, ..Workload::SmallGet.exchange() };
        let bytes = |text: &str| Answer::Bytes(text.into());
        let json = |text: &str| Answer::Json(text.into());
        for (answer, expected, field, fault) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nab", bytes("ab"), Some(("a", "b")), None),
            ("HTTP/1.1 200 OK\r\nA: c\r\n\r\nab", bytes("ab"), Some(("a", "b")), Some("no field a: b")),
            ("HTTP/1.1 200 OK\r\n\r\nax", bytes("ab"), None, Some("differs at byte 1")),
            ("HTTP/1.1 500 No\r\n\r\nab", bytes("ab"), None, Some("answered 500")),
            ("HTTP/1.1 200 OK\r\n\r\n{\"b\":2,\"a\":1}", json("{\"a\":1,\"b\":2}"), None, None),
            ("HTTP/1.1 200 OK\r\n\r\n{\"b\":2,\"a\":3}", json("{\"a\":1,\"b\":2}"), None, Some("differs")),
            ("HTTP/1.1 200 OK\r\n\r\n{\"b\":2, \"a\":1}", json("{\"a\":1,\"b\":2}"), None, Some("differs")),
        ] {
            let said = check(once(answer), Transport::Plain, &exchange(expected, field)).err();
            let right = match (&said, fault) {
                (Some(said), Some(fault)) => said.contains(fault),
                (said, fault) => said.is_none() && fault.is_none(),
            };
            assert!(right, "{answer:?}: {said:?}");
        }
    }

    #[test]
    fn who_lets_everybody_through_is_found_out() {
        let refused = Workload::Jwt.refused().expect("a forged token");
        let asked = |answer| check_refused(once(answer), Transport::Plain, &refused);
        assert_eq!(asked("HTTP/1.1 401 No\r\n\r\n"), Ok(()));
        assert!(asked("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn requests_say_how_long_they_are_and_no_more() {
        let post = request(&Workload::Post16k.exchange());
        assert!(
            post.starts_with(
                b"POST /post HTTP/1.1\r\nHost: gateway.example\r\nContent-Length: 16384\r\n\r\nx"
            )
        );
        assert_eq!(
            request(&Workload::NewConnections.exchange()),
            b"GET /small HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", Some((200, "ab"))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None),
            ("HTTP/1.1 404 Not Found\r\n\r\nno", Some((404, "no"))),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
                Some((200, "abc")),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("", None),
        ] {
            let parsed = parse(answer.as_bytes());
            let parsed =
                parsed.as_ref().map(|(head, body)| (head.status, std::str::from_utf8(body).expect("text")));
            assert_eq!(parsed, expected, "{answer:?}");
        }
    }
}
