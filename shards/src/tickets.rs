//! Questions to the admin that wait for an answer: a module's writes and the names it asks for. A ticket names the
//! question on its way there and back; whoever gives up waiting leaves nothing behind.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

enum Slot<T> {
    Waiting(Option<Waker>),
    Answered(T),
}

/// Open questions whose answer is a `T`. Clones share them.
pub struct Tickets<T> {
    inner: Rc<Inner<T>>,
}

struct Inner<T> {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, Slot<T>>>,
}

impl<T> Clone for Tickets<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self { inner: Rc::new(Inner { next: Cell::new(1), open: RefCell::default() }) }
    }
}

/// One open question; dropping it takes the question back.
pub struct Ticket<T> {
    tickets: Tickets<T>,
    id: u64,
}

impl<T> Tickets<T> {
    /// Opens a question.
    pub fn open(&self) -> Ticket<T> {
        let id = self.inner.next.replace(self.inner.next.get() + 1);
        self.inner.open.borrow_mut().insert(id, Slot::Waiting(None));
        Ticket { tickets: self.clone(), id }
    }

    /// Answers one; an answer that nobody waits for any more is dropped.
    pub fn answer(&self, id: u64, answer: T) {
        let waker = match self.inner.open.borrow_mut().get_mut(&id) {
            Some(slot) => match std::mem::replace(slot, Slot::Answered(answer)) {
                Slot::Waiting(waker) => waker,
                Slot::Answered(_) => None,
            },
            None => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Ticket<T> {
    /// What the admin is to send back.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the answer.
    pub async fn answer(self) -> T {
        poll_fn(|context| {
            let mut open = self.tickets.inner.open.borrow_mut();
            match open.remove(&self.id) {
                Some(Slot::Answered(answer)) => Poll::Ready(answer),
                _ => {
                    open.insert(self.id, Slot::Waiting(Some(context.waker().clone())));
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        self.tickets.inner.open.borrow_mut().remove(&self.id);
    }
}
