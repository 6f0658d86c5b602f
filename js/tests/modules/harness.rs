//! The host and the exchange of the tests: a manual clock, recorded console lines, fields in a list. No sleeping,
//! no sockets; time moves when a test says so.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::wires::{Net, Pieces};
use tidegate_js::{
    Answer, Chunks, Compiled, ConsoleLevel, Described, Diagnostic, Exchange, Failure, Function, Functions,
    Grants, Host, HttpRequest, HttpResponse, Language, Lease, Limits, ModuleCode, Pending, Refused,
    RequestPart, Runtime, Side, StateRead, StateWrite, check_graph, compile,
};

#[derive(Default)]
pub(crate) struct TestHost {
    pub(crate) clock: Cell<u64>,
    pub(crate) lines: RefCell<Vec<(ConsoleLevel, String)>>,
    /// Who called the console.
    pub(crate) speakers: RefCell<Vec<String>>,
    pub(crate) documents: RefCell<BTreeMap<String, String>>,
    sleepers: RefCell<Vec<(u64, Waker)>>,
    /// Set to make writes wait until it is cleared.
    pub(crate) writes_stall: Rc<Cell<bool>>,
    pub(crate) writes: RefCell<Vec<StateWrite>>,
    seed: Cell<u8>,
    pub(crate) net: Rc<Net>,
}

impl TestHost {
    pub(crate) fn advance(&self, ms: u64) {
        self.clock.set(self.clock.get() + ms);
        let now = self.clock.get();
        let due: Vec<_> = {
            let mut all = self.sleepers.borrow_mut();
            let (due, rest) = std::mem::take(&mut *all).into_iter().partition(|(at, _)| *at <= now);
            *all = rest;
            due
        };
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines.borrow().iter().map(|(_, text)| text.clone()).collect()
    }
}

/// The host is shared with the sleeps it hands out.
#[derive(Clone, Default)]
pub(crate) struct Shared(pub(crate) Rc<TestHost>);

impl Host for Shared {
    fn now_ms(&self) -> f64 {
        1_700_000_000_000.0 + self.0.clock.get() as f64
    }

    fn monotonic_ms(&self) -> f64 {
        self.0.clock.get() as f64
    }

    fn random(&self, out: &mut [u8]) {
        for b in out {
            self.0.seed.set(self.0.seed.get().wrapping_add(37));
            *b = self.0.seed.get();
        }
    }

    fn sleep(&self, ms: u64) -> Pending<()> {
        let (host, at) = (self.0.clone(), self.0.clock.get() + ms);
        Box::pin(poll_fn(move |cx| {
            if host.clock.get() >= at {
                return Poll::Ready(());
            }
            host.sleepers.borrow_mut().push((at, cx.waker().clone()));
            Poll::Pending
        }))
    }

    fn console(&self, module: &str, level: ConsoleLevel, text: &str) {
        self.0.speakers.borrow_mut().push(module.to_owned());
        self.0.lines.borrow_mut().push((level, text.to_owned()));
    }

    fn read_state(&self, read: StateRead) -> Result<String, Refused> {
        let documents = self.0.documents.borrow();
        Ok(match read {
            StateRead::Collection { name } if name == "forbidden" => return Err(Refused("no access".into())),
            StateRead::Collection { name } if name.starts_with("no_") => "null".into(),
            StateRead::Collection { name } => format!("{{\"name\":{name:?}}}"),
            StateRead::Document { collection, id } => {
                documents.get(&format!("{collection}/{id}")).cloned().unwrap_or_else(|| "null".into())
            }
            StateRead::Documents { limit, .. } => {
                let all: Vec<String> = documents.values().take(limit as usize).cloned().collect();
                format!("[{}]", all.join(","))
            }
        })
    }

    fn fetch(&self, request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        self.0.net.clone().serve(request)
    }

    fn write_state(&self, write: StateWrite) -> Pending<Result<String, Refused>> {
        self.0.writes.borrow_mut().push(write.clone());
        if let StateWrite::PutDocument { collection, id, data } = &write {
            let document = format!("{{\"id\":{id:?},\"collection\":{collection:?},\"data\":{data}}}");
            self.0.documents.borrow_mut().insert(format!("{collection}/{id}"), document);
        }
        let stall = self.0.writes_stall.clone();
        Box::pin(poll_fn(
            move |_| if stall.get() { Poll::Pending } else { Poll::Ready(Ok("{\"ok\":true}".into())) },
        ))
    }
}

/// A request, an upstream response and a response being written.
pub(crate) struct TestExchange {
    pub(crate) id: String,
    pub(crate) fields: RefCell<[Vec<(String, String)>; 3]>,
    pub(crate) parts: RefCell<[String; 7]>,
    pub(crate) statuses: RefCell<[u16; 3]>,
    pub(crate) bodies: RefCell<[Vec<u8>; 3]>,
    pub(crate) ended: Cell<bool>,
    pub(crate) params: Vec<(String, String)>,
    /// While true, reading a body waits.
    pub(crate) body_stalls: Rc<Cell<bool>>,
    /// Bodies that were replaced by streams.
    pub(crate) streamed: RefCell<[Option<Rc<dyn Chunks>>; 3]>,
    /// Bodies that were taken as streams.
    pub(crate) taken: RefCell<[Option<Rc<Pieces>>; 3]>,
}

