//! Why a `fetch` failed, in the words that its module reads behind `fetch of URL failed:`. Nothing here decides anything.

use super::egress::Barred;
use super::url::BadUrl;
use crate::secure::Insecure;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_codec::Malformed;

/// Why a `fetch` failed.
#[derive(Debug)]
pub enum Trouble {
    /// The URL.
    Url(BadUrl),
    /// The method.
    Method(String),
    /// A header field, by name and the rule it breaks.
    Field(String, Malformed),
    /// As many as may be are under way on this shard.
    Crowded(usize),
    /// The name does not resolve.
    Unresolved(String),
    /// The address is not for modules, or not for this one.
    Barred(SocketAddr, Barred),
    /// As many connections to the address are open as may be.
    Busy(SocketAddr),
    /// No connection.
    Connect(SocketAddr, io::Error),
    /// A connection that is not safe.
    Insecure(Box<Insecure>),
    /// No head within the time.
    Late(Duration),
    /// The peer does not take the request.
    WriteLate,
    /// The peer closed before a whole head was here.
    Closed,
    /// The response broke a rule.
    Response(Malformed),
    /// A final status that no response has, or a switch of protocols.
    Status(u16),
    /// Interim responses without end.
    Interim,
    /// The request's body broke in the module.
    Body(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(bad) => write!(f, "the URL is refused: {}", bad.text()),
            Self::Method(method) => {
                write!(f, "the method '{}' cannot be fetched with", method.escape_debug())
            }
            Self::Field(name, rule) => write!(f, "the header '{}': {rule}", name.escape_debug()),
            Self::Crowded(most) => {
                write!(f, "{most} are under way on this shard already, which is the most (--fetch-max)")
            }
            Self::Unresolved(why) => write!(f, "the host cannot be resolved: {why}"),
            Self::Barred(at, Barred::Private(what)) => {
                write!(f, "{} is {what}: grant 'net:private' to the module", at.ip())
            }
            Self::Barred(at, Barred::Nowhere(what)) => {
                write!(f, "{} is {what}: nothing is fetched from there", at.ip())
            }
            Self::Barred(at, Barred::Admin) => {
                write!(f, "{at} is the gateway's own admin API, which modules never reach")
            }
            Self::Busy(at) => write!(f, "too many connections to {at} are open (--upstream-max-per-address)"),
            Self::Connect(at, error) => {
                let why = match error.kind() {
                    io::ErrorKind::ConnectionRefused => "nobody listens there",
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        "it cannot be reached"
                    }
                    _ => return write!(f, "no connection to {at}: {error}"),
                };
                write!(f, "no connection to {at}: {why}")
            }
            Self::Insecure(insecure) => insecure.fmt(f),
            Self::Late(after) => write!(f, "no response within {} ms", after.as_millis()),
            Self::WriteLate => write!(f, "the server does not take the request"),
            Self::Closed => write!(f, "the server closed the connection before its response was complete"),
            Self::Response(rule) => write!(f, "the response is no HTTP/1.1: {rule}"),
            Self::Status(101) => write!(f, "the server switched protocols, which nobody asked for"),
            Self::Status(status) => write!(f, "the response's status {status} is none"),
            Self::Interim => write!(f, "the server sends interim responses without end"),
            Self::Body(why) => write!(f, "the request's body broke off: {why}"),
        }
    }
}
