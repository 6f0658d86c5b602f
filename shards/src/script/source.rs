//! A body on the wire, for a module that asks for it: collected whole under the module's cap, or read piece by piece.

use super::slot::BodySlot;
use crate::body::{Body, BodyFault};
use crate::limits::Limits;
use crate::wire::{Input, Output};
use tidegate_codec::BodyFraming;

/// A body on the wire that a module may want.
pub struct Source<'a> {
    /// Where it comes from.
    pub input: &'a mut Input,
    /// Where the client is told to go on (`100 Continue`), if it waits for that.
    pub go_on: Option<&'a mut Output>,
    /// Its framing.
    pub framing: BodyFraming,
    /// Most bytes the route allows.
    pub allowance: u64,
    /// The shard's bounds.
    pub limits: &'a Limits,
    /// Set as soon as a byte of it was taken.
    pub is_touched: &'a mut bool,
    /// Set once it was read to its end.
    pub is_read: &'a mut bool,
}

impl Source<'_> {
    async fn begin(&mut self) -> Result<(), BodyFault> {
        *self.is_touched = true;
        if let Some(output) = self.go_on.take()
            && self.input.buffer.is_empty()
        {
            output.buffer.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            output.flush(self.limits.write_timeout).await.map_err(BodyFault::Read)?;
        }
        Ok(())
    }

    /// All of it, up to `cap` bytes.
    pub(super) async fn collect(&mut self, cap: u64, slot: &BodySlot) -> Result<Vec<u8>, BodyFault> {
        self.begin().await?;
        let mut body = Body::new(self.framing, cap.min(self.allowance));
        let bytes = body.collect(self.input, self.limits).await?;
        slot.keep_trailers(body.decoder.trailers());
        *self.is_read = true;
        Ok(bytes)
    }

    /// What comes next of it; `None` is the end. The slot keeps where it stands.
    pub(super) async fn piece(&mut self, slot: &BodySlot) -> Result<Option<Vec<u8>>, BodyFault> {
        let mut body = match slot.take_partial() {
            Some(body) => body,
            None => {
                self.begin().await?;
                Body::new(self.framing, self.allowance)
            }
        };
        let piece = body.piece(self.input, self.limits).await?;
        if body.decoder.is_done() {
            slot.keep_trailers(body.decoder.trailers());
            *self.is_read = true;
        }
        slot.keep_partial(body);
        Ok(piece)
    }
}

/// Where a module that asks for a body has none to get.
pub(super) fn is_too_large(framing: BodyFraming, cap: u64) -> bool {
    matches!(framing, BodyFraming::Length(length) if length > cap)
}

/// What a module is told of a body that it may not have.
pub(super) fn too_large(cap: u64) -> String {
    format!(
        "the body is larger than the {cap} bytes a module may collect: raise 'limits.bodyBytes' of the module, or stream it"
    )
}

#[cfg(test)]
mod tests {
    use super::is_too_large;
    use tidegate_codec::BodyFraming;

    #[test]
    fn only_a_known_length_can_be_refused_beforehand() {
        assert!(is_too_large(BodyFraming::Length(11), 10));
        assert!(!is_too_large(BodyFraming::Length(10), 10));
        assert!(!is_too_large(BodyFraming::Chunked, 10));
    }
}
