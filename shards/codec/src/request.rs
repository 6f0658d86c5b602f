//! Request heads: the request line, what it is about, and how its body is framed.
//! It must never accept a head that two parsers could read in two ways.

use crate::facts::Facts;
use crate::fields::{Fields, Span};
use crate::head::{BodyFraming, HeadLimits, MAX_FIELDS, Search, Version, request_line_start};
use crate::target::{self, Target};
use crate::{Malformed, PathFlags, diagnose, host, path};
use http::Method;
use std::mem::MaybeUninit;

/// One request head, to be kept and parsed into again and again.
#[derive(Default, Debug)]
pub struct RequestHead {
    /// The header fields.
    pub fields: Fields,
    method: Method,
    /// These lie in the bytes of `fields`, as does what replaces them.
    path: Span,
    query: Option<Span>,
    authority: Span,
    host: Span,
    port: Option<u16>,
    flags: PathFlags,
    version: Version,
    body: BodyFraming,
    keep_alive: bool,
    expects_continue: bool,
    wants_upgrade: bool,
    te_trailers: bool,
    size: usize,
    search: Search,
    scratch: Vec<u8>,
}

impl RequestHead {
    /// Takes one head from the front of `input`. The bytes before and after a call must be the same stream: while it answers
    /// `false`, the caller may only append to `input` (or drop it whole).
    ///
    /// `Ok(false)`: more bytes are needed; the limits are enforced on what is there. `Ok(true)`: the head's bytes were swapped
    /// into `self`, and `input` holds only what follows the head, usually nothing, so that no byte was copied. One empty line
    /// before the request line is passed over (RFC 9112 section 2.2).
    ///
    /// # Errors
    /// Whatever the head breaks; the connection is answered and closed. `self` is then [`reset`](RequestHead::reset), and what is
    /// left of `input` means nothing.
    pub fn parse(&mut self, input: &mut Vec<u8>, limits: &HeadLimits) -> Result<bool, Malformed> {
        match self.try_parse(input, &limits.bounded()) {
            Ok(false) => Ok(false),
            done => {
                self.search = Search::default();
                if done.is_err() {
                    self.reset();
                }
                done
            }
        }
    }

    /// Forgets what was parsed, and how far the search for the end of a head has come: for a head that is kept for another
    /// connection. Path, query, host and authority are empty then, until a head has been parsed.
    pub fn reset(&mut self) {
        self.fields.clear();
        self.search = Search::default();
        (self.path, self.query, self.flags) = (Span::default(), None, PathFlags::default());
        (self.authority, self.host, self.port) = (Span::default(), Span::default(), None);
    }

    fn try_parse(&mut self, input: &mut Vec<u8>, limits: &HeadLimits) -> Result<bool, Malformed> {
        let Some(start) = request_line_start(input)? else { return Ok(false) };
        // What comes in one piece is parsed at once; what comes in many is parsed when its end is there.
        if !self.search.is_new(input) && !self.search.advance(input, start, limits)? {
            return Ok(false);
        }
        let Some(line) = self.read_line_and_fields(input, start, limits)? else {
            // An end that httparse did not see cannot be one.
            return if self.search.advance(input, start, limits)? {
                Err(Malformed::RequestLine)
            } else {
                Ok(false)
            };
        };
        self.fields.swap_in(input, line.end);
        self.version = line.version;
        self.size = line.end;
        self.interpret(line.target)?;
        Ok(true)
    }

