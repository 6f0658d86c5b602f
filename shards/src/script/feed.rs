//! A body that modules write piece by piece, as whoever sends it asks for it: their code is driven here, and what it reads
//! meanwhile is read for it.

use super::Trouble;
use super::host::Running;
use super::run::told;
use super::scripted::Scripted;
use super::slot::{BodySlot, Want};
use super::source::{Source, too_large};
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tidegate_js::{Answer, Call, Cause, Chunks, Failure, Function};
use tidegate_snapshot::Script;

/// The writing end of a streamed body, with everything that must run for it.
pub struct Feed<'a> {
    /// Calls that still write something.
    pub(super) pumps: Vec<Pump<'a>>,
    /// What they write, at the end of the chain.
    pub(super) pieces: Rc<dyn Chunks>,
    /// The bodies that they may read.
    pub(super) view: Rc<Scripted>,
    /// Told whose code runs.
    pub(super) running: &'a Running,
    /// Largest body that may be collected meanwhile.
    pub(super) cap: u64,
}

/// One module that still writes something.
pub(super) struct Pump<'a> {
    pub(super) call: Pin<Box<Call<'a>>>,
    pub(super) script: &'a Script,
    /// The function that left the work behind.
    pub(super) function: Option<Function>,
}

impl Pump<'_> {
    fn poll(
        &mut self,
        running: &Running,
        view: &Rc<Scripted>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Answer, Failure>> {
        let call = &mut self.call;
        match self.function {
            Some(function) => running.during(function, view, || call.as_mut().poll(context)),
            None => call.as_mut().poll(context),
        }
    }
}

enum Step {
    Piece(Option<Vec<u8>>),
    Wanted(Rc<BodySlot>, Want),
}

impl Feed<'_> {
    /// The next piece; `None` is the end. `source` is the body on the wire that the modules read, the upstream's if it
    /// `is_of_upstream`.
    pub async fn next(
        &mut self,
        source: &mut Source<'_>,
        is_of_upstream: bool,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        loop {
            match poll_fn(|context| self.step(context)).await? {
                Step::Piece(piece) => return Ok(piece),
                Step::Wanted(slot, _) if slot.is_of_upstream() != is_of_upstream => {
                    slot.fulfil(Err("this body cannot be read any more".into()));
                }
                Step::Wanted(slot, Want::Whole) => match source.collect(self.cap, &slot).await {
                    Ok(body) => slot.fulfil(Ok(body)),
                    Err(crate::body::BodyFault::TooLarge) => slot.fulfil(Err(too_large(self.cap))),
                    Err(fault) if is_of_upstream => return Err(fault.of_response().into()),
                    Err(fault) => return Err(fault.of_request().into()),
                },
                Step::Wanted(slot, Want::Piece) => match source.piece(&slot).await {
                    Ok(piece) => slot.give(piece),
                    Err(fault) if is_of_upstream => return Err(fault.of_response().into()),
                    Err(fault) => return Err(fault.of_request().into()),
                },
            }
        }
    }

    /// Drives until there is a piece, or something to read.
    fn step(&mut self, context: &mut Context<'_>) -> Poll<Result<Step, Trouble>> {
        if let Poll::Ready(piece) = self.pieces.poll_next(context) {
            return Poll::Ready(piece.map(Step::Piece).map_err(|refused| thrown(refused.0)));
        }
        let mut failed = None;
        let (running, view) = (self.running, &self.view);
        self.pumps.retain_mut(|pump| match pump.poll(running, view, context) {
            Poll::Ready(Ok(Answer::Nothing | Answer::Text(_))) => false,
            Poll::Ready(Err(failure)) => {
                failed.get_or_insert_with(|| told(failure, pump.script, pump.function));
                false
            }
            Poll::Pending => true,
        });
        // What was written before a failure is worth no more than the failure.
        if let Some(failure) = failed {
            return Poll::Ready(Err(failure));
        }
        if let Poll::Ready(piece) = self.pieces.poll_next(context) {
            return Poll::Ready(piece.map(Step::Piece).map_err(|refused| thrown(refused.0)));
        }
        for slot in [&self.view.upstream_body, &self.view.request_body] {
            if let Some(want) = slot.wanted() {
                return Poll::Ready(Ok(Step::Wanted(slot.clone(), want)));
            }
        }
        // A body of the host's own, such as that of a fetch, comes by itself.
        if self.pumps.is_empty() && self.pieces.is_written_by_modules() {
            return Poll::Ready(Err(thrown("the module left a body that nobody writes any more".into())));
        }
        Poll::Pending
    }
}

fn thrown(message: String) -> Trouble {
    Failure { cause: Cause::Thrown, message, stack: String::new() }.into()
}
