//! Host operations that a lease has in flight: bodies being collected, writes, sleeps. They are polled by the call
//! that is driven and by nobody else; clearing the list cancels them all.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::host::{CacheValue, Chunks, HttpResponse, Pending, Refused};

/// What is waited for.
pub(crate) enum Work {
    Sleep(Pending<()>),
    Write(Pending<Result<String, Refused>>),
    Body(Pending<Result<Rc<[u8]>, Refused>>),
    Fetch(Pending<Result<HttpResponse, Refused>>),
    /// The next piece of a body.
    Chunk(Rc<dyn Chunks>),
    /// A piece of a body on its way to the host.
    Piece(Pending<Result<(), Refused>>),
    Cached(Pending<Result<Option<CacheValue>, Refused>>),
}

/// What bounds an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Timer,
    Fetch,
    Other,
}

/// How it ended.
pub(crate) enum Settled {
    Nothing,
    /// JSON text.
    Json(String),
    Bytes(Rc<[u8]>),
    Response(HttpResponse),
    Chunk(Option<Vec<u8>>),
    Piece,
    Cached(Option<CacheValue>),
    Refused(Refused),
}

impl Settled {
    /// A piece of a body moved: the call gets its CPU time anew, so that a body of any length can be transformed.
    pub(crate) fn renews_budget(&self) -> bool {
        matches!(self, Settled::Chunk(_) | Settled::Piece)
    }
}

struct Operation {
    id: u32,
    kind: Kind,
    work: Work,
    /// Where it was started; see [`crate::stack::joined`].
    origin: String,
}

/// An operation that has ended.
pub(crate) struct Done {
    pub(crate) id: u32,
    pub(crate) settled: Settled,
    pub(crate) origin: String,
}

/// The list, in the order of starting.
#[derive(Default)]
pub(crate) struct Operations {
    last_id: u32,
    running: Vec<Operation>,
}

impl Operations {
    /// How many of a kind are in flight.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.running.iter().filter(|o| o.kind == kind).count()
    }

    /// Takes up an operation and gives its id.
    pub(crate) fn start(&mut self, kind: Kind, work: Work, origin: String) -> u32 {
        self.last_id = self.last_id.wrapping_add(1) & 0x3fff_ffff;
        self.running.push(Operation { id: self.last_id, kind, work, origin });
        self.last_id
    }

    /// Cancels one; ids that are not there are nobody's business.
    pub(crate) fn cancel(&mut self, id: u32) {
        self.running.retain(|o| o.id != id);
    }

    /// Cancels all. True if there were any.
    pub(crate) fn clear(&mut self) -> bool {
        let any = !self.running.is_empty();
        self.running.clear();
        any
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Polls all; takes out and gives those that are done.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Vec<Done> {
        let mut done = Vec::new();
        self.running.retain_mut(|operation| {
            let settled = match &mut operation.work {
                Work::Sleep(future) => future.as_mut().poll(cx).map(|()| Settled::Nothing),
                Work::Write(future) => {
                    future.as_mut().poll(cx).map(|r| r.map_or_else(Settled::Refused, Settled::Json))
                }
                Work::Body(future) => {
                    future.as_mut().poll(cx).map(|r| r.map_or_else(Settled::Refused, Settled::Bytes))
                }
                Work::Fetch(future) => {
                    future.as_mut().poll(cx).map(|r| r.map_or_else(Settled::Refused, Settled::Response))
                }
                Work::Chunk(chunks) => {
                    chunks.poll_next(cx).map(|r| r.map_or_else(Settled::Refused, Settled::Chunk))
                }
                Work::Piece(future) => {
                    future.as_mut().poll(cx).map(|r| r.map_or_else(Settled::Refused, |()| Settled::Piece))
                }
                Work::Cached(future) => {
                    future.as_mut().poll(cx).map(|r| r.map_or_else(Settled::Refused, Settled::Cached))
                }
            };
            match settled {
                Poll::Ready(settled) => {
                    let origin = std::mem::take(&mut operation.origin);
                    done.push(Done { id: operation.id, settled, origin });
                    false
                }
                Poll::Pending => true,
            }
        });
        done
    }
}
