//! The body of a `fetch` on its way up, as a task of its own: whoever waits for the answer, reads it, or does neither,
//! the upload goes on as fast as the server takes it, and ends when it is let go of.

use crate::limits::Limits;
use crate::wire::Output;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tidegate_codec::encode;
use tidegate_js::{Chunks, Refused};
use tidegate_reactor::spawn_guarded;

/// What goes up.
pub enum Source {
    /// All of it is here.
    Whole(Rc<[u8]>),
    /// It comes piece by piece and leaves chunked.
    Pieces(Rc<dyn Chunks>),
}

/// How an upload ended.
pub enum Ended {
    /// All of it was sent.
    Sent(Output),
    /// The server takes no more: it may have answered already.
    Stuck(Output),
    /// The module's side broke.
    Source(String),
}

enum Broke {
    Write,
    Source(String),
}

/// An upload under way. Dropping it ends it.
pub struct Upload {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    ended: RefCell<Option<Ended>>,
    /// Who waits for the answer, on the task that modules run on.
    owner: RefCell<Option<Waker>>,
    /// The task itself.
    task: RefCell<Option<Waker>>,
    is_dropped: Cell<bool>,
}

impl Shared {
    fn wake_owner(&self) {
        if let Some(owner) = &*self.owner.borrow() {
            owner.wake_by_ref();
        }
    }

    fn end(&self, ended: Ended) {
        self.ended.borrow_mut().get_or_insert(ended);
        self.wake_owner();
    }
}

impl Upload {
    /// Starts sending. What stands in the output's buffer leaves first.
    pub fn start(output: Output, source: Source, limits: &Limits) -> Self {
        let shared = Rc::<Shared>::default();
        let (of_task, of_panic) = (shared.clone(), shared.clone());
        let (piece_bytes, write_timeout) = (limits.relay_buffer_bytes, limits.write_timeout);
        let task = async move {
            let mut sending = pin!(async {
                let mut output = output;
                let result = match source {
                    Source::Whole(bytes) => whole(&mut output, &bytes, piece_bytes, write_timeout).await,
                    Source::Pieces(pieces) => each(&mut output, &*pieces, &of_task, write_timeout).await,
                };
                if result.is_err() {
                    // Half a body must not be taken for a whole one.
                    output.cut();
                }
                match result {
                    Ok(()) => Ended::Sent(output),
                    Err(Broke::Write) => Ended::Stuck(output),
                    Err(Broke::Source(why)) => Ended::Source(why),
                }
            });
            let ended = poll_fn(|context| {
                if of_task.is_dropped.get() {
                    return Poll::Ready(None);
                }
                of_task.task.replace(Some(context.waker().clone()));
                sending.as_mut().poll(context).map(Some)
            });
            if let Some(ended) = ended.await {
                of_task.end(ended);
            }
        };
        spawn_guarded(task, move |_| of_panic.end(Ended::Source("the gateway failed".into())));
        Self { shared }
    }

    /// Takes how it ended; once.
    pub fn poll_ended(&self, context: &mut Context<'_>) -> Poll<Ended> {
        if let Some(ended) = self.shared.ended.borrow_mut().take() {
            return Poll::Ready(ended);
        }
        self.shared.owner.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.shared.is_dropped.set(true);
        if let Some(task) = self.shared.task.take() {
            task.wake();
        }
    }
}

async fn whole(
    output: &mut Output,
    bytes: &[u8],
    piece_bytes: usize,
    timeout: std::time::Duration,
) -> Result<(), Broke> {
    for piece in bytes.chunks(piece_bytes.max(1)) {
        output.buffer.extend_from_slice(piece);
        output.flush(timeout).await.map_err(|_| Broke::Write)?;
    }
    Ok(())
}

async fn each(
    output: &mut Output,
    pieces: &dyn Chunks,
    shared: &Shared,
    timeout: std::time::Duration,
) -> Result<(), Broke> {
    // The head does not wait for the first piece: a server may answer to it alone.
    output.flush(timeout).await.map_err(|_| Broke::Write)?;
    loop {
        let piece = poll_fn(|context| {
            let polled = pieces.poll_next(context);
            if polled.is_pending() {
                // A body of the exchange is read by the task that modules run on, when it sees that it is wanted.
                shared.wake_owner();
            }
            polled
        });
        match piece.await {
            Ok(Some(piece)) => encode::chunk(&mut output.buffer, &piece),
            Ok(None) => {
                encode::last_chunk(&mut output.buffer, None);
                return output.flush(timeout).await.map_err(|_| Broke::Write);
            }
            Err(Refused(why)) => return Err(Broke::Source(why)),
        }
        output.flush(timeout).await.map_err(|_| Broke::Write)?;
    }
}