    /// Has httparse read the head; `None` if it is not complete. httparse accepts more than the grammar does: any number of empty
    /// lines at the start (closed by [`request_line_start`]), and a bare LF for every line end (closed here and in
    /// [`Fields::load`]). It refuses targets that are not UTF-8, which suits us.
    fn read_line_and_fields(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &HeadLimits,
    ) -> Result<Option<RequestLine>, Malformed> {
        let head = &input[start..input.len().min(limits.head_bytes)];
        let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        let len = match parsed.parse_with_uninit_headers(head, &mut slots[..limits.fields]) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(diagnose::request(head, error)),
        };
        let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Malformed::RequestLine);
        };
        let target = Span::within(input, target.as_bytes());
        let line_end = target.end() + " HTTP/1.1".len();
        let end = start + len;
        if input[line_end] != b'\r' || input[end - 2] != b'\r' {
            return Err(Malformed::BareLf);
        }
        if line_end + 2 - start > limits.line_bytes {
            return Err(Malformed::LineTooLong);
        }
        self.fields.load(input, parsed.headers)?;
        self.method = Method::from_bytes(method.as_bytes()).map_err(|_| Malformed::Method)?;
        let version = if version == 0 { Version::Http10 } else { Version::Http11 };
        Ok(Some(RequestLine { target, version, end }))
    }

    /// Everything beyond the grammar of lines.
    fn interpret(&mut self, target: Span) -> Result<(), Malformed> {
        let facts = Facts::gather(&mut self.fields, self.version)?;
        self.resolve(target, &facts)?;
        self.body = facts.framing().unwrap_or(BodyFraming::None);
        self.keep_alive = facts.persists(self.version);
        self.te_trailers = facts.te_trailers;
        self.wants_upgrade = facts.wants_upgrade(self.version);
        let has_body = !matches!(self.body, BodyFraming::None | BodyFraming::Length(0));
        if self.wants_upgrade && has_body {
            return Err(Malformed::UpgradeWithBody);
        }
        // RFC 9110 section 10.1.1: a 100-continue in HTTP/1.0 is ignored, and so are all others here.
        let expect = facts.expect.filter(|_| self.version == Version::Http11);
        if expect == Some(false) {
            return Err(Malformed::UnknownExpectation);
        }
        self.expects_continue = expect == Some(true) && has_body;
        Ok(())
    }

    /// Path, query, host and authority out of the target and Host.
    fn resolve(&mut self, target: Span, facts: &Facts) -> Result<(), Malformed> {
        match facts.hosts {
            0 if self.version == Version::Http11 => return Err(Malformed::MissingHost),
            0 | 1 => {}
            _ => return Err(Malformed::DuplicateHost),
        }
        (self.authority, self.host, self.port, self.query) = (Span::default(), Span::default(), None, None);
        if let Some(host) = facts.host {
            self.place_host(host)?;
        }
        let within = |part: Span| target.slice(part.start(), part.end());
        match target::split(target.of(&self.fields.bytes), &self.method)? {
            Target::Origin { path, query } => {
                self.query = query.map(within);
                self.place_path(within(path))
            }
            Target::Absolute { https, authority, path, query } => {
                self.agree(within(authority), Some(if https { 443 } else { 80 }))?;
                self.query = query.map(within);
                if path.len() > 0 {
                    return self.place_path(within(path));
                }
                // RFC 9112 section 3.2.4: the last proxy turns an OPTIONS without a path into an asterisk.
                let whole_server = self.method == Method::OPTIONS && query.is_none();
                self.place_literal(if whole_server { b"*" } else { b"/" })
            }
            Target::Authority => {
                self.agree(target, None)?;
                self.place_literal(b"/")
            }
            Target::Asterisk => self.place_literal(b"*"),
        }
    }

    /// The authority of a target: it must be the one of Host, or takes its place if there is none. Without a default (CONNECT)
    /// there must be a port.
    fn agree(&mut self, authority: Span, default_port: Option<u16>) -> Result<(), Malformed> {
        let from_host = self.authority.len() > 0;
        let (authority_before, host_before, port_before) = (self.authority, self.host, self.port);
        self.place_host(authority)?;
        let port = self.port.or(default_port).ok_or(Malformed::Port)?;
        if !from_host {
            return Ok(());
        }
        let bytes = &self.fields.bytes;
        if host_before.of(bytes) != self.host.of(bytes)
            || port_before.unwrap_or(default_port.unwrap_or(port)) != port
        {
            return Err(Malformed::AuthorityMismatch);
        }
        (self.authority, self.host, self.port) = (authority_before, host_before, port_before);
        Ok(())
    }

    fn place_host(&mut self, authority: Span) -> Result<(), Malformed> {
        self.authority = authority;
        let raw = authority.of(&self.fields.bytes);
        match host::scan(raw)? {
            host::Scan::Canonical { name, port } => (self.host, self.port) = (authority.slice(0, name), port),
            _ => {
                self.scratch.clear();
                self.port = host::canonical_host(raw, &mut self.scratch)?;
                self.host = self.fields.append(&self.scratch)?;
            }
        }
        Ok(())
    }

    fn place_path(&mut self, raw: Span) -> Result<(), Malformed> {
        match path::scan(raw.of(&self.fields.bytes))? {
            path::Scan::Canonical(flags) => (self.path, self.flags) = (raw, flags),
            path::Scan::Rewrite(flags) => {
                self.scratch.clear();
                self.flags = path::rewrite(raw.of(&self.fields.bytes), flags, &mut self.scratch)?;
                self.path = self.fields.append(&self.scratch)?;
            }
        }
        Ok(())
    }

    fn place_literal(&mut self, path: &[u8]) -> Result<(), Malformed> {
        self.path = self.fields.append(path)?;
        self.flags = PathFlags::default();
        Ok(())
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: Method) {
        self.method = method;
    }

    /// The canonical path: begins with `/`, or is `*` for `OPTIONS *`. A CONNECT has the path `/`; its target is the authority.
    pub fn path(&self) -> &[u8] {
        self.path.of(&self.fields.bytes)
    }

    /// What the canonical path holds.
    pub fn path_flags(&self) -> PathFlags {
        self.flags
    }

    /// Replaces the path by the canonical form of `raw`.
    ///
    /// # Errors
    /// As [`canonical_path`](crate::canonical_path), and [`Malformed::HeadTooLarge`]; then nothing has changed.
    pub fn set_path(&mut self, raw: &[u8]) -> Result<(), Malformed> {
        self.scratch.clear();
        let flags = path::canonical_path(raw, &mut self.scratch)?;
        self.path = self.fields.append(&self.scratch)?;
        self.flags = flags;
        Ok(())
    }

    /// The query as sent, without `?`; empty if there was a `?` and nothing behind it.
    pub fn query(&self) -> Option<&[u8]> {
        self.query.map(|query| query.of(&self.fields.bytes))
    }

    /// Replaces the query; it is not encoded or decoded.
    ///
    /// # Errors
    /// [`Malformed::TargetByte`] for control characters and spaces, [`Malformed::Fragment`] for `#`, [`Malformed::PathUtf8`],
    /// [`Malformed::HeadTooLarge`]; then nothing has changed.
    pub fn set_query(&mut self, query: Option<&[u8]>) -> Result<(), Malformed> {
        self.query = match query {
            None => None,
            Some(query) if query.iter().any(|&b| b <= b' ' || b == 0x7f) => {
                return Err(Malformed::TargetByte);
            }
            Some(query) if query.contains(&b'#') => return Err(Malformed::Fragment),
            Some(query) if std::str::from_utf8(query).is_err() => return Err(Malformed::PathUtf8),
            Some(query) => Some(self.fields.append(query)?),
        };
        Ok(())
    }

    /// The canonical host, without port; an IPv6 address is in brackets. Empty only for an HTTP/1.0 request without one.
    pub fn host(&self) -> &[u8] {
        self.host.of(&self.fields.bytes)
    }

    /// The port of the authority, if it has one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Host as sent, with port; without a Host, the authority of an absolute target.
    pub fn authority(&self) -> &[u8] {
        self.authority.of(&self.fields.bytes)
    }

    /// Replaces the authority, and the Host field with it.
    ///
    /// # Errors
    /// As [`canonical_host`](crate::canonical_host) and [`Fields::set`]; then nothing has changed.
    pub fn set_authority(&mut self, raw: &[u8]) -> Result<(), Malformed> {
        self.scratch.clear();
        let port = host::canonical_host(raw, &mut self.scratch)?;
        let host = self.fields.append(&self.scratch)?;
        let authority = self.fields.append(raw)?;
        self.fields.set(b"Host", raw)?;
        (self.authority, self.host, self.port) = (authority, host, port);
        Ok(())
    }

    /// The version the client speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the body is framed; never [`BodyFraming::UntilClose`].
    pub fn body(&self) -> BodyFraming {
        self.body
    }

    /// Whether the client wants the connection to go on (RFC 9112 section 9.3).
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The client waits for a 100 before it sends the body. Never for HTTP/1.0 or without a body.
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// An upgrade to something other than h2c is asked for (`Connection: upgrade`, and `Upgrade` says to what).
    pub fn wants_upgrade(&self) -> bool {
        self.wants_upgrade
    }

    /// The client takes trailers (`TE: trailers`).
    pub fn te_trailers(&self) -> bool {
        self.te_trailers
    }

    /// The bytes of the head as received, with an empty line before it.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// What [`RequestHead::read_line_and_fields`] leaves to be interpreted.
