//! The host of the suite: a clock that runs only while somebody waits, files of the suite as the answers of `fetch`,
//! and an exchange that nobody looks at.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tidegate_js::{
    Chunks, ConsoleLevel, Described, Exchange, Host, HttpRequest, HttpResponse, Pending, Refused,
    RequestPart, Side, StateRead, StateWrite,
};

#[derive(Clone)]
pub(crate) struct SuiteHost {
    pub(crate) root: PathBuf,
    /// Served as `/urlpatterntestdata.json`.
    pub(crate) patterns: Option<PathBuf>,
    clock: Rc<Cell<u64>>,
    seed: Rc<Cell<u8>>,
    due: Rc<RefCell<Vec<u64>>>,
}

impl SuiteHost {
    pub(crate) fn new(root: PathBuf, patterns: Option<PathBuf>) -> SuiteHost {
        SuiteHost { root, patterns, clock: Rc::new(Cell::new(1000)), seed: Rc::default(), due: Rc::default() }
    }

    /// Drives a future; when it waits, the clock jumps to the next timer.
    pub(crate) fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = Box::pin(future);
        for _ in 0..5_000_000 {
            self.due.borrow_mut().clear();
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
            let next = self.due.borrow().iter().min().copied();
            self.clock.set(next.unwrap_or(self.clock.get() + 1));
        }
        panic!("it waits for ever");
    }
}

/// A file in one piece.
struct File(RefCell<Option<Vec<u8>>>);

impl Chunks for File {
    fn poll_next(&self, _: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        Poll::Ready(Ok(self.0.borrow_mut().take().filter(|bytes| !bytes.is_empty())))
    }
}

impl Host for SuiteHost {
    fn now_ms(&self) -> f64 {
        1_700_000_000_000.0 + self.clock.get() as f64
    }
    fn monotonic_ms(&self) -> f64 {
        self.clock.get() as f64
    }
    fn random(&self, out: &mut [u8]) {
        for b in out {
            self.seed.set(self.seed.get().wrapping_add(37));
            *b = self.seed.get();
        }
    }
    fn sleep(&self, ms: u64) -> Pending<()> {
        let (host, at) = (self.clone(), self.clock.get() + ms);
        // Even a timer of nothing waits a turn.
        let mut first = true;
        Box::pin(poll_fn(move |_| {
            if !std::mem::take(&mut first) && host.clock.get() >= at {
                return Poll::Ready(());
            }
            host.due.borrow_mut().push(at);
            Poll::Pending
        }))
    }
    fn console(&self, _: &str, _: ConsoleLevel, text: &str) {
        if std::env::var_os("TIDEGATE_WPT_CONSOLE").is_some() {
            eprintln!("{text}");
        }
    }
    fn read_state(&self, _: StateRead) -> Result<String, Refused> {
        Ok("null".into())
    }
    fn write_state(&self, _: StateWrite) -> Pending<Result<String, Refused>> {
        Box::pin(std::future::ready(Ok("null".into())))
    }
    fn fetch(&self, request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        let path = request.url.strip_prefix("http://suite.test/").unwrap_or_default();
        let file = match (path, &self.patterns) {
            ("urlpatterntestdata.json", Some(file)) => file.clone(),
            _ => self.root.join(path),
        };
        let read = std::fs::read(&file).map_err(|e| Refused(format!("{}: {e}", file.display())));
        let answer = read.map(|bytes| HttpResponse {
            status: 200,
            reason: "OK".into(),
            fields: vec![(b"Content-Type".to_vec(), b"application/octet-stream".to_vec())],
            body: Rc::new(File(RefCell::new(Some(bytes)))),
        });
        Box::pin(std::future::ready(answer))
    }
}

pub(crate) struct Nobody;

impl Exchange for Nobody {
    fn id(&self) -> String {
        "1".into()
    }
    fn describe(&self, _: Described) -> Option<Rc<str>> {
        None
    }
    fn path_params(&self, _: &mut dyn FnMut(&str, &str)) {}
    fn field(&self, _: Side, _: &str, _: &mut dyn FnMut(&[u8])) {}
    fn fields(&self, _: Side, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn set_field(&self, _: Side, _: &str, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn add_field(&self, _: Side, _: &str, _: &[u8]) -> Result<(), Refused> {
        Ok(())
    }
    fn remove_field(&self, _: Side, _: &str) -> Result<bool, Refused> {
        Ok(false)
    }
    fn request_part(&self, _: RequestPart) -> String {
        String::new()
    }
    fn set_request_part(&self, _: RequestPart, _: &str) -> Result<(), Refused> {
        Ok(())
    }
    fn status(&self, _: Side) -> u16 {
        200
    }
    fn set_status(&self, _: Side, _: u16) -> Result<(), Refused> {
        Ok(())
    }
    fn upstream_protocol(&self) -> String {
        String::new()
    }
    fn trailers(&self, _: &mut dyn FnMut(&[u8], &[u8])) {}
    fn content_length(&self, _: Side) -> Option<u64> {
        None
    }
    fn read_body(&self, _: Side) -> Pending<Result<Rc<[u8]>, Refused>> {
        Box::pin(std::future::ready(Ok(Rc::from(&b""[..]))))
    }
    fn write_body(&self, _: Side, _: Vec<u8>) -> Result<(), Refused> {
        Ok(())
    }
    fn end_response(&self) -> Result<(), Refused> {
        Ok(())
    }
    fn response_ended(&self) -> bool {
        false
    }
}