impl Default for TestExchange {
    fn default() -> Self {
        let parts = ["GET", "/a/b", "q=1&q=2&x=%20y", "example.com", "10.0.0.7", "HTTP/1.1", "http"];
        TestExchange {
            id: "ex1".into(),
            fields: RefCell::new([
                vec![("Accept".into(), "text/plain".into()), ("accept".into(), "*/*".into())],
                vec![("Server".into(), "unit".into()), ("Set-Cookie".into(), "a=b; Path=/; HttpOnly".into())],
                vec![],
            ]),
            parts: RefCell::new(parts.map(String::from)),
            statuses: RefCell::new([0, 201, 200]),
            bodies: RefCell::new([b"{\"n\":5}".to_vec(), b"up".to_vec(), vec![]]),
            ended: Cell::new(false),
            params: vec![("id".into(), "77".into()), ("__proto__".into(), "evil".into())],
            body_stalls: Rc::default(),
            streamed: RefCell::default(),
            taken: RefCell::default(),
        }
    }
}

impl TestExchange {
    pub(crate) fn field(&self, side: Side, name: &str) -> Option<String> {
        let fields = self.fields.borrow();
        fields[index(side)].iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
    }

    pub(crate) fn body(&self, side: Side) -> String {
        String::from_utf8(self.bodies.borrow()[index(side)].clone()).unwrap()
    }

    pub(crate) fn status_of(&self, side: Side) -> u16 {
        self.statuses.borrow()[index(side)]
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Request => 0,
        Side::Upstream => 1,
        Side::Response => 2,
    }
}

fn admit(name: &str, value: &[u8]) -> Result<(), Refused> {
    if name.is_empty() || name.bytes().any(|b| b <= b' ' || b == b':' || b >= 0x7f) {
        return Err(Refused("invalid header name".into()));
    }
    if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
        return Err(Refused("a header value may not have control characters".into()));
    }
    if ["content-length", "transfer-encoding", "connection"].iter().any(|f| name.eq_ignore_ascii_case(f)) {
        return Err(Refused(format!("{name} belongs to the gateway")));
    }
    Ok(())
}

impl Exchange for TestExchange {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn describe(&self, what: Described) -> Option<Rc<str>> {
        match what {
            Described::Route => {
                Some("{\"name\":\"r1\",\"tags\":[\"t\"],\"__proto__\":{\"polluted\":1}}".into())
            }
            Described::Service => None,
            Described::Namespace => Some("{\"name\":\"ns1\"}".into()),
        }
    }

    fn path_params(&self, each: &mut dyn FnMut(&str, &str)) {
        self.params.iter().for_each(|(n, v)| each(n, v));
    }

    fn field(&self, side: Side, name: &str, each: &mut dyn FnMut(&[u8])) {
        let fields = self.fields.borrow();
        let found = fields[index(side)].iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.for_each(|(_, v)| each(v.as_bytes()));
    }

    fn fields(&self, side: Side, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.fields.borrow()[index(side)].iter().for_each(|(n, v)| each(n.as_bytes(), v.as_bytes()));
    }

    fn set_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        assert!(name != "panic", "the host fell over");
        admit(name, value)?;
        let list = &mut self.fields.borrow_mut()[index(side)];
        list.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        list.push((name.into(), String::from_utf8_lossy(value).into_owned()));
        Ok(())
    }

    fn add_field(&self, side: Side, name: &str, value: &[u8]) -> Result<(), Refused> {
        admit(name, value)?;
        let value = String::from_utf8_lossy(value).into_owned();
        self.fields.borrow_mut()[index(side)].push((name.into(), value));
        Ok(())
    }

    fn remove_field(&self, side: Side, name: &str) -> Result<bool, Refused> {
        admit(name, b"")?;
        let list = &mut self.fields.borrow_mut()[index(side)];
        let before = list.len();
        list.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        Ok(list.len() < before)
    }

    fn request_part(&self, part: RequestPart) -> String {
        self.parts.borrow()[part as usize].clone()
    }

    fn set_request_part(&self, part: RequestPart, value: &str) -> Result<(), Refused> {
        if part as usize > 3 {
            return Err(Refused("this part cannot be changed".into()));
        }
        self.parts.borrow_mut()[part as usize] = value.into();
        Ok(())
    }

    fn status(&self, side: Side) -> u16 {
        self.status_of(side)
    }

    fn set_status(&self, side: Side, status: u16) -> Result<(), Refused> {
        if !(200..600).contains(&status) {
            return Err(Refused("the status must be from 200 to 599".into()));
        }
        self.statuses.borrow_mut()[index(side)] = status;
        Ok(())
    }

    fn upstream_protocol(&self) -> String {
        "HTTP/1.1".into()
    }

    fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        each(b"X-Sum", b"9");
    }

    fn content_length(&self, side: Side) -> Option<u64> {
        (side == Side::Request).then(|| self.bodies.borrow()[0].len() as u64)
    }

    fn read_body(&self, side: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        let (body, stalls) = (self.bodies.borrow()[index(side)].clone(), self.body_stalls.clone());
        Box::pin(poll_fn(move |_| match (stalls.get(), body.is_empty()) {
            (true, _) => Poll::Pending,
            (false, true) => Poll::Ready(Err(Refused("the body is too large".into()))),
            (false, false) => Poll::Ready(Ok(Rc::from(&body[..]))),
        }))
    }

    fn body(&self, side: Side) -> Result<Rc<dyn Chunks>, Refused> {
        if self.taken.borrow()[index(side)].is_some() {
            return Err(Refused("the body was taken already".into()));
        }
        let text = self.body(side);
        let (first, second) = text.split_at(text.len() / 2);
        let pieces = Pieces::of(&[first, second], false);
        self.taken.borrow_mut()[index(side)] = Some(pieces.clone());
        Ok(pieces)
    }

    fn stream_body(&self, side: Side, body: Rc<dyn Chunks>) -> Result<(), Refused> {
        self.streamed.borrow_mut()[index(side)] = Some(body);
        Ok(())
    }

    fn write_body(&self, side: Side, body: Vec<u8>) -> Result<(), Refused> {
        self.bodies.borrow_mut()[index(side)] = body;
        Ok(())
    }

    fn end_response(&self) -> Result<(), Refused> {
        self.ended.set(true);
        Ok(())
    }

    fn response_ended(&self) -> bool {
        self.ended.get()
    }
}

