//! Finds the content of a body in the bytes of a stream, for both directions.
//! It must never copy content, and never read past the end of the body.

use crate::chunked::Chunked;
use crate::{BodyFraming, Fields, Malformed};
use std::ops::Range;

/// What [`BodyDecoder::decode`] found at the front of its input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decoded {
    /// Bytes of the input that are used up.
    pub consumed: usize,
    /// The part of them that is content; may be empty.
    pub data: Range<usize>,
    /// The body ended exactly behind `consumed`.
    pub done: bool,
}

/// Follows one body from its first byte to its last.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Length(u64),
    UntilClose,
    Chunked(Chunked),
    Closed,
}

impl BodyDecoder {
    /// A decoder for a body of that framing.
    pub fn new(framing: BodyFraming) -> BodyDecoder {
        let state = match framing {
            BodyFraming::None => State::Length(0),
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Chunked(Chunked::default()),
            BodyFraming::UntilClose => State::UntilClose,
        };
        BodyDecoder { state }
    }

    /// The body has ended; what follows in the stream is another message.
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Length(left) => *left == 0,
            State::Chunked(chunked) => chunked.is_done(),
            State::UntilClose => false,
            State::Closed => true,
        }
    }

    /// Looks at the front of `input`. At most one piece of content is found per call: the caller drops `consumed` bytes and comes
    /// again, until `done`, or until `consumed` is 0, which means that more input is needed.
    ///
    /// # Errors
    /// A body that breaks the chunked coding (RFC 9112 section 7.1) or its limits; the connection is to be closed.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Malformed> {
        match &mut self.state {
            State::Length(left) => {
                let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= len as u64;
                Ok(Decoded { consumed: len, data: 0..len, done: *left == 0 })
            }
            State::UntilClose => Ok(Decoded { consumed: input.len(), data: 0..input.len(), done: false }),
            State::Chunked(chunked) => chunked.decode(input),
            State::Closed => Ok(Decoded { consumed: 0, data: 0..0, done: true }),
        }
    }

    /// The peer closed its side.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] unless the body had ended, or ends just so.
    pub fn end_of_input(&mut self) -> Result<(), Malformed> {
        if matches!(self.state, State::UntilClose) {
            self.state = State::Closed;
        }
        if self.is_done() { Ok(()) } else { Err(Malformed::Truncated) }
    }

    /// The trailers of a chunked body, once it is done; empty for all others. Only fields that may stand in a trailer section are
    /// kept (RFC 9110 section 6.5.1): whatever the codec has a [`FieldKind`](crate::FieldKind) for (framing, routing, connection,
    /// authentication, forwarding, content), names with underscores, and the controls and conditions of RFC 9110 are dropped.
    pub fn trailers(&self) -> &Fields {
        match &self.state {
            State::Chunked(chunked) => chunked.trailers(),
            _ => Fields::none(),
        }
    }

    /// How many trailer fields were dropped because they may not stand there.
    pub fn dropped_trailers(&self) -> usize {
        match &self.state {
            State::Chunked(chunked) => chunked.dropped_trailers(),
            _ => 0,
        }
    }

    /// The bytes that are still to come, for a body with a length (and 0 for none).
    pub fn remaining(&self) -> Option<u64> {
        match &self.state {
            State::Length(left) => Some(*left),
            _ => None,
        }
    }
}
