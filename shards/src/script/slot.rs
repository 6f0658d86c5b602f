//! A body that a module may ask for, whole or in pieces: nothing is read until it does, then the exchange reads for it.
//! It also holds what a module wrote instead.

use crate::body::Body;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tidegate_codec::Fields;
use tidegate_js::{Chunks, Pending, Refused};

#[derive(Default)]
enum State {
    /// Nobody asked.
    #[default]
    Untouched,
    /// A module waits for all of it.
    Wanted(Vec<Waker>),
    /// Here.
    Collected(Rc<[u8]>),
    /// A module waits for its next piece.
    PieceWanted(Waker),
    /// The piece, or the end, that it gets next.
    Piece(Option<Vec<u8>>),
    /// Pieces were given and none is wanted at the moment; the flag says that the last one was.
    Given(bool),
    /// It cannot be had: this is why.
    Refused(String),
}

/// What a module wrote in place of a body.
#[derive(Clone)]
pub enum Written {
    /// All of it.
    Whole(Rc<[u8]>),
    /// It is still to come.
    Pieces(Rc<dyn Chunks>),
}

/// The slot.
#[derive(Default)]
pub struct BodySlot {
    state: RefCell<State>,
    written: RefCell<Option<Written>>,
    trailers: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Where reading in pieces stands.
    partial: RefCell<Option<Body>>,
    is_taken: Cell<bool>,
    is_lost: Cell<bool>,
    is_of_upstream: Cell<bool>,
    is_broken: Cell<bool>,
}

/// What became of a body.
pub enum Outcome {
    /// Nobody touched it: it is still on the wire.
    Untouched,
    /// It is here whole: collected and left as it was, or written anew.
    Whole(Rc<[u8]>),
    /// A module writes another one, piece by piece.
    Pieces(Rc<dyn Chunks>),
    /// A module read from it and wrote nothing in its place.
    Lost,
}

/// What a module waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The whole body.
    Whole,
    /// The next piece.
    Piece,
}

/// The body as a module streams it.
struct Stream {
    slot: Rc<BodySlot>,
    /// What stood here already when the stream was asked for.
    early: RefCell<Option<Rc<[u8]>>>,
    is_early: bool,
}

impl Chunks for Stream {
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        if self.is_early {
            let bytes = self.early.borrow_mut().take().filter(|bytes| !bytes.is_empty());
            return Poll::Ready(Ok(bytes.map(|bytes| bytes.to_vec())));
        }
        let mut state = self.slot.state.borrow_mut();
        match &mut *state {
            State::Refused(why) => Poll::Ready(Err(Refused(why.clone()))),
            State::Given(true) => Poll::Ready(Ok(None)),
            State::Piece(piece) => {
                let piece = piece.take();
                *state = State::Given(piece.is_none());
                Poll::Ready(Ok(piece))
            }
            State::Untouched | State::Given(false) | State::PieceWanted(_) => {
                *state = State::PieceWanted(context.waker().clone());
                Poll::Pending
            }
            State::Wanted(_) | State::Collected(_) => {
                Poll::Ready(Err(Refused("the body was read already".into())))
            }
        }
    }
}

impl BodySlot {
    /// Resolves with the body once the exchange has collected it.
    pub fn wait(self: Rc<Self>) -> Pending<Result<Rc<[u8]>, Refused>> {
        Box::pin(poll_fn(move |context| {
            match &*self.written.borrow() {
                Some(Written::Whole(written)) => return Poll::Ready(Ok(written.clone())),
                Some(Written::Pieces(_)) => {
                    return Poll::Ready(Err(Refused(
                        "a module writes this body piece by piece: stream it".into(),
                    )));
                }
                None => {}
            }
            let mut state = self.state.borrow_mut();
            match &mut *state {
                State::Collected(body) => return Poll::Ready(Ok(body.clone())),
                State::Refused(why) => return Poll::Ready(Err(Refused(why.clone()))),
                State::Wanted(wakers) => wakers.push(context.waker().clone()),
                State::Untouched if !self.is_taken.get() => {
                    *state = State::Wanted(vec![context.waker().clone()])
                }
                _ => return Poll::Ready(Err(Refused("the body was taken as a stream already".into()))),
            }
            Poll::Pending
        }))
    }

