//! One request over a fresh connection, its answer compared byte for byte, before anything is measured: a gateway that
//! answers wrongly may be as fast as it likes.

use crate::Failure;
use crate::workload::{Answer, Exchange};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends the exchange's request as a PUT, for what has to be put somewhere before it can be asked for. What is answered
/// is not looked at: the check that follows tells whether it worked.
pub(crate) fn put(port: u16, exchange: &Exchange) {
    let _ = ask(port, &Exchange { method: "PUT", ..exchange.clone() });
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
pub(crate) fn check(port: u16, exchange: &Exchange) -> Result<(), Failure> {
    let (head, body) = ask(port, exchange).map_err(|why| format!("no answer: {why}"))?;
    let status = head.status;
    if status != 200 {
        let body = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
        return Err(format!("answered {status} instead of 200: {body}"));
    }
    if let Some((name, value)) = exchange.field.filter(|(name, value)| head.field(name) != Some(value)) {
        return Err(format!("the answer has no field {name}: {value}"));
    }
    let expected = match &exchange.answer {
        Answer::Bytes(expected) => expected,
        Answer::Json(expected) if body.len() == expected.len() && json(&body) == json(expected) => {
            return Ok(());
        }
        Answer::Json(expected) => expected,
    };
    if body != *expected {
        let same = body.iter().zip(expected).take_while(|(ours, theirs)| ours == theirs).count();
        return Err(format!(
            "the body differs at byte {same} ({} bytes instead of {})",
            body.len(),
            expected.len()
        ));
    }
    Ok(())
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
fn ask(port: u16, exchange: &Exchange) -> std::io::Result<(Head, Vec<u8>)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let Exchange { method, path, host, body, .. } = exchange;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}Connection: close\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| std::io::Error::other("not a whole HTTP/1.1 answer"))
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
        let exchange = |answer, field| Exchange {
            method: "GET",
            path: "/".into(),
            host: "h".into(),
            body: Vec::new(),
            answer,
            field,
        };
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
            let said = check(once(answer), &exchange(expected, field)).err();
            let right = match (&said, fault) {
                (Some(said), Some(fault)) => said.contains(fault),
                (said, fault) => said.is_none() && fault.is_none(),
            };
            assert!(right, "{answer:?}: {said:?}");
        }
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
