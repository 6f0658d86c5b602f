//! A body that JavaScript writes piece by piece and the host takes: one piece at a time is under way, so that whoever
//! writes waits for whoever reads. Nothing is queued here.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::host::{Chunks, Pending, Refused};

/// The two ends share this.
#[derive(Default)]
pub(crate) struct Pipe {
    state: RefCell<State>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    /// The reading end is gone.
    is_dropped: Cell<bool>,
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Full(Vec<u8>),
    Ended,
    Failed(String),
}

/// The reading end, for the host.
struct PipeEnd(Rc<Pipe>);

impl Pipe {
    /// The end the host reads from.
    pub(crate) fn reader(self: &Rc<Pipe>) -> Rc<dyn Chunks> {
        Rc::new(PipeEnd(self.clone()))
    }

    /// Resolves when the piece was taken.
    pub(crate) fn write(self: &Rc<Pipe>, bytes: Vec<u8>) -> Pending<Result<(), Refused>> {
        let (pipe, mut bytes) = (self.clone(), Some(bytes));
        Box::pin(poll_fn(move |cx| {
            if pipe.is_dropped.get() {
                return Poll::Ready(Err(Refused("nobody reads this body any more".into())));
            }
            let mut state = pipe.state.borrow_mut();
            match (&*state, bytes.take()) {
                (State::Ended | State::Failed(_), _) => {
                    return Poll::Ready(Err(Refused("the body has ended already".into())));
                }
                (_, Some(piece)) if piece.is_empty() => return Poll::Ready(Ok(())),
                (State::Empty, Some(piece)) => {
                    *state = State::Full(piece);
                    wake(&pipe.reader);
                }
                (State::Full(_), Some(piece)) => bytes = Some(piece),
                (State::Full(_), None) => {}
                (State::Empty, None) => return Poll::Ready(Ok(())),
            }
            *pipe.writer.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    /// Ends the body. A piece that was not taken is lost: whoever ends waits for the last write first.
    pub(crate) fn end(&self, failure: Option<String>) {
        if !matches!(*self.state.borrow(), State::Ended | State::Failed(_)) {
            *self.state.borrow_mut() = failure.map_or(State::Ended, State::Failed);
            wake(&self.reader);
            wake(&self.writer);
        }
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.borrow_mut().take() {
        waker.wake();
    }
}

impl Chunks for PipeEnd {
    fn is_written_by_modules(&self) -> bool {
        true
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        let Self(pipe) = self;
        let mut state = pipe.state.borrow_mut();
        match &mut *state {
            State::Ended => return Poll::Ready(Ok(None)),
            State::Failed(why) => return Poll::Ready(Err(Refused(why.clone()))),
            State::Full(piece) => {
                let piece = std::mem::take(piece);
                *state = State::Empty;
                wake(&pipe.writer);
                return Poll::Ready(Ok(Some(piece)));
            }
            State::Empty => {}
        }
        *pipe.reader.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.0.is_dropped.set(true);
        wake(&self.0.writer);
    }
}
