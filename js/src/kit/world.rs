//! What a module under test sees of the world: the kit's host. It records what the module says and asks, and answers
//! from memory; requests of `fetch` are answered by the test, in JavaScript.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::bodies::collect;
use super::clock::Clock;
use super::exchange::MemoryExchange;
use super::runner::{Fault, Registered};
use super::store::{Store, quoted};
use crate::host::{
    CacheScope, CacheUpdate, CacheValue, ConsoleLevel, Host, HttpBody, HttpRequest, HttpResponse, Pending,
    Refused, StateRead, StateWrite,
};

/// A line of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLine {
    /// Who wrote it, as the engine names it.
    pub module: String,
    /// How loud.
    pub level: ConsoleLevel,
    /// One line, without control characters.
    pub text: String,
}

/// A `fetch` that the test is to answer.
struct Asked {
    id: u32,
    /// `{id, method, url, fields}` as JSON text.
    head: String,
    body: Rc<[u8]>,
    is_told: bool,
    waker: Option<Waker>,
    answer: Option<Result<HttpResponse, Refused>>,
}

/// See the module's text.
#[derive(Default)]
pub struct World {
    pub(crate) clock: Rc<Clock>,
    pub(crate) store: RefCell<Store>,
    /// The store as the top level of the test file left it.
    baseline: RefCell<Store>,
    pub(crate) console: RefCell<Vec<ConsoleLine>>,
    /// Rejections that nobody handled.
    pub(crate) unhandled: RefCell<Vec<Fault>>,
    /// A test or a run answers `fetch`.
    pub(crate) serves_fetch: Cell<bool>,
    asked: RefCell<VecDeque<Asked>>,
    acceptor: RefCell<Option<Waker>>,
    last_fetch: Cell<u32>,
    /// The exchange that a run has open.
    pub(crate) exchange: RefCell<Option<Rc<MemoryExchange>>>,
    pub(crate) runs: Cell<u32>,
    pub(crate) tests: RefCell<Vec<Registered>>,
    /// Number of the test that runs.
    pub(crate) current: Cell<usize>,
    /// How it went wrong.
    pub(crate) fault: RefCell<Option<Fault>>,
    /// What a single run works on, as JSON text.
    pub(crate) input: RefCell<String>,
    /// What it found, as JSON text.
    pub(crate) report: RefCell<String>,
    pub(crate) default_cpu_ms: Cell<u32>,
    pub(crate) body_cap: Cell<usize>,
    pub(crate) aliases: RefCell<Vec<(String, String, String)>>,
}

impl World {
    /// Variables of the environment and secrets that a run begins with.
    pub fn lend(&self, secrets: &[(String, String)], env: &[(String, String)]) {
        let mut store = self.store.borrow_mut();
        store.secrets.extend(secrets.iter().cloned());
        store.env.extend(env.iter().cloned());
    }

    /// The top level of the test file has run: what it left is where every test begins.
    pub(crate) fn keep_baseline(&self) {
        *self.baseline.borrow_mut() = self.store.borrow().clone();
    }

    pub(crate) fn restore(&self) {
        *self.store.borrow_mut() = self.baseline.borrow().clone();
        self.clock.reset();
        self.console.borrow_mut().clear();
        self.unhandled.borrow_mut().clear();
        self.serves_fetch.set(false);
        self.asked.borrow_mut().clear();
        *self.acceptor.borrow_mut() = None;
        *self.exchange.borrow_mut() = None;
        *self.fault.borrow_mut() = None;
    }