/// Counts wakes, so that tests can say that nothing polls without one.
#[derive(Default)]
pub(crate) struct Wakes(pub(crate) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once.
pub(crate) fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Drives a future, moving the clock by a millisecond whenever it waits.
pub(crate) fn drive<F: Future>(host: &Shared, future: F) -> F::Output {
    let mut future = Box::pin(future);
    for _ in 0..100_000 {
        match poll(&mut future) {
            Poll::Ready(output) => return output,
            Poll::Pending => host.0.advance(1),
        }
    }
    panic!("it waits for ever");
}

pub(crate) fn ts(name: &str, source: &str) -> Compiled {
    compile(name, source, Language::TypeScript).unwrap_or_else(|d| panic!("{name} does not compile: {d:?}"))
}

pub(crate) fn js(name: &str, source: &str) -> Compiled {
    compile(name, source, Language::JavaScript).unwrap_or_else(|d| panic!("{name} does not compile: {d:?}"))
}

pub(crate) fn rejected(source: &str, language: Language) -> Vec<Diagnostic> {
    compile("m", source, language).expect_err("it must be refused")
}

/// A runtime over a graph with its host.
pub(crate) struct Bench {
    pub(crate) host: Shared,
    pub(crate) runtime: Rc<Runtime>,
}

impl Bench {
    pub(crate) fn of(modules: &[Compiled], limits: Limits) -> Bench {
        let host = Shared::default();
        let code: Vec<ModuleCode> = modules.iter().map(Compiled::code).collect();
        let runtime = Runtime::new(&code, limits, Grants::all(), Rc::new(host.clone()));
        Bench { runtime: runtime.unwrap_or_else(|f| panic!("no runtime: {f}\n{}", f.stack)), host }
    }

    pub(crate) fn js(source: &str) -> Bench {
        Bench::of(&[js("m", source)], Limits::default())
    }

    pub(crate) fn ts(source: &str) -> Bench {
        Bench::of(&[ts("m", source)], Limits::default())
    }

    pub(crate) fn lease(&self, exchange: &Rc<TestExchange>) -> Lease {
        self.runtime.lease(exchange.clone()).unwrap_or_else(|f| panic!("no lease: {f}"))
    }

    pub(crate) fn call(&self, exchange: &Rc<TestExchange>, f: Function) -> Result<Answer, Failure> {
        let mut lease = self.lease(exchange);
        drive(&self.host, lease.call(f))
    }

    /// Runs `requestHandler` on a fresh exchange.
    pub(crate) fn handle(&self) -> (Rc<TestExchange>, Result<Answer, Failure>) {
        let exchange = Rc::new(TestExchange::default());
        let result = self.call(&exchange, Function::RequestHandler);
        (exchange, result)
    }
}

/// Runs the statements as an async `requestHandler` and gives the string it returns.
pub(crate) fn eval(statements: &str) -> String {
    let bench = Bench::ts(&format!(
        "import * as dgate from 'dgate'; import * as state from 'dgate/state'; import * as crypto from 'dgate/crypto';
         const used = [dgate, state, crypto];
         export async function requestHandler(ctx: any) {{ {statements} }}"
    ));
    match bench.handle().1 {
        Ok(Answer::Text(text)) => text,
        other => panic!("{statements}\n{other:?}\nconsole: {:?}", bench.host.0.texts()),
    }
}

pub(crate) fn functions(modules: &[Compiled]) -> Result<Functions, Vec<Diagnostic>> {
    check_graph(&modules.iter().map(Compiled::code).collect::<Vec<_>>(), &Grants::all())
}
