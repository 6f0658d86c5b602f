//! What a client is told of a fault: the status, a stable code and a sentence, as JSON. Nothing of the inside leaves
//! here: no addresses, no module source, no stack.

use crate::fault::Fault;
use crate::reply::Own;
use tidegate_codec::Malformed;

/// The status of a fault.
pub fn status(fault: Fault) -> u16 {
    match fault {
        Fault::Malformed(rule) => match rule {
            Malformed::LineTooLong => 414,
            Malformed::HeadTooLarge
            | Malformed::TooManyFields
            | Malformed::TooManyConnectionOptions
            | Malformed::TrailersTooLarge => 431,
            Malformed::UnsupportedVersion => 505,
            Malformed::UnknownTransferCoding => 501,
            Malformed::UnknownExpectation => 417,
            _ => 400,
        },
        Fault::EncodedSlash => 400,
        Fault::HostForbidden => 403,
        Fault::NoNamespace | Fault::NoRoute => 404,
        Fault::MethodNotAllowed | Fault::MethodRefused => 405,
        Fault::HeaderTimeout | Fault::BodyTimeout => 408,
        Fault::BodyTooLarge => 413,
        // Nobody is there to read it; this is for the records.
        Fault::ClientClosed | Fault::WriteTimeout => 499,
        Fault::Module(tidegate_js::Cause::Contexts) => 503,
        Fault::Module(_) | Fault::ModuleUrl | Fault::Panicked => 500,
        Fault::NothingToCall => 501,
        Fault::Unresolved
        | Fault::ConnectFailed
        | Fault::UpstreamClosed
        | Fault::UpstreamMalformed(_)
        | Fault::UpstreamSwitched => 502,
        Fault::TooManyConnections | Fault::UpstreamBusy => 503,
        Fault::ConnectTimeout
        | Fault::RequestTimeout
        | Fault::UpstreamBodyTimeout
        | Fault::UpstreamWriteTimeout => 504,
    }
}

fn sentence(fault: Fault) -> String {
    match fault {
        Fault::Malformed(rule) => return format!("{rule} ({})", rule.section()),
        Fault::HeaderTimeout => "the request's head did not arrive in time",
        Fault::BodyTimeout => "the request's body did not arrive in time",
        Fault::BodyTooLarge => "the request's body is larger than this route allows",
        Fault::ClientClosed => "the client closed the connection",
        Fault::WriteTimeout => "the client did not take the response in time",
        Fault::HostForbidden => "this host is not served here",
        Fault::NoNamespace => "no namespace serves this host",
        Fault::NoRoute => "no route answers this path",
        Fault::MethodNotAllowed => "this path does not answer this method",
        Fault::MethodRefused => "this method is not available through the gateway",
        Fault::EncodedSlash => "the path has %2F, which this route does not allow",
        Fault::TooManyConnections => "the gateway has as many connections as it may have",
        Fault::NothingToCall => "the route has neither a service nor a request handler",
        Fault::UpstreamBusy => "too many connections to the upstream are open",
        Fault::Unresolved => "the upstream's name does not resolve",
        Fault::ConnectFailed => "the upstream cannot be reached",
        Fault::ConnectTimeout => "the upstream did not accept the connection in time",
        Fault::RequestTimeout => "the upstream did not answer in time",
        Fault::UpstreamClosed => "the upstream closed the connection before its response was complete",
        Fault::UpstreamMalformed(_) => "the upstream's response broke a protocol rule",
        Fault::UpstreamSwitched => "the upstream switched protocols without being asked",
        Fault::UpstreamBodyTimeout => "the upstream's response stalled",
        Fault::UpstreamWriteTimeout => "the upstream did not take the request in time",
        Fault::Module(_) => "a module of this route failed",
        Fault::ModuleUrl => "a module of this route chose an upstream that cannot be used",
        Fault::Panicked => "the gateway failed",
    }
    .to_string()
}

/// The response for a fault. `allow` is the `Allow` field of a 405.
pub fn answer(fault: Fault, allow: Option<&str>) -> Own {
    let status = status(fault);
    let mut own = Own::new(status);
    // Literals and method tokens: nothing here can be refused.
    let _ = own.head.fields.set(b"Content-Type", b"application/json");
    if let Some(allow) = allow {
        let _ = own.head.fields.set(b"Allow", allow.as_bytes());
    }
    let (code, message) = (fault.name(), sentence(fault));
    own.body =
        format!("{{\"status\":{status},\"error\":\"{code}\",\"message\":\"{message}\"}}\n").into_bytes();
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_need_no_escaping() {
        for rule in Malformed::ALL {
            let body = String::from_utf8(answer(Fault::Malformed(*rule), None).body).expect("utf-8");
            assert!(!sentence(Fault::Malformed(*rule)).contains(['"', '\\']), "{body}");
        }
    }
}
