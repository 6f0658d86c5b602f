//! The request as a module sees it: the heads while the exchange lends them, bodies once a module asked for them, and
//! the response it writes. JavaScript may hold on to this for longer than the request lives; it is then empty and says
//! so. Framing is out of a module's reach.

use super::slot::{BodySlot, Written};
use crate::reply::Own;
use crate::wire::Peer;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_codec::{BodyFraming, FieldKind, Fields, RequestHead, ResponseHead, Version};
use tidegate_js::{Chunks, Described, Exchange, Pending, Refused, RequestPart, Side};
use tidegate_reactor::clock;
use tidegate_snapshot::{Namespace, Route};

/// What the exchange lends.
pub struct Lent {
    /// The request.
    pub request: RequestHead,
    /// The upstream's response, once there is one.
    pub upstream: Option<ResponseHead>,
    /// What a handler writes.
    pub response: Own,
    /// Whether the handler has written anything.
    pub is_written: bool,
    /// Whether the handler has ended its response.
    pub is_ended: bool,
    /// A module chose the Host that goes upstream.
    pub is_host_chosen: bool,
    /// A module chose the path, so that what the pattern matched says nothing of it.
    pub is_path_chosen: bool,
    /// Path parameters, decoded.
    pub params: Vec<(String, String)>,
    /// The client's address.
    pub address: IpAddr,
    /// Its scheme.
    pub scheme: &'static str,
    /// The route.
    pub route: Arc<Route>,
    /// Its namespace.
    pub namespace: Arc<Namespace>,
    /// The exchange's id: shard and serial number.
    pub id: (u16, u64),
    /// When its service's time is used up, on the coarse clock.
    deadline_ms: Option<u64>,
}

/// The id of an exchange as modules and logs show it.
pub fn show_id((shard, serial): (u16, u64)) -> String {
    format!("{shard:x}-{serial:x}")
}

/// The module's view of one exchange.
pub struct Scripted {
    lent: RefCell<Option<Lent>>,
    /// The request's body.
    pub request_body: Rc<BodySlot>,
    /// The upstream's body.
    pub upstream_body: Rc<BodySlot>,
    /// More than one module sees it.
    is_chained: bool,
    /// Values that the modules keep for each other, as JSON text.
    shared: RefCell<BTreeMap<String, Rc<str>>>,
}

/// Values that modules may keep for each other; their bytes are bounded by the heaps they come from.
const MAX_SHARED: usize = 256;

fn over() -> Refused {
    Refused("the request is over".into())
}

fn refuse<T>(why: &str) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// The fields that frame a message or belong to a connection.
fn is_framing(kind: FieldKind) -> bool {
    kind.is_hop_by_hop() || matches!(kind, FieldKind::ContentLength | FieldKind::Trailer | FieldKind::Expect)
}

fn kind_of(name: &str) -> Result<FieldKind, Refused> {
    FieldKind::of(name.as_bytes()).map_err(|rule| Refused(format!("'{}': {rule}", name.escape_debug())))
}

impl Scripted {
    /// A view of what is lent.
    pub fn new(lent: Lent, is_chained: bool) -> Rc<Self> {
        Rc::new(Self {
            lent: RefCell::new(Some(lent)),
            request_body: Rc::default(),
            upstream_body: Rc::default(),
            is_chained,
            shared: RefCell::default(),
        })
    }

    /// Takes everything back: the exchange is over for the module.
    pub fn close(&self) -> Option<Lent> {
        self.request_body.close();
        self.upstream_body.close();
        self.shared.borrow_mut().clear();
        self.lent.borrow_mut().take()
    }

    /// What is lent, to the exchange itself.
    pub fn lent(&self) -> Option<RefMut<'_, Lent>> {
        RefMut::filter_map(self.lent.borrow_mut(), Option::as_mut).ok()
    }

    /// Which route it came by, and its id; nothing once it is over.
    pub fn whereabouts(&self) -> Option<(Arc<str>, String)> {
        self.read().map(|lent| (lent.route.key.clone(), show_id(lent.id)))
    }

    fn read(&self) -> Option<Ref<'_, Lent>> {
        Ref::filter_map(self.lent.borrow(), Option::as_ref).ok()
    }

    fn write(&self) -> Result<RefMut<'_, Lent>, Refused> {
        self.lent().ok_or_else(over)
    }

    fn slot(&self, side: Side) -> Option<&Rc<BodySlot>> {
        match side {
            Side::Request => Some(&self.request_body),
            Side::Upstream => Some(&self.upstream_body),
            Side::Response => None,
        }
    }
}