struct RequestLine {
    target: Span,
    version: Version,
    /// The length of the head in the input.
    end: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldKind;

    const LIMITS: HeadLimits = HeadLimits { line_bytes: 200, head_bytes: 1000, fields: 10 };

    /// Parses a head that comes in one piece, and again byte by byte, and sees that both agree.
    fn parse(input: &[u8]) -> Result<Option<(RequestHead, Vec<u8>)>, Malformed> {
        let mut whole = RequestHead::default();
        let mut rest = input.to_vec();
        let at_once = whole.parse(&mut rest, &LIMITS);

        let mut pieces = RequestHead::default();
        let mut buffer = Vec::new();
        let mut unread = input.iter();
        let piecewise = loop {
            match (pieces.parse(&mut buffer, &LIMITS), unread.next()) {
                (Ok(false), Some(&byte)) => buffer.push(byte),
                (done, _) => break done,
            }
        };
        let shown = String::from_utf8_lossy(input);
        match (at_once, piecewise) {
            (Ok(true), Ok(true)) => assert_eq!(describe(&whole), describe(&pieces), "{shown:?}"),
            // Piece by piece, what is wrong may show only at the end of the head, which is not there.
            (Err(_), Ok(false)) => assert!(!shown.contains("\r\n\r\n"), "{shown:?}"),
            (whole, pieces) => assert_eq!(whole.map_err(|_| ()), pieces.map_err(|_| ()), "{shown:?}"),
        }
        Ok(at_once?.then_some((whole, rest)))
    }

