//! A response made here: by a module, or for a fault.

use std::rc::Rc;
use tidegate_codec::ResponseHead;
use tidegate_js::Chunks;

/// Status, fields and the whole body; framing fields are added when it is sent.
pub struct Own {
    /// Status and fields.
    pub head: ResponseHead,
    /// The whole body.
    pub body: Vec<u8>,
    /// What comes in its place, piece by piece, if a module writes it so.
    pub pieces: Option<Rc<dyn Chunks>>,
}

impl Own {
    /// An empty response of that status.
    pub fn new(status: u16) -> Self {
        let mut head = ResponseHead::default();
        head.set_status(status);
        Self { head, body: Vec::new(), pieces: None }
    }
}
