//! Tasks and timers of the shard's thread.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs a future as a task of its own on this thread. A panic in it ends this task alone only if the future catches
/// it; callers wrap what handles foreign bytes.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(future));
}

/// The same, and a panic while it is polled ends this task only: it is dropped and `on_panic` is told the message.
pub fn spawn_guarded(future: impl Future<Output = ()> + 'static, on_panic: impl FnOnce(&str) + 'static) {
    spawn(async move {
        let caught = {
            let mut future = pin!(future);
            poll_fn(move |context| {
                let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
                match polled {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(())) => Poll::Ready(None),
                    Err(panic) => Poll::Ready(Some(panic)),
                }
            })
            .await
        };
        if let Some(panic) = caught {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            on_panic(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message"));
        }
    });
}

/// Resolves after `duration`.
pub async fn sleep(duration: Duration) {
    monoio::time::sleep(duration).await;
}

/// Which of two futures was first.
#[derive(Debug)]
pub enum Either<A, B> {
    /// The first argument.
    Left(A),
    /// The second argument.
    Right(B),
}

/// Runs both and answers the first to be ready; the left one where both are. The other is dropped, so it must be one
/// that may be dropped half-way.
pub async fn race<A: Future, B: Future>(left: A, right: B) -> Either<A::Output, B::Output> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(move |context| {
        if let Poll::Ready(output) = left.as_mut().poll(context) {
            return Poll::Ready(Either::Left(output));
        }
        right.as_mut().poll(context).map(Either::Right)
    })
    .await
}
