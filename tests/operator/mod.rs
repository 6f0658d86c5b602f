//! What the tests of the operator's side stand on besides the harness: a gateway process with its whole life in the
//! test's hands (flags, environment, signals, kill and start again over the same data), and requests to its admin API.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod node;
pub mod refused;

use crate::harness::{Client, Message};
use serde_json::Value;

/// A message whose body is JSON.
pub trait Json {
    /// The body; panics where it is none.
    fn json(&self) -> Value;
}

impl Json for Message {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {self:?}"))
    }
}

/// A client that asks in one call.
pub trait Says {
    /// A request framed by Content-Length where it has a body or its method wants one, and the answer to it.
    fn say(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Message;
}

impl Says for Client {
    #[track_caller]
    fn say(&mut self, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Message {
        self.ask(request(method, path, fields, body))
    }
}

/// The bytes of a request; the Host is `localhost` unless a field says otherwise.
pub fn request(method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += "Host: localhost\r\n";
    }
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method) {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}
