//! Upstreams named for their vice: what a gateway meets behind it and must survive without harming the next request.

use super::upstream::{Upstream, Visit, ok};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};

fn each(visit: &mut Visit, answer: impl Fn(&str) -> String) -> Option<()> {
    loop {
        let request = visit.request()?;
        let answer = answer(request.target());
        visit.write(answer)?;
    }
}

/// No vice: answers everything with the target it was asked for.
pub fn answers_well() -> Upstream {
    Upstream::new(|visit| each(visit, ok))
}

/// Answers one request on each connection and closes it without having said so.
pub fn closes_kept_connection() -> Upstream {
    Upstream::new(|visit| {
        let request = visit.request()?;
        visit.write(ok(request.target()))
    })
}

/// Answers one request on each connection and closes it only when the next request has come, unanswered.
pub fn closes_at_reuse() -> Upstream {
    Upstream::new(|visit| {
        visit.request()?;
        visit.write(ok(""))?;
        visit.request().map(drop)
    })
}

/// Reads requests and never answers.
pub fn never_answers() -> Upstream {
    Upstream::new(|visit| {
        visit.request()?;
        visit.wait_for_close()
    })
}

/// Sends a head that promises ten bytes, three of them, and nothing more.
pub fn stalls_after_head() -> Upstream {
    Upstream::new(|visit| {
        visit.request()?;
        visit.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")?;
        visit.wait_for_close()
    })
}

/// Answers each request twice in one write.
pub fn sends_two_responses() -> Upstream {
    Upstream::new(|visit| each(visit, |target| format!("{}{}", ok(target), ok("poison"))))
}

/// Says something on a connection that should be idle.
pub fn speaks_unasked() -> Upstream {
    Upstream::new(|visit| {
        let request = visit.request()?;
        visit.write(ok(request.target()))?;
        // Its own write, so that the gateway may have put the connection back already.
        visit.write(ok("poison"))?;
        visit.mark();
        visit.request().map(drop)
    })
}

/// Refuses as soon as it has seen the head, and reads no body.
pub fn answers_early() -> Upstream {
    Upstream::new(|visit| {
        visit.head()?;
        visit
            .write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge")?;
        // The rest is read and forgotten until the gateway closes.
        visit.wait_for_close()
    })
}

/// Closes every connection without a word once it has read the request.
pub fn closes_without_an_answer() -> Upstream {
    Upstream::new(|visit| visit.request().map(drop))
}

/// Answers with raw bytes and closes.
pub fn says(bytes: &'static str) -> Upstream {
    Upstream::new(move |visit| {
        visit.request()?;
        visit.write(bytes)
    })
}

/// Answers with raw bytes and keeps the connection.
pub fn says_and_stays(bytes: &'static str) -> Upstream {
    Upstream::new(move |visit| {
        loop {
            visit.request()?;
            visit.write(bytes)?;
        }
    })
}

/// A port that is taken and where nobody listens: connections are refused, and no other test can come to listen there.
pub struct Dead(Socket);

/// An upstream that is not there.
pub fn refuses_connections() -> Dead {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
    Dead(socket)
}

impl Dead {
    /// `http://address`.
    pub fn url(&self) -> String {
        let address = self.0.local_addr().ok().and_then(|address| address.as_socket());
        format!("http://{}", address.expect("an address"))
    }
}