    /// The body in pieces; a module can have that once.
    pub fn stream(self: &Rc<Self>) -> Result<Rc<dyn Chunks>, Refused> {
        let written = self.written.borrow().clone();
        let early = match (written, &*self.state.borrow()) {
            (Some(Written::Pieces(pieces)), _) => {
                self.written.take();
                // Unless the module writes something in its place, it is lost now.
                self.is_lost.set(true);
                return Ok(pieces);
            }
            (Some(Written::Whole(bytes)), _) => Some(bytes),
            (None, State::Collected(bytes)) => Some(bytes.clone()),
            (None, State::Refused(why)) => return Err(Refused(why.clone())),
            (None, _) if self.is_taken.get() => {
                return Err(Refused("the body was taken as a stream already".into()));
            }
            (None, _) => None,
        };
        self.is_taken.set(true);
        Ok(Rc::new(Stream { slot: self.clone(), is_early: early.is_some(), early: RefCell::new(early) }))
    }

    /// Whose fault it is when the body breaks: from now on the upstream's.
    pub fn set_of_upstream(&self) {
        self.is_of_upstream.set(true);
    }

    /// Whether it is the upstream's body.
    pub fn is_of_upstream(&self) -> bool {
        self.is_of_upstream.get()
    }

    /// Bytes of the body were taken off the wire and are lost: nobody can send it any more.
    pub fn set_broken(&self) {
        self.is_broken.set(true);
    }

    /// Whether what would go on is a body that lost bytes, and that no module replaced.
    pub fn is_broken(&self) -> bool {
        self.is_broken.get() && self.written.borrow().is_none()
    }

    /// What a module waits for.
    pub fn wanted(&self) -> Option<Want> {
        match *self.state.borrow() {
            State::Wanted(_) => Some(Want::Whole),
            State::PieceWanted(_) => Some(Want::Piece),
            _ => None,
        }
    }

    /// Hands the body (or why not) to whoever waits.
    pub fn fulfil(&self, body: Result<Vec<u8>, String>) {
        let next = match body {
            Ok(bytes) => State::Collected(bytes.into()),
            Err(why) => State::Refused(why),
        };
        match self.state.replace(next) {
            State::Wanted(wakers) => wakers.into_iter().for_each(Waker::wake),
            State::PieceWanted(waker) => waker.wake(),
            _ => {}
        }
    }

    /// Hands the next piece, or the end, to whoever waits for it.
    pub fn give(&self, piece: Option<Vec<u8>>) {
        if let State::PieceWanted(waker) = self.state.replace(State::Piece(piece)) {
            waker.wake();
        }
    }

    /// Where reading in pieces stands; to be put back with [`BodySlot::keep_partial`].
    pub fn take_partial(&self) -> Option<Body> {
        self.partial.borrow_mut().take()
    }

    /// See [`BodySlot::take_partial`].
    pub fn keep_partial(&self, body: Body) {
        *self.partial.borrow_mut() = Some(body);
    }

    /// From now on the body cannot be had, unless it is here already.
    pub fn refuse_untouched(&self, why: &str) {
        if !matches!(*self.state.borrow(), State::Collected(_)) {
            self.fulfil(Err(why.into()));
        }
    }

    /// Keeps the trailers that came with the body.
    pub fn keep_trailers(&self, fields: &Fields) {
        *self.trailers.borrow_mut() =
            fields.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
    }

    /// The trailers.
    pub fn trailers(&self, each: &mut dyn FnMut(&[u8], &[u8])) {
        self.trailers.borrow().iter().for_each(|(name, value)| each(name, value));
    }

    /// A module replaces the body.
    pub fn write(&self, body: Written) {
        *self.written.borrow_mut() = Some(body);
    }

    /// The length, if the body is here.
    pub fn known_length(&self) -> Option<u64> {
        if let Some(Written::Whole(written)) = &*self.written.borrow() {
            return Some(written.len() as u64);
        }
        match &*self.state.borrow() {
            State::Collected(body) => Some(body.len() as u64),
            _ => None,
        }
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        match (&*self.written.borrow(), &*self.state.borrow()) {
            (Some(Written::Whole(written)), _) => Outcome::Whole(written.clone()),
            (Some(Written::Pieces(pieces)), _) => Outcome::Pieces(pieces.clone()),
            (None, _) if self.is_lost.get() => Outcome::Lost,
            (None, State::Collected(body)) => Outcome::Whole(body.clone()),
            (None, State::PieceWanted(_) | State::Piece(_) | State::Given(_)) => Outcome::Lost,
            (None, State::Untouched | State::Wanted(_) | State::Refused(_)) => Outcome::Untouched,
        }
    }

    /// The exchange is over.
    pub fn close(&self) {
        if self.wanted().is_some() {
            self.fulfil(Err("the request is over".into()));
        } else {
            self.state.take();
        }
        self.written.take();
        self.partial.take();
    }
}
