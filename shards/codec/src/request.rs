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
    /// Whatever the head breaks; the connection is answered and closed. `self` and `input` are then good for nothing but reuse.
    pub fn parse(&mut self, input: &mut Vec<u8>, limits: &HeadLimits) -> Result<bool, Malformed> {
        match self.try_parse(input, &limits.bounded()) {
            Ok(false) => Ok(false),
            done => {
                self.search = Search::default();
                if done.is_err() {
                    self.fields.clear();
                }
                done
            }
        }
    }

    fn try_parse(&mut self, input: &mut Vec<u8>, limits: &HeadLimits) -> Result<bool, Malformed> {
        let Some(start) = request_line_start(input)? else { return Ok(false) };
        // What comes in one piece is parsed at once; what comes in many is parsed when its end is there.
        if !self.search.is_new(input) && !self.search.advance(input, start, limits)? {
            return Ok(false);
        }
        let Some(line) = self.read_line_and_fields(input, start, limits)? else {
            self.search.advance(input, start, limits)?;
            return Ok(false);
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
