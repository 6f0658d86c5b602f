//! One upstream connection and a response under way on it: what calling an upstream hands to answering a client.

use crate::body::BodyFault;
use crate::wire::{Input, Output};
use std::any::Any;
use std::pin::Pin;
use tidegate_codec::ResponseHead;

/// One upstream connection.
pub struct Link {
    /// From the upstream.
    pub input: Input,
    /// To the upstream; lent to an upload while one is under way.
    pub output: Option<Output>,
    /// The head of the response under way; its buffers are kept from one response to the next.
    pub head: ResponseHead,
    /// Whether it has carried an exchange before.
    pub is_reused: bool,
    /// The pool's own mark on it; dropped with it.
    pub home: Box<dyn Any>,
}

/// How an upload ended, and the connection's output back.
pub struct Uploaded {
    /// The upstream's output.
    pub output: Output,
    /// How it ended.
    pub result: Result<(), BodyFault>,
}

/// An upload under way.
pub type Pump<'x> = Pin<Box<dyn Future<Output = Uploaded> + 'x>>;

/// A response's head has arrived.
pub struct Answered<'x> {
    /// The connection; its `head` is the response's.
    pub link: Box<Link>,
    /// What is still going up while the response comes down.
    pub pump: Option<Pump<'x>>,
    /// Whether the request's body went up completely, so that both connections can be used again.
    pub is_uploaded: bool,
}
