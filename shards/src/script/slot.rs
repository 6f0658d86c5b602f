//! A body that a module may ask for: nothing is read until it does, then the exchange collects it, once, under a cap.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use tidegate_codec::Fields;
use tidegate_js::{Pending, Refused};

#[derive(Default)]
enum State {
    /// Nobody asked.
    #[default]
    Untouched,
    /// A module waits for it.
    Wanted(Vec<Waker>),
    /// Here.
    Collected(Rc<[u8]>),
    /// It cannot be had: this is why.
    Refused(String),
}

/// The slot.
#[derive(Default)]
pub struct BodySlot {
    state: RefCell<State>,
    written: RefCell<Option<Rc<[u8]>>>,
    trailers: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    is_of_upstream: Cell<bool>,
    is_broken: Cell<bool>,
}

/// What became of a body.
pub enum Outcome {
    /// Nobody touched it: it is still on the wire.
    Untouched,
    /// A module read it and left it as it was.
    Collected(Rc<[u8]>),
    /// A module wrote another one.
    Written(Rc<[u8]>),
}

impl BodySlot {
    /// Resolves with the body once the exchange has collected it.
    pub fn wait(self: Rc<Self>) -> Pending<Result<Rc<[u8]>, Refused>> {
        Box::pin(poll_fn(move |context| {
            if let Some(written) = &*self.written.borrow() {
                return Poll::Ready(Ok(written.clone()));
            }
            let mut state = self.state.borrow_mut();
            match &mut *state {
                State::Collected(body) => return Poll::Ready(Ok(body.clone())),
                State::Refused(why) => return Poll::Ready(Err(Refused(why.clone()))),
                State::Wanted(wakers) => wakers.push(context.waker().clone()),
                State::Untouched => *state = State::Wanted(vec![context.waker().clone()]),
            }
            Poll::Pending
        }))
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

    /// Whether a module waits for the body.
    pub fn is_wanted(&self) -> bool {
        matches!(*self.state.borrow(), State::Wanted(_))
    }

    /// Hands the body (or why not) to whoever waits.
    pub fn fulfil(&self, body: Result<Vec<u8>, String>) {
        let next = match body {
            Ok(bytes) => State::Collected(bytes.into()),
            Err(why) => State::Refused(why),
        };
        if let State::Wanted(wakers) = self.state.replace(next) {
            wakers.into_iter().for_each(Waker::wake);
        }
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
    pub fn write(&self, body: Vec<u8>) {
        *self.written.borrow_mut() = Some(body.into());
    }

    /// The length, if the body is here.
    pub fn known_length(&self) -> Option<u64> {
        if let Some(written) = &*self.written.borrow() {
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
            (Some(written), _) => Outcome::Written(written.clone()),
            (None, State::Collected(body)) => Outcome::Collected(body.clone()),
            (None, _) => Outcome::Untouched,
        }
    }

    /// The exchange is over.
    pub fn close(&self) {
        if self.is_wanted() {
            self.fulfil(Err("the request is over".into()));
        } else {
            self.state.take();
        }
        self.written.take();
    }
}
