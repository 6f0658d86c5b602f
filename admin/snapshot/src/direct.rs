//! An answer that a route gives by itself, as it goes on the wire. Made when the route is compiled, so that nothing of it
//! is written anew for a request; what differs from one request to the next is never in it.

/// A route's own response.
#[derive(Debug, PartialEq, Eq)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// The status line and the lines of all `fields`, each with its CRLF. Not in it: `Date`, `Connection`, what the proxy
    /// adds to every response, and the empty line.
    pub head: Box<[u8]>,
    /// The fields in `head`, `Content-Length` with them where the status has one (RFC 9110 section 8.6).
    pub fields: Box<[(Box<[u8]>, Box<[u8]>)]>,
    /// The whole body; empty for a status that has none (RFC 9110 section 6.4.1).
    pub body: Box<[u8]>,
}

impl DirectResponse {
    /// The value of a field. `name` in any case.
    pub fn field(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.fields.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| &**value)
    }
}