/// Decodes percent-encoding; bytes that are no UTF-8 are replaced.
fn decode(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        let digit = |b: Option<&u8>| b.and_then(|b| (*b as char).to_digit(16));
        let mut ahead = rest.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                rest = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl Lent {
    /// What a run begins with; `params` are places in the request's path.
    pub fn new<'a>(
        request: RequestHead,
        params: impl Iterator<Item = (&'a str, Range<usize>)>,
        peer: &Peer,
        route: &Arc<Route>,
        namespace: &Arc<Namespace>,
        id: (u16, u64),
    ) -> Self {
        let path = request.path();
        let params =
            params.map(|(name, at)| (name.to_string(), decode(path.get(at).unwrap_or_default()))).collect();
        Self {
            params,
            request,
            upstream: None,
            response: Own::new(200),
            is_written: false,
            is_ended: false,
            is_host_chosen: false,
            is_path_chosen: false,
            address: peer.address.ip(),
            scheme: peer.scheme(),
            route: route.clone(),
            namespace: namespace.clone(),
            id,
            deadline_ms: route
                .service
                .as_ref()
                .map(|service| clock::coarse_ms() + service.request_timeout.as_millis() as u64),
        }
    }

    fn fields(&self, side: Side) -> Option<&Fields> {
        match side {
            Side::Request => Some(&self.request.fields),
            Side::Upstream => self.upstream.as_ref().map(|head| &head.fields),
            Side::Response => Some(&self.response.head.fields),
        }
    }

    fn fields_mut(&mut self, side: Side) -> Result<&mut Fields, Refused> {
        match side {
            Side::Request => Ok(&mut self.request.fields),
            Side::Upstream => match &mut self.upstream {
                Some(head) => Ok(&mut head.fields),
                None => refuse("there is no upstream response yet"),
            },
            Side::Response if self.is_ended => refuse("the response has been sent already"),
            Side::Response => {
                self.is_written = true;
                Ok(&mut self.response.head.fields)
            }
        }
    }

    /// Checks a name a module wants to write; `true` if it is the request's Host, which is no plain field.
    fn is_host(side: Side, name: &str) -> Result<bool, Refused> {
        match kind_of(name)? {
            FieldKind::Host if side == Side::Request => Ok(true),
            kind if is_framing(kind) => {
                Err(Refused(format!("'{name}' frames the message and belongs to the gateway")))
            }
            _ => Ok(false),
        }
    }

    fn set_host(&mut self, value: &[u8]) -> Result<(), Refused> {
        self.request.set_authority(value).map_err(|rule| Refused(format!("Host: {rule}")))?;
        self.is_host_chosen = true;
        Ok(())
    }
}

impl Exchange for Scripted {
    fn id(&self) -> String {
        self.read().map(|lent| show_id(lent.id)).unwrap_or_default()
    }

    fn describe(&self, what: Described) -> Option<Rc<str>> {
        let lent = self.read()?;
        let text: &str = match what {
            Described::Route => &lent.route.description,
            Described::Service => &lent.route.service.as_ref()?.description,
            Described::Namespace => &lent.namespace.description,
        };
        Some(text.into())
    }

    fn path_params(&self, each: &mut dyn FnMut(&str, &str)) {
        if let Some(lent) = self.read() {
            lent.params.iter().for_each(|(name, value)| each(name, value));
        }
    }

    fn field(&self, side: Side, name: &str, each: &mut dyn FnMut(&[u8])) {
        let Some(lent) = self.read() else { return };
        if let Some(fields) = lent.fields(side) {
            fields.values(name.as_bytes()).for_each(each);
        }
    }

    fn fields(&self, side: Side, each: &mut dyn FnMut(&[u8], &[u8])) {
        let Some(lent) = self.read() else { return };
        if let Some(fields) = lent.fields(side) {
            fields.iter().for_each(|(_, name, value)| each(name, value));
        }
    }

    fn set_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        let mut lent = self.write()?;
        if Lent::is_host(side, name)? {
            return lent.set_host(value);
        }
        let fields = lent.fields_mut(side)?;
        fields
            .set(name.as_bytes(), value)
            .map_err(|rule| Refused(format!("'{}': {rule}", name.escape_debug())))
    }

    fn add_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        let mut lent = self.write()?;
        if Lent::is_host(side, name)? {
            return refuse("a request has one Host: set it instead");
        }
        let fields = lent.fields_mut(side)?;
        fields
            .add(name.as_bytes(), value)
            .map_err(|rule| Refused(format!("'{}': {rule}", name.escape_debug())))
    }

    fn remove_field(&self, side: Side, name: &str) -> Result<bool, Refused> {
        let mut lent = self.write()?;
        if Lent::is_host(side, name)? {
            return refuse("a request has one Host: set it instead");
        }
        Ok(lent.fields_mut(side)?.remove(name.as_bytes()) > 0)
    }

    fn request_part(&self, part: RequestPart) -> String {
        let Some(lent) = self.read() else { return String::new() };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match part {
            RequestPart::Method => lent.request.method().as_str().to_string(),
            RequestPart::Path => text(lent.request.path()),
            RequestPart::Query => text(lent.request.query().unwrap_or_default()),
            RequestPart::Host => text(lent.request.authority()),
            RequestPart::RemoteAddress => lent.address.to_canonical().to_string(),
            RequestPart::Protocol => match lent.request.version() {
                Version::Http10 => "HTTP/1.0".into(),
                Version::Http11 => "HTTP/1.1".into(),
            },
            RequestPart::Scheme => lent.scheme.into(),
        }
    }

    fn set_request_part(&self, part: RequestPart, value: &str) -> Result<(), Refused> {
        let mut lent = self.write()?;
        let said = |what: &str, rule| Refused(format!("{what} '{}': {rule}", value.escape_debug()));
        match part {
            RequestPart::Method => {
                let method = http::Method::from_bytes(value.as_bytes())
                    .map_err(|_| Refused(format!("'{}' is no method", value.escape_debug())))?;
                lent.request.set_method(method);
                Ok(())
            }
            RequestPart::Path => {
                lent.is_path_chosen = true;
                lent.request.set_path(value.as_bytes()).map_err(|rule| said("path", rule))
            }
            RequestPart::Query => {
                let query = (!value.is_empty()).then_some(value.as_bytes());
                lent.request.set_query(query).map_err(|rule| said("query", rule))
            }
            RequestPart::Host => lent.set_host(value.as_bytes()),
            RequestPart::RemoteAddress | RequestPart::Protocol | RequestPart::Scheme => {
                refuse("this part of the request is a fact and cannot be changed")
            }
        }
    }

    fn status(&self, side: Side) -> u16 {
        let Some(lent) = self.read() else { return 0 };
        match side {
            Side::Request => 0,
            Side::Upstream => lent.upstream.as_ref().map_or(0, ResponseHead::status),
            Side::Response => lent.response.head.status(),
        }
    }

    fn set_status(&self, side: Side, status: u16) -> Result<(), Refused> {
        if !(200..=599).contains(&status) {
            return Err(Refused(format!("{status} is no status of a final response: use 200 to 599")));
        }
        let mut lent = self.write()?;
        match side {
            Side::Request => return refuse("a request has no status"),
            Side::Upstream => match &mut lent.upstream {
                Some(head) => head.set_status(status),
                None => return refuse("there is no upstream response yet"),
            },
            Side::Response if lent.is_ended => return refuse("the response has been sent already"),
            Side::Response => {
                lent.is_written = true;
                lent.response.head.set_status(status);
            }
        }
        Ok(())
    }

    fn upstream_protocol(&self) -> String {
        let lent = self.read();
        match lent.as_ref().and_then(|lent| lent.upstream.as_ref()).map(ResponseHead::version) {
            Some(Version::Http10) => "HTTP/1.0".into(),
            Some(Version::Http11) => "HTTP/1.1".into(),
            None => String::new(),
        }
    }

    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.upstream_body.trailers(each);
    }

    fn content_length(&self, side: Side) -> Option<u64> {
        if let Some(length) = self.slot(side).and_then(|slot| slot.known_length()) {
            return Some(length);
        }
        let lent = self.read()?;
        let framing = match side {
            Side::Request => lent.request.body(),
            Side::Upstream => lent.upstream.as_ref()?.body(),
            Side::Response => return Some(lent.response.body.len() as u64),
        };
        match framing {
            BodyFraming::None => Some(0),
            BodyFraming::Length(length) => Some(length),
            BodyFraming::Chunked | BodyFraming::UntilClose => None,
        }
    }

    fn read_body(&self, side: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        let over = self.read().is_none();
        match self.slot(side) {
            _ if over => Box::pin(std::future::ready(refuse("the request is over"))),
            Some(slot) => slot.clone().wait(),
            None => {
                let body: Rc<[u8]> =
                    self.read().map(|lent| lent.response.body[..].into()).unwrap_or_default();
                Box::pin(std::future::ready(Ok(body)))
            }
        }
    }

    fn write_body(&self, side: Side, body: Vec<u8>) -> Result<(), Refused> {
        let mut lent = self.write()?;
        match side {
            Side::Response if lent.is_ended => return refuse("the response has been sent already"),
            Side::Response => {
                lent.is_written = true;
                lent.response.body = body;
                lent.response.pieces = None;
            }
            Side::Upstream if lent.upstream.is_none() => return refuse("there is no upstream response yet"),
            Side::Request if lent.upstream.is_some() => {
                return refuse("the request has gone upstream already");
            }
            Side::Request => self.request_body.write(Written::Whole(body.into())),
            Side::Upstream => self.upstream_body.write(Written::Whole(body.into())),
        }
        Ok(())
    }

    fn body(&self, side: Side) -> Result<Rc<dyn Chunks>, Refused> {
        if self.read().is_none() {
            return Err(over());
        }
        match self.slot(side) {
            Some(slot) => slot.stream(),
            None => refuse("the response being written has no body to read"),
        }
    }

    fn stream_body(&self, side: Side, body: Rc<dyn Chunks>) -> Result<(), Refused> {
        let mut lent = self.write()?;
        match side {
            Side::Response if lent.is_ended => return refuse("the response has been sent already"),
            Side::Response => {
                lent.is_written = true;
                lent.response.pieces = Some(body);
            }
            Side::Upstream if lent.upstream.is_none() => return refuse("there is no upstream response yet"),
            Side::Request if lent.upstream.is_some() => {
                return refuse("the request has gone upstream already");
            }
            Side::Request => self.request_body.write(Written::Pieces(body)),
            Side::Upstream => self.upstream_body.write(Written::Pieces(body)),
        }
        Ok(())
    }

    fn remaining_ms(&self) -> Option<u64> {
        let deadline = self.read()?.deadline_ms?;
        Some(deadline.saturating_sub(clock::coarse_ms()))
    }

    fn is_chained(&self) -> bool {
        self.is_chained
    }

    fn share(&self, key: &str, json: String) {
        let mut shared = self.shared.borrow_mut();
        if shared.len() < MAX_SHARED || shared.contains_key(key) {
            shared.insert(key.to_owned(), json.into());
        }
    }

    fn shared(&self, key: &str) -> Option<Rc<str>> {
        self.shared.borrow().get(key).cloned()
    }

    fn end_response(&self) -> Result<(), Refused> {
        let mut lent = self.write()?;
        if lent.is_ended {
            return refuse("the response has been sent already");
        }
        lent.is_ended = true;
        lent.is_written = true;
        Ok(())
    }

    fn response_ended(&self) -> bool {
        self.read().is_none_or(|lent| lent.is_ended)
    }
}
