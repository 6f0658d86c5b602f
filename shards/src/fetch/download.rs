//! The body of an answer, read from the wire when its module asks for the next piece and not before. Read to its end it
//! gives the connection back to the pool; let go of earlier, it keeps it only if what is missing has arrived already.

use super::upload::{Ended, Upload};
use super::{Fetcher, Ongoing};
use crate::body::{Body, BodyFault, OutFraming};
use crate::link::Link;
use crate::wire::{Broken, Output};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tidegate_js::{Chunks, Refused};

/// Most of a body that may be skipped for the sake of its connection.
const MAX_SKIPPED: usize = 64 << 10;

/// A body on its way down.
pub struct Download {
    state: RefCell<State>,
    /// What still goes up.
    upload: RefCell<Option<Upload>>,
    /// What went up completely.
    output: RefCell<Option<Output>>,
    fetcher: Rc<Fetcher>,
}

/// A response under way on a connection.
pub struct Incoming {
    /// The connection.
    pub link: Box<Link>,
    /// What is still to come.
    pub body: Body,
    /// The connection may be used again.
    pub is_kept: bool,
    /// Counts it as under way for as long as this lives.
    pub _ongoing: Ongoing,
}

type Reading = Pin<Box<dyn Future<Output = (Box<Incoming>, Result<(), BodyFault>)>>>;

enum State {
    /// Nothing is being read.
    Idle(Box<Incoming>),
    /// One read is under way.
    Reading(Reading),
    /// All was given, but for what may be here.
    Ended(Option<Vec<u8>>),
    /// It broke.
    Failed(Refused),
}

impl Download {
    /// A body that is to be read. One that is here already lets go of its connection at once.
    pub fn new(fetcher: Rc<Fetcher>, mut incoming: Box<Incoming>, upload: Option<Upload>) -> Rc<Self> {
        let Incoming { link, body, .. } = &mut *incoming;
        let is_here =
            matches!(body.decoder.remaining(), Some(left) if left <= link.input.buffer.len() as u64);
        let mut here = Vec::new();
        let state =
            if is_here && matches!(body.shift(&mut link.input, &mut here, OutFraming::Plain), Ok(true)) {
                incoming.finish(&fetcher);
                State::Ended(Some(here).filter(|here| !here.is_empty()))
            } else {
                State::Idle(incoming)
            };
        // An answer that has ended ends the upload with it.
        let upload = upload.filter(|_| matches!(state, State::Idle(_)));
        Rc::new(Self {
            state: RefCell::new(state),
            upload: RefCell::new(upload),
            output: RefCell::default(),
            fetcher,
        })
    }

    /// Looks after what still goes up. An error is the end of both directions.
    fn look_up(&self, context: &mut Context<'_>) -> Result<(), Refused> {
        let mut upload = self.upload.borrow_mut();
        let Some(Poll::Ready(ended)) = upload.as_ref().map(|upload| upload.poll_ended(context)) else {
            return Ok(());
        };
        *upload = None;
        match ended {
            Ended::Sent(output) => *self.output.borrow_mut() = Some(output),
            // The server has answered and may not want the rest.
            Ended::Stuck(_) => {}
            Ended::Source(why) => {
                return Err(Refused(format!("the request's body broke off: {why}")));
            }
        }
        Ok(())
    }

    fn finish(&self, mut incoming: Incoming) {
        self.upload.borrow_mut().take();
        if let Some(output) = self.output.borrow_mut().take() {
            incoming.link.output = Some(output);
        }
        incoming.finish(&self.fetcher);
    }
}

impl Incoming {
    /// The body has been read: the connection is kept if nothing is left on it.
    fn finish(self, fetcher: &Fetcher) {
        let Incoming { mut link, is_kept, .. } = self;
        if is_kept && link.output.is_some() {
            link.head.reset();
            fetcher.pool.give_back(link, &fetcher.limits, &fetcher.counters);
        }
    }
}

impl Chunks for Download {
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, Refused>> {
        let mut state = self.state.borrow_mut();
        if let Err(refused) = self.look_up(context) {
            self.fetcher.counters.fetch_errors.add(1);
            *state = State::Failed(refused);
        }
        loop {
            match std::mem::replace(&mut *state, State::Ended(None)) {
                State::Ended(piece) => return Poll::Ready(Ok(piece)),
                State::Failed(refused) => {
                    *state = State::Failed(refused.clone());
                    return Poll::Ready(Err(refused));
                }
                State::Idle(mut incoming) => {
                    let mut piece = Vec::new();
                    let Incoming { link, body, .. } = &mut *incoming;
                    match body.shift(&mut link.input, &mut piece, OutFraming::Plain) {
                        Err(fault) => {
                            self.fetcher.counters.fetch_errors.add(1);
                            *state = State::Failed(broken(fault));
                        }
                        Ok(true) => {
                            self.finish(*incoming);
                            *state = State::Ended(Some(piece).filter(|piece| !piece.is_empty()));
                        }
                        Ok(false) if !piece.is_empty() => {
                            *state = State::Idle(incoming);
                            return Poll::Ready(Ok(Some(piece)));
                        }
                        Ok(false) => {
                            let fetcher = self.fetcher.clone();
                            *state = State::Reading(Box::pin(async move {
                                let Incoming { link, body, .. } = &mut *incoming;
                                let read = body.more(&mut link.input, &fetcher.limits).await;
                                (incoming, read)
                            }));
                        }
                    }
                }
                State::Reading(mut reading) => match reading.as_mut().poll(context) {
                    Poll::Pending => {
                        *state = State::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((incoming, Ok(()))) => *state = State::Idle(incoming),
                    Poll::Ready((_, Err(fault))) => {
                        self.fetcher.counters.fetch_errors.add(1);
                        *state = State::Failed(broken(fault));
                    }
                },
            }
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let State::Idle(mut incoming) = std::mem::replace(self.state.get_mut(), State::Ended(None)) else {
            return;
        };
        let Incoming { link, body, .. } = &mut *incoming;
        if link.input.buffer.len() <= MAX_SKIPPED && body.skip_arrived(&mut link.input) {
            self.finish(*incoming);
        }
    }
}

fn broken(fault: BodyFault) -> Refused {
    let why = match fault {
        BodyFault::Read(Broken::Closed) => {
            "the server closed the connection before the body was complete".to_owned()
        }
        BodyFault::Read(Broken::Late) => "the server stopped sending the body (--body-timeout)".into(),
        BodyFault::Malformed(rule) => format!("the body is no HTTP/1.1: {rule}"),
        BodyFault::Write(_) | BodyFault::TooLarge => "the body cannot be read".into(),
    };
    Refused(why)
}
