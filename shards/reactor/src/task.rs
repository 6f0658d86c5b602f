//! Tasks and timers of the shard's thread.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Runs a future as a task of its own on this thread. A panic in it ends this task alone only if the future catches
/// it; callers wrap what handles foreign bytes.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(future));
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
    std::future::poll_fn(move |context| {
        if let Poll::Ready(output) = left.as_mut().poll(context) {
            return Poll::Ready(Either::Left(output));
        }
        right.as_mut().poll(context).map(Either::Right)
    })
    .await
}
