//! Bodies in memory: pieces that are all there, what became of a message's body, and collecting one that a module still
//! writes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::host::{Chunks, Pending, Refused};

/// A body whose pieces are there already.
pub(crate) struct Pieces(RefCell<VecDeque<Vec<u8>>>);

impl Pieces {
    pub(crate) fn of(pieces: Vec<Vec<u8>>) -> Rc<dyn Chunks> {
        Rc::new(Pieces(RefCell::new(pieces.into_iter().filter(|piece| !piece.is_empty()).collect())))
    }
}

impl Chunks for Pieces {
    fn poll_next(&self, _: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        Poll::Ready(Ok(self.0.borrow_mut().pop_front()))
    }
}

/// Reads a body to its end.
pub(crate) fn collect(chunks: Rc<dyn Chunks>) -> Pending<Result<Rc<[u8]>, Refused>> {
    Box::pin(async move {
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|cx| chunks.poll_next(cx)).await? {
            bytes.extend(piece);
        }
        Ok(bytes.into())
    })
}

/// The body of one message, as far as it has come.
pub(crate) enum Body {
    /// As it arrived.
    Arrived(Vec<Vec<u8>>),
    /// The module took it as a stream.
    Taken,
    /// Whole: collected or written by the module.
    Whole(Rc<[u8]>),
    /// Still written by the module.
    Coming(Rc<dyn Chunks>),
}

impl Default for Body {
    fn default() -> Self {
        Body::Arrived(Vec::new())
    }
}

impl Body {
    /// Length, if the whole body is there.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Body::Arrived(pieces) => Some(pieces.iter().map(|piece| piece.len() as u64).sum()),
            Body::Whole(bytes) => Some(bytes.len() as u64),
            Body::Taken | Body::Coming(_) => None,
        }
    }

    /// Collects it as a module does, under a cap.
    pub(crate) fn read(&mut self, cap: usize) -> Result<Rc<[u8]>, Refused> {
        match self {
            Body::Arrived(pieces) => {
                let bytes: Rc<[u8]> = pieces.concat().into();
                if bytes.len() > cap {
                    return Err(Refused(format!(
                        "the body is larger than the {cap} bytes a module may collect"
                    )));
                }
                *self = Body::Whole(bytes.clone());
                Ok(bytes)
            }
            Body::Whole(bytes) => Ok(bytes.clone()),
            Body::Taken | Body::Coming(_) => Err(Refused("the body was taken as a stream already".into())),
        }
    }

    /// Gives it away as a stream.
    pub(crate) fn stream(&mut self) -> Result<Rc<dyn Chunks>, Refused> {
        match std::mem::replace(self, Body::Taken) {
            Body::Arrived(pieces) => Ok(Pieces::of(pieces)),
            Body::Whole(bytes) => Ok(Pieces::of(vec![bytes.to_vec()])),
            Body::Coming(chunks) => Ok(chunks),
            Body::Taken => Err(Refused("the body was taken as a stream already".into())),
        }
    }
}