    fn describe(head: &RequestHead) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields: Vec<_> = head.fields.iter().map(|(_, n, v)| format!("{}={}", text(n), text(v))).collect();
        format!(
            "{} {}{} host {} {:?} {:?} keep {} size {} [{}]",
            head.method(),
            text(head.path()),
            head.query().map(|q| format!("?{}", text(q))).unwrap_or_default(),
            text(head.host()),
            head.port(),
            head.body(),
            head.keep_alive(),
            head.size(),
            fields.join(" "),
        )
    }

    fn accepts(input: &str, want: &str) {
        let (head, rest) =
            parse(input.as_bytes()).unwrap_or_else(|e| panic!("{input:?}: {e}")).expect("a whole head");
        assert_eq!(describe(&head), want, "{input:?}");
        assert!(rest.is_empty());
    }

    fn refuses(input: &str, want: Malformed) {
        assert_eq!(parse(input.as_bytes()).err(), Some(want), "{input:?}");
    }

    #[test]
    fn heads() {
        accepts("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host a None None keep true size 27 [Host=a]");
        accepts(
            "\r\nPOST /%61?b=%61 HTTP/1.1\r\nhOST:A.b.:8080\t\r\nX:\r\nY: \r\nContent-Length:  5 \r\n\r\n",
            "POST /a?b=%61 host a.b Some(8080) Length(5) keep true size 77 [hOST=A.b.:8080 X= Y= Content-Length=5]",
        );
        accepts("GET / HTTP/1.0\r\n\r\n", "GET / host  None None keep false size 18 []");
        accepts(
            "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
            "GET / host a None None keep true size 51 [Host=a Connection=keep-alive]",
        );
        accepts(
            "M-SEARCH /? HTTP/1.1\r\nHost: a\r\n\r\n",
            "M-SEARCH /? host a None None keep true size 33 [Host=a]",
        );
        accepts(
            "PUT /é HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            "PUT /é host a None Chunked keep true size 57 [Host=a Transfer-Encoding=Chunked]",
        );
    }

    #[test]
    fn target_forms() {
        let host = |host: &str, target: &str| format!("{target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let check = |target: &str, in_host: &str, want: &str| {
            let (head, _) = parse(host(in_host, target).as_bytes()).unwrap().unwrap();
            assert!(describe(&head).starts_with(want), "{target} {in_host}: {}", describe(&head));
            assert_eq!(head.authority(), in_host.as_bytes());
        };
        check("GET http://A", "a", "GET / host a None");
        check("GET http://a/", "a:80", "GET / host a Some(80)");
        check("GET https://a:443/b?c", "a.", "GET /b?c host a None");
        check("GET http://a?b", "a", "GET /?b host a");
        check("GET http://[::1]:8080/", "[0::1]:8080", "GET / host [::1] Some(8080)");
        check("OPTIONS http://a:81", "a:81", "OPTIONS * host a");
        check("OPTIONS http://a/", "a", "OPTIONS / host a");
        check("OPTIONS http://a?b", "a", "OPTIONS /?b host a");
        check("OPTIONS *", "a", "OPTIONS * host a");
        check("CONNECT a:443", "a:443", "CONNECT / host a Some(443)");
        check("CONNECT a:443", "a", "CONNECT / host a None");
        let bad = |target: &str, in_host: &str, want| refuses(&host(in_host, target), want);
        bad("GET http://a/", "b", Malformed::AuthorityMismatch);
        bad("GET http://a:81/", "a", Malformed::AuthorityMismatch);
        bad("GET https://a/", "a:80", Malformed::AuthorityMismatch);
        bad("CONNECT a:443", "a:80", Malformed::AuthorityMismatch);
        bad("CONNECT a", "a", Malformed::Port);
        bad("GET http://u@a/", "a", Malformed::Userinfo);
        bad("GET http://a:/", "a", Malformed::Port);
        bad("GET http://a/../b", "a", Malformed::PathDotSegment);
        bad("GET http://a%41/", "a", Malformed::Host);
        bad("GET *", "a", Malformed::TargetForm);
        bad("GET /a#b", "a", Malformed::Fragment);
        accepts("GET http://A:1/b HTTP/1.0\r\n\r\n", "GET /b host a Some(1) None keep false size 29 []");
    }

    /// One case for each thing that httparse 1.10 lets through, and those that it refuses, by the rule they break.
    #[test]
    fn lines_are_strict() {
        refuses("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed::EmptyLines);
        refuses("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed::BareLf);
        refuses("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Malformed::EmptyLines);
        refuses("GET / HTTP/1.1\nHost: a\r\n\r\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\r\nHost: a\n\r\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\r\nHost: a \n\r\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\r\nX:\nHost: a\r\n\r\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\r\nX: \nHost: a\r\n\r\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\r\nHost: a\r\n\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\n\n", Malformed::BareLf);
        refuses("GET / HTTP/1.1\rHost: a\r\n\r\n", Malformed::BareCr);
        refuses("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Malformed::BareCr);
        refuses("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Malformed::BareCr);
        refuses("GET / HTTP/1.1\r\nHost: a\r\n\rZ", Malformed::BareCr);
        refuses("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Malformed::ObsFold);
        refuses("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", Malformed::ObsFold);
        refuses("GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n\r\n", Malformed::ObsFold);
        refuses("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Malformed::SpaceBeforeColon);
        refuses("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", Malformed::SpaceBeforeColon);
        refuses("GET / HTTP/1.1\r\nHost\r\n\r\n", Malformed::MissingColon);
        refuses("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Malformed::EmptyFieldName);
        for name in ["a b", "a@", "a\0", "(a)", "a\x0b", "\u{e9}", "a\"", "a/b"] {
            refuses(&format!("GET / HTTP/1.1\r\nHost: a\r\n{name}: b\r\n\r\n"), Malformed::FieldName);
        }
        for value in ["\0", "a\x0bb", "a\x0c", "\x7f", "a\x01", "\x1b[0m"] {
            refuses(&format!("GET / HTTP/1.1\r\nHost: a\r\nb: {value}\r\n\r\n"), Malformed::FieldValue);
        }
        refuses("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: b\r\n\r\n", Malformed::FieldAlias);
    }

    #[test]
    fn request_lines_are_strict() {
        let check = |line: &str, want| refuses(&format!("{line}\r\nHost: a\r\n\r\n"), want);
        check("GET  / HTTP/1.1", Malformed::RequestLine);
        check("GET /  HTTP/1.1", Malformed::RequestLine);
        check("GET / HTTP/1.1 ", Malformed::RequestLine);
        check(" GET / HTTP/1.1", Malformed::RequestLine);
        check("GET /", Malformed::RequestLine);
        check("GET", Malformed::RequestLine);
        check("GET\t/ HTTP/1.1", Malformed::Method);
        check("G(T / HTTP/1.1", Malformed::Method);
        check("GÉT / HTTP/1.1", Malformed::Method);
        check("GET /a\tb HTTP/1.1", Malformed::TargetByte);
        check("GET /a\x7f HTTP/1.1", Malformed::TargetByte);
        check("GET /a\0 HTTP/1.1", Malformed::TargetByte);
        check("GET /a b HTTP/1.1", Malformed::RequestLine);
        check("GET / HTTP/2.0", Malformed::UnsupportedVersion);
        check("GET / HTTP/1.2", Malformed::UnsupportedVersion);
        check("GET / HTTP/0.9", Malformed::UnsupportedVersion);
        check("PRI * HTTP/2.0", Malformed::UnsupportedVersion);
        check("GET / HTTP/1.10", Malformed::Version);
        check("GET / http/1.1", Malformed::Version);
        check("GET / HTTP/1,1", Malformed::Version);
        check("GET / HTTP/1.", Malformed::Version);
        check("GET / ICE/1.0", Malformed::Version);
        check("GET /%zz HTTP/1.1", Malformed::PathPercent);
        check("GET /\\ HTTP/1.1", Malformed::PathBackslash);
        assert_eq!(parse(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n").err(), Some(Malformed::TargetByte));
    }

    #[test]
    fn semantics() {
        let check = |fields: &str, want| refuses(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n"), want);
        check("X: y", Malformed::MissingHost);
        check("Host: a\r\nhost: a", Malformed::DuplicateHost);
        check("Host: a\r\nAuthorization: b\r\nAUTHORIZATION: b", Malformed::DuplicateAuthorization);
        check("Host:", Malformed::Host);
        check("Host: a b", Malformed::Host);
        check("Host: a, a", Malformed::Host);
        check("Host: u@a", Malformed::Userinfo);
        check("Host: a:99999", Malformed::Port);
        check("Host: a\r\nContent-Length: 1, 1", Malformed::ContentLength);
        check("Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", Malformed::LengthAndCoding);
        check("Host: a\r\nTransfer-Encoding: gzip, chunked", Malformed::UnknownTransferCoding);
        check("Host: a\r\nExpect: 200-ok", Malformed::UnknownExpectation);
        let upgrade = "Host: a\r\nConnection: upgrade\r\nUpgrade: websocket";
        check(&format!("{upgrade}\r\nContent-Length: 1"), Malformed::UpgradeWithBody);
        check(&format!("{upgrade}\r\nTransfer-Encoding: chunked"), Malformed::UpgradeWithBody);
        refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed::TransferEncodingInHttp10);
        refuses("POST / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Malformed::DuplicateHost);
    }

    #[test]
    fn wishes() {
        let check = |version: &str, fields: &str, want: [bool; 3]| {
            let input = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n\r\n");
            let (head, _) = parse(input.as_bytes()).unwrap().unwrap();
            assert_eq!([head.expects_continue(), head.wants_upgrade(), head.te_trailers()], want, "{fields}");
        };
        check("1.1", "Expect: 100-Continue\r\nContent-Length: 1", [true, false, false]);
        check("1.1", "Expect: 100-continue\r\nContent-Length: 0", [false, false, false]);
        check("1.1", "Expect: 100-continue", [false, false, false]);
        check("1.0", "Expect: 100-continue\r\nContent-Length: 1", [false, false, false]);
        check("1.0", "Expect: anything\r\nContent-Length: 1", [false, false, false]);
        check("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0", [false, true, false]);
        check("1.0", "Connection: Upgrade\r\nUpgrade: websocket", [false, false, false]);
        check("1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 7", [false, false, false]);
        check("1.1", "TE: deflate;q=0.5, Trailers", [false, false, true]);
    }

    #[test]
    fn limits() {
        let check = |line: usize, field: usize, fields: usize, want: Result<(), Malformed>| {
            let mut input = format!("GET /{} HTTP/1.1\r\nHost: a\r\n", "x".repeat(line - 16)).into_bytes();
            for _ in 1..fields {
                input.extend_from_slice(format!("a: {}\r\n", "x".repeat(field - 5)).as_bytes());
            }
            input.extend_from_slice(b"\r\n");
            assert_eq!(parse(&input).map(|head| assert!(head.is_some())), want, "{line} {field} {fields}");
        };
        check(200, 10, 10, Ok(()));
        check(201, 10, 10, Err(Malformed::LineTooLong));
        check(16, 10, 11, Err(Malformed::TooManyFields));
        // 16 for the line, 9 for Host, 2 for the end.
        check(16, 973, 2, Ok(()));
        check(16, 974, 2, Err(Malformed::HeadTooLarge));
        let endless = [b"GET /".as_slice(), &[b'a'; 300]].concat();
        assert_eq!(parse(&endless).err(), Some(Malformed::LineTooLong));
        let endless = [b"GET / HTTP/1.1\r\nHost: a\r\nb: ".as_slice(), &[b'a'; 1000]].concat();
        assert_eq!(parse(&endless).err(), Some(Malformed::HeadTooLarge));
    }

    #[test]
    fn a_refused_head_leaves_nothing_behind() {
        let mut head = RequestHead::default();
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100));
        assert_eq!(head.parse(&mut long.into_bytes(), &LIMITS), Ok(true));
        let bad = b"GET /../ HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(head.parse(&mut bad.to_vec(), &LIMITS), Err(Malformed::PathDotSegment));
        assert!(head.path().is_empty() && head.query().is_none() && head.host().is_empty());
        assert!(head.authority().is_empty() && head.fields.is_empty());
        assert_eq!(head.parse(&mut b"GET /a HTTP".to_vec(), &LIMITS), Ok(false));
        head.reset();
        assert_eq!(head.parse(&mut b"GET /b HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(), &LIMITS), Ok(true));
        assert_eq!(head.path(), b"/b");
    }

    #[test]
    fn what_follows_the_head_stays() {
        let mut head = RequestHead::default();
        let mut input = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\nGET".to_vec();
        for want in ["/a", "/b"] {
            assert_eq!(head.parse(&mut input, &LIMITS), Ok(true));
            assert_eq!(head.path(), want.as_bytes());
        }
        assert_eq!(input, b"GET");
        assert_eq!(head.parse(&mut input, &LIMITS), Ok(false));
        input.extend_from_slice(b" /c HTTP/1.1\r\nHost: c\r\n\r\n");
        assert_eq!(head.parse(&mut input, &LIMITS), Ok(true));
        assert_eq!((head.path(), head.host()), (&b"/c"[..], &b"c"[..]));
    }

    #[test]
    fn a_head_in_one_piece_is_swapped_not_copied() {
        let mut head = RequestHead::default();
        let mut input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let at = input.as_ptr();
        assert_eq!(head.parse(&mut input, &LIMITS), Ok(true));
        assert_eq!(head.fields.bytes.as_ptr(), at);
        assert!(head.fields.get(b"host").is_some_and(|host| host.as_ptr() as usize - at as usize == 22));
    }

    #[test]
    fn changes() {
        let (mut head, _) = parse(b"GET /a?b HTTP/1.1\r\nHost: A\r\nX: y\r\n\r\n").unwrap().unwrap();
        head.set_path(b"/%63%2f").unwrap();
        assert_eq!((head.path(), head.path_flags().encoded_slash), (&b"/c%2F"[..], true));
        assert_eq!(head.set_path(b"/../x"), Err(Malformed::PathDotSegment));
        assert_eq!(head.set_path(b"/a?b"), Err(Malformed::PathByte));
        assert_eq!(head.path(), b"/c%2F");
        head.set_query(Some(b"x=1")).unwrap();
        assert_eq!(head.set_query(Some(b"x y")), Err(Malformed::TargetByte));
        assert_eq!(head.set_query(Some(b"x\r\n")), Err(Malformed::TargetByte));
        assert_eq!(head.set_query(Some(b"x#")), Err(Malformed::Fragment));
        assert_eq!(head.query(), Some(&b"x=1"[..]));
        head.set_query(None).unwrap();
        head.set_authority(b"B:81").unwrap();
        assert_eq!(head.set_authority(b"b c"), Err(Malformed::Host));
        head.set_method(Method::PUT);
        head.fields.set(b"x", b"a value longer than it was").unwrap();
        head.fields.clear();
        assert_eq!(describe(&head), "PUT /c%2F host b Some(81) None keep true size 36 []");
        assert_eq!(head.authority(), b"B:81");
    }

    #[test]
    fn kinds_are_decided_while_parsing() {
        let (head, _) =
            parse(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nX: 1\r\ny_z: 2\r\n\r\n").unwrap().unwrap();
        let kinds: Vec<_> = head.fields.iter().map(|(kind, ..)| kind).collect();
        assert_eq!(
            kinds,
            [FieldKind::Host, FieldKind::Connection, FieldKind::ConnectionOption, FieldKind::Underscore]
        );
    }
}
