//! `fetch` against servers on loopback, on both drivers: what goes out, what comes back, and what is left behind.

mod bodies;
mod refusals;
mod sealed;
mod server;
mod troubles;

use super::Fetcher;
use crate::limits::Limits;
use crate::names::Names;
use crate::surroundings::Surroundings;
use server::Server;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_js::{Chunks, HttpBody, HttpRequest, HttpResponse, Refused};
use tidegate_mailbox::QueueReader;
use tidegate_reactor::{Driver, RingOptions, probe, run, sleep};
use tidegate_snapshot::ToAdmin;

/// Longer than anything takes that works.
const DEADLINE: Duration = Duration::from_secs(20);

/// A fetcher, and the admin's end of its mailbox.
struct Bench {
    fetcher: Rc<Fetcher>,
    asked: RefCell<QueueReader<ToAdmin>>,
}

fn bench(limits: Limits, around: Surroundings) -> Bench {
    let (admin, asked) = tidegate_mailbox::queue(64, Arc::new(|| {}));
    let fetcher = Rc::new(Fetcher {
        limits,
        counters: Rc::default(),
        pool: Rc::default(),
        names: Rc::new(Names::new(admin, 0)),
        tls: crate::secure::client_config(&around.roots).expect("TLS"),
        around: Arc::new(around),
    });
    Bench { fetcher, asked: RefCell::new(asked) }
}

/// Runs a test on every driver that this machine has.
fn on_each_driver(test: impl AsyncFn(Bench)) {
    on_each_driver_with(|_| (), Surroundings::default, test);
}

fn on_each_driver_with(
    limit: impl Fn(&mut Limits),
    around: impl Fn() -> Surroundings,
    test: impl AsyncFn(Bench),
) {
    let ring = RingOptions { entries: 256, ..RingOptions::default() };
    let has_ring = probe(ring).is_ok();
    for driver in [Driver::IoUring, Driver::Epoll] {
        if driver == Driver::Epoll || has_ring {
            let mut limits = Limits::default();
            limit(&mut limits);
            let bench = bench(limits, around());
            run(driver, ring, test(bench)).expect("the driver runs");
        }
    }
}

fn request(method: &str, url: String) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        url,
        fields: Vec::new(),
        body: HttpBody::Empty,
        timeout_ms: Some(DEADLINE.as_millis() as u64),
        allow_private: true,
    }
}

impl Bench {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, String> {
        self.fetcher.clone().fetch(request).await.map_err(|Refused(why)| why)
    }

    async fn get(&self, server: &Server, path: &str) -> Result<HttpResponse, String> {
        self.fetch(request("GET", server.url(path))).await
    }

    /// Status and whole body, or why not.
    async fn text(&self, request: HttpRequest) -> Result<String, String> {
        let response = self.fetch(request).await?;
        let body = rest(&*response.body).await?;
        Ok(format!("{} {}", response.status, String::from_utf8_lossy(&body)))
    }

    /// The admin's part: answers questions for as long as it is polled, and counts them.
    async fn resolving(&self, questions: &Cell<u32>, table: &[(String, Vec<SocketAddr>)]) {
        loop {
            while let Some(ToAdmin::Resolve { ticket, host, .. }) = self.asked.borrow_mut().take() {
                questions.set(questions.get() + 1);
                let found = table.iter().find(|(name, _)| *name == host).map(|(_, found)| found.clone());
                self.fetcher.names.answer(ticket, found.ok_or_else(|| "no such host".into()));
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn must_be_idle(&self) {
        // What was let go of is dropped by its own task, one turn later.
        for _ in 0..2_000 {
            if self.fetcher.counters.fetch_open.get() == 0 {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("{} fetches are still open", self.fetcher.counters.fetch_open.get());
    }
}

async fn next(body: &dyn Chunks) -> Result<Option<Vec<u8>>, String> {
    poll_fn(|context| body.poll_next(context)).await.map_err(|Refused(why)| why)
}

async fn rest(body: &dyn Chunks) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    while let Some(piece) = next(body).await? {
        assert!(!piece.is_empty(), "an empty piece");
        all.extend(piece);
    }
    assert_eq!(next(body).await, Ok(None), "the end stays the answer");
    Ok(all)
}

/// A body of pieces, perhaps with a break at its end.
struct Pieces {
    left: Cell<u32>,
    piece: &'static [u8],
    breaks: bool,
    given: Cell<bool>,
}

impl Pieces {
    fn new(count: u32, piece: &'static [u8], breaks: bool) -> Rc<Self> {
        Rc::new(Self { left: Cell::new(count), piece, breaks, given: Cell::new(false) })
    }
}

impl Chunks for Pieces {
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        // Every other time it is not ready yet.
        if !self.given.replace(!self.given.get()) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(match self.left.get() {
            0 if self.breaks => Err(Refused("the pen broke".into())),
            0 => Ok(None),
            left => {
                self.left.set(left - 1);
                Ok(Some(self.piece.to_vec()))
            }
        })
    }
}
