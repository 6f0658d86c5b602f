//! Tasks and timers of the shard's thread.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// Runs a future as a task of its own on this thread. A panic in it ends this task alone only if the future catches
/// it; callers wrap what handles foreign bytes.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(future));
}

/// The same, and a panic while it is polled ends this task only: it is dropped and `on_panic` is told the message.
pub fn spawn_guarded<F, P>(future: F, on_panic: P)
where
    F: Future<Output = ()> + 'static,
    P: FnOnce(&str) + Unpin + 'static,
{
    spawn(Guarded { on_panic: Some(on_panic), future });
}

/// A struct and no `async` block, which would keep room for the future twice.
struct Guarded<F, P> {
    on_panic: Option<P>,
    future: F,
}

impl<F: Future<Output = ()>, P: FnOnce(&str) + Unpin> Future for Guarded<F, P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: `future` is pinned with `self`: it is never moved out of it. `on_panic` is `Unpin`.
        let (on_panic, future) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.on_panic, Pin::new_unchecked(&mut this.future))
        };
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(polled) => polled,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                if let Some(on_panic) = on_panic.take() {
                    on_panic(text.unwrap_or("no message"));
                }
                Poll::Ready(())
            }
        }
    }
}

/// Resolves after `duration`.
pub async fn sleep(duration: Duration) {
    monoio::time::sleep(duration).await;
}

/// Lets the other tasks that are ready go first.
pub async fn give_way() {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