    /// Resolves with the next `fetch` that waits for an answer, as JSON text.
    pub(crate) fn accept(self: &Rc<Self>) -> Pending<Result<String, Refused>> {
        let world = self.clone();
        Box::pin(poll_fn(move |cx| {
            let mut asked = world.asked.borrow_mut();
            match asked.iter_mut().find(|asked| !asked.is_told) {
                Some(next) => {
                    next.is_told = true;
                    Poll::Ready(Ok(next.head.clone()))
                }
                None => {
                    *world.acceptor.borrow_mut() = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }

    pub(crate) fn fetch_body(&self, id: u32) -> Option<Rc<[u8]>> {
        self.asked.borrow().iter().find(|asked| asked.id == id).map(|asked| asked.body.clone())
    }

    pub(crate) fn answer(&self, id: u32, answer: Result<HttpResponse, Refused>) {
        if let Some(asked) = self.asked.borrow_mut().iter_mut().find(|asked| asked.id == id) {
            asked.answer = Some(answer);
            if let Some(waker) = asked.waker.take() {
                waker.wake();
            }
        }
    }

    fn ask(&self, request: &HttpRequest, body: Rc<[u8]>) -> u32 {
        let id = self.last_fetch.get() + 1;
        self.last_fetch.set(id);
        let fields = request.fields.iter();
        let fields: Vec<String> =
            fields.map(|(name, value)| format!("[{},{}]", quoted(name), quoted(value))).collect();
        let head = format!(
            "{{\"id\":{id},\"method\":{},\"url\":{},\"fields\":[{}]}}",
            quoted(&request.method),
            quoted(&request.url),
            fields.join(",")
        );
        let asked = Asked { id, head, body, is_told: false, waker: None, answer: None };
        self.asked.borrow_mut().push_back(asked);
        if let Some(waker) = self.acceptor.borrow_mut().take() {
            waker.wake();
        }
        id
    }
}

/// The host of one runtime: the world, shared with what it hands out.
#[derive(Clone)]
pub(crate) struct KitHost(pub(crate) Rc<World>);

impl Host for KitHost {
    fn now_ms(&self) -> f64 {
        self.0.clock.wall_ms()
    }

    fn monotonic_ms(&self) -> f64 {
        self.0.clock.monotonic_ms() as f64
    }

    fn random(&self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            out.fill(0);
        }
    }

    fn sleep(&self, ms: u64) -> Pending<()> {
        self.0.clock.sleep(ms)
    }

    fn console(&self, module: &str, level: ConsoleLevel, text: &str) {
        let line = ConsoleLine { module: module.into(), level, text: text.into() };
        self.0.console.borrow_mut().push(line);
    }

    fn unhandled(&self, _: &str, text: &str, stack: &str) {
        self.0.unhandled.borrow_mut().push(Fault::new(text, stack));
    }

    fn read_state(&self, read: StateRead) -> Result<String, Refused> {
        Ok(self.0.store.borrow().read(&read))
    }

    fn write_state(&self, write: StateWrite) -> Pending<Result<String, Refused>> {
        let done = self.0.store.borrow_mut().write(write, self.0.clock.wall_ms());
        Box::pin(std::future::ready(done))
    }

    fn secret(&self, name: &str) -> Result<Option<String>, Refused> {
        Ok(self.0.store.borrow().secrets.get(name).cloned())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.0.store.borrow().env.get(name).cloned()
    }

    fn fetch(&self, request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        let world = self.0.clone();
        if !world.serves_fetch.get() {
            let (method, url) = (&request.method, &request.url);
            let why = format!("{method} {url} was not sent: no fakeFetch() answers requests here");
            return Box::pin(std::future::ready(Err(Refused(why))));
        }
        Box::pin(async move {
            let mut request = request;
            let body: Rc<[u8]> = match std::mem::replace(&mut request.body, HttpBody::Empty) {
                HttpBody::Empty => Rc::from(&[][..]),
                HttpBody::Whole(bytes) => bytes.into(),
                HttpBody::Stream(chunks) => collect(chunks).await?,
            };
            let id = world.ask(&request, body);
            poll_fn(|cx| {
                let mut asked = world.asked.borrow_mut();
                let Some(at) = asked.iter().position(|asked| asked.id == id) else {
                    return Poll::Ready(Err(Refused("the test is over".into())));
                };
                match asked[at].answer.take() {
                    Some(answer) => {
                        asked.remove(at);
                        Poll::Ready(answer)
                    }
                    None => {
                        asked[at].waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                }
            })
            .await
        })
    }

    fn cache_get(&self, key: &str) -> Option<CacheValue> {
        self.0.store.borrow().cached(key, self.0.clock.monotonic_ms())
    }

    fn cache_set(&self, key: &str, value: Option<CacheValue>, ttl_ms: Option<u64>) -> Result<(), Refused> {
        self.0.store.borrow_mut().cache(key, value, ttl_ms, self.0.clock.monotonic_ms());
        Ok(())
    }

    fn cache_update(
        &self,
        scope: CacheScope,
        key: &str,
        update: CacheUpdate,
    ) -> Pending<Result<Option<CacheValue>, Refused>> {
        // The cluster's store is another one: its keys cannot be those of a node.
        let key = if scope == CacheScope::Cluster { format!("\0{key}") } else { key.to_owned() };
        let done = self.0.store.borrow_mut().update(&key, update, self.0.clock.monotonic_ms());
        Box::pin(std::future::ready(done))
    }

    fn kit(&self) -> Option<Rc<World>> {
        Some(self.0.clone())
    }
}
