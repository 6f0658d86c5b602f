//! Bodies in pieces and answers to `fetch`, for the tests: nothing is sent anywhere, and who waits is polled again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tidegate_js::{Answer, Chunks, Failure, HttpBody, HttpRequest, HttpResponse, Lease, Pending, Refused};

use crate::harness::Shared;

/// A body that comes in these pieces; after `fails` it breaks off.
pub(crate) struct Pieces {
    left: RefCell<VecDeque<Vec<u8>>>,
    fails: bool,
    /// How many have been taken.
    pub(crate) taken: Cell<usize>,
}

impl Pieces {
    pub(crate) fn of(pieces: &[&str], fails: bool) -> Rc<Pieces> {
        let left = pieces.iter().map(|p| p.as_bytes().to_vec()).collect();
        Rc::new(Pieces { left: RefCell::new(left), fails, taken: Cell::new(0) })
    }
}

impl Chunks for Pieces {
    fn poll_next(&self, _: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        Poll::Ready(match self.left.borrow_mut().pop_front() {
            Some(piece) => {
                self.taken.set(self.taken.get() + 1);
                Ok(Some(piece))
            }
            None if self.fails => Err(Refused("the connection broke".into())),
            None => Ok(None),
        })
    }
}

/// What the far end answers.
pub(crate) enum Far {
    /// Status, fields, body in pieces.
    Answers(u16, Vec<(&'static str, &'static str)>, Rc<Pieces>),
    /// Nothing can be reached.
    Fails(&'static str),
    /// It never answers.
    Hangs,
}

/// The far end of every `fetch` of a test: answers in their order, and what was asked.
#[derive(Default)]
pub(crate) struct Net {
    pub(crate) answers: RefCell<VecDeque<Far>>,
    /// `METHOD url name=value,… body`
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Net {
    pub(crate) fn serve(self: Rc<Self>, request: HttpRequest) -> Pending<Result<HttpResponse, Refused>> {
        let fields: Vec<String> = request.fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let head = format!("{} {} {}", request.method, request.url, fields.join(","));
        let mut body = Vec::new();
        let mut source = request.body;
        let mut far = self.answers.borrow_mut().pop_front();
        Box::pin(poll_fn(move |cx| {
            let whole = match &mut source {
                HttpBody::Empty => true,
                HttpBody::Whole(bytes) => {
                    body = std::mem::take(bytes);
                    true
                }
                HttpBody::Stream(chunks) => loop {
                    match chunks.poll_next(cx) {
                        Poll::Ready(Ok(Some(piece))) => body.extend(piece),
                        Poll::Ready(Ok(None)) => break true,
                        Poll::Ready(Err(refused)) => return Poll::Ready(Err(refused)),
                        Poll::Pending => break false,
                    }
                },
            };
            if !whole {
                return Poll::Pending;
            }
            source = HttpBody::Empty;
            if matches!(far, Some(Far::Hangs)) {
                return Poll::Pending;
            }
            self.asked.borrow_mut().push(format!("{head} {}", String::from_utf8_lossy(&body)));
            Poll::Ready(match far.take() {
                Some(Far::Answers(status, fields, body)) => Ok(HttpResponse {
                    status,
                    reason: "Fine".into(),
                    fields: fields
                        .iter()
                        .map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()))
                        .collect(),
                    body,
                }),
                Some(Far::Fails(why)) => Err(Refused(why.into())),
                _ => Err(Refused("nobody answers".into())),
            })
        }))
    }
}

/// Reads a body that a lease still writes, to its end: its text, and how the lease's pump ended.
pub(crate) fn deliver(
    host: &Shared,
    lease: &mut Lease,
    body: &Rc<dyn Chunks>,
) -> (Result<String, Refused>, Result<Answer, Failure>) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut text, mut ended, mut pumped) = (String::new(), None, None);
    let mut pump = Box::pin(lease.pump());
    for _ in 0..10_000 {
        if pumped.is_none()
            && let Poll::Ready(result) = std::future::Future::poll(pump.as_mut(), &mut cx)
        {
            pumped = Some(result);
        }
        if ended.is_none() {
            match body.poll_next(&mut cx) {
                Poll::Ready(Ok(Some(piece))) => {
                    text.push_str(&format!("{}|", String::from_utf8_lossy(&piece)))
                }
                Poll::Ready(Ok(None)) => ended = Some(Ok(())),
                Poll::Ready(Err(refused)) => ended = Some(Err(refused)),
                Poll::Pending => {}
            }
        }
        if let (Some(ended), true) = (&ended, pumped.is_some()) {
            return (ended.clone().map(|()| text), pumped.unwrap_or(Ok(Answer::Nothing)));
        }
        host.0.advance(1);
    }
    panic!("the body never ends");
}
