//! Moving a body from one wire to another: framed anew, with back-pressure, never collected, at most one buffer in
//! flight. A body that a module asked for is collected here too, under a cap.

use crate::fault::Fault;
use crate::limits::Limits;
use crate::wire::{self, Broken, Input, Output};
use tidegate_codec::{BodyDecoder, BodyFraming, Malformed, encode};
use tidegate_reactor::clock;

/// Room for a chunk's size, its line feeds and the last chunk.
const CHUNK_OVERHEAD: usize = 32;

/// How a body leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutFraming {
    /// As it is: its length was announced, or its end is the connection's.
    Plain,
    /// Chunked.
    Chunked,
}

/// Why a body did not arrive whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// Reading broke.
    Read(Broken),
    /// Writing broke.
    Write(Broken),
    /// The chunked coding was wrong.
    Malformed(Malformed),
    /// More than allowed.
    TooLarge,
}

impl BodyFault {
    /// For a body on its way from the client to the upstream.
    pub fn of_request(self) -> Fault {
        match self {
            Self::Read(broken) => broken.by_client(),
            Self::Write(Broken::Closed) => Fault::UpstreamClosed,
            Self::Write(Broken::Late) => Fault::UpstreamWriteTimeout,
            Self::Malformed(rule) => Fault::Malformed(rule),
            Self::TooLarge => Fault::BodyTooLarge,
        }
    }

    /// For a body on its way from the upstream to the client.
    pub fn of_response(self) -> Fault {
        match self {
            Self::Read(Broken::Closed) => Fault::UpstreamClosed,
            Self::Read(Broken::Late) => Fault::UpstreamBodyTimeout,
            Self::Write(Broken::Closed) => Fault::ClientClosed,
            Self::Write(Broken::Late) => Fault::WriteTimeout,
            Self::Malformed(rule) => Fault::UpstreamMalformed(rule),
            Self::TooLarge => Fault::BodyTooLarge,
        }
    }
}

/// What is still to come of a body, and how much of it there may be.
pub struct Body {
    /// Follows the incoming framing.
    pub decoder: BodyDecoder,
    /// Content bytes that may still come.
    pub allowance: u64,
    /// When [`Body::relay`] had to wait for more than was here, on the precise clock; as much earlier as the output's peer
    /// had been waited for by then, so that all of the output's waits can be taken from what follows.
    pub awaited_ns: Option<u64>,
}

impl Body {
    /// A body of that framing with at most `allowance` bytes of content.
    pub fn new(framing: BodyFraming, allowance: u64) -> Self {
        Self { decoder: BodyDecoder::new(framing), allowance, awaited_ns: None }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), BodyFault> {
        self.allowance = self.allowance.checked_sub(bytes as u64).ok_or(BodyFault::TooLarge)?;
        Ok(())
    }

    /// Moves what has arrived already into the output's buffer, framed anew. `Ok(true)`: that was all of it.
    pub fn shift(
        &mut self,
        input: &mut Input,
        out: &mut Vec<u8>,
        framing: OutFraming,
    ) -> Result<bool, BodyFault> {
        let mut used = 0;
        loop {
            if self.decoder.is_done() {
                input.consume(used);
                if framing == OutFraming::Chunked {
                    let trailers = self.decoder.trailers();
                    encode::last_chunk(out, (!trailers.is_empty()).then_some(trailers));
                }
                return Ok(true);
            }
            let rest = &input.buffer[used..];
            let found = self.decoder.decode(rest).map_err(BodyFault::Malformed)?;
            if found.consumed == 0 && !found.done {
                input.consume(used);
                return Ok(false);
            }
            let data = used + found.data.start..used + found.data.end;
            used += found.consumed;
            self.charge(data.len())?;
            if data.is_empty() {
                continue;
            }
            match framing {
                OutFraming::Chunked => {
                    wire::grow(out, data.len() + CHUNK_OVERHEAD);
                    encode::chunk(out, &input.buffer[data]);
                }
                // A buffer that is nothing but content changes hands instead of being copied.
                OutFraming::Plain if out.is_empty() && data == (0..input.buffer.len()) => {
                    std::mem::swap(out, &mut input.buffer);
                    used = 0;
                }
                OutFraming::Plain => {
                    wire::grow(out, data.len());
                    out.extend_from_slice(&input.buffer[data]);
                }
            }
        }
    }

    /// Reads once more. The end of input ends a body that is delimited by it.
    pub async fn more(&mut self, input: &mut Input, limits: &Limits) -> Result<(), BodyFault> {
        let room = match self.decoder.remaining() {
            Some(left) => (left.min(limits.relay_buffer_bytes as u64) as usize).max(512),
            None => limits.relay_buffer_bytes / 4,
        };
        match input.fill_within(room, limits.body_timeout).await.map_err(BodyFault::Read)? {
            0 => self.decoder.end_of_input().map_err(|_| BodyFault::Read(Broken::Closed)),
            _ => Ok(()),
        }
    }

    /// Moves all of the body. What stands in `output` already (a head) leaves together with the first bytes that are
    /// there.
    pub async fn relay(
        &mut self,
        input: &mut Input,
        output: &mut Output,
        framing: OutFraming,
        limits: &Limits,
    ) -> Result<(), BodyFault> {
        loop {
            let whole = self.shift(input, &mut output.buffer, framing)?;
            if !output.buffer.is_empty() {
                output.flush(limits.write_timeout).await.map_err(BodyFault::Write)?;
            }
            if whole {
                input.reader.deadline().disarm();
                return Ok(());
            }
            self.awaited_ns.get_or_insert_with(|| clock::precise_ns() - output.writer.stalled_ns);
            self.more(input, limits).await?;
        }
    }

    /// Collects all of the body in memory, for a module that asked for it.
    pub async fn collect(&mut self, input: &mut Input, limits: &Limits) -> Result<Vec<u8>, BodyFault> {
        let mut content = Vec::new();
        while !self.shift(input, &mut content, OutFraming::Plain)? {
            self.more(input, limits).await?;
        }
        input.reader.deadline().disarm();
        Ok(content)
    }

    /// What comes next of the content, at most a buffer of it; `None` is the end.
    pub async fn piece(&mut self, input: &mut Input, limits: &Limits) -> Result<Option<Vec<u8>>, BodyFault> {
        let mut content = Vec::new();
        loop {
            let whole = self.shift(input, &mut content, OutFraming::Plain)?;
            if whole {
                input.reader.deadline().disarm();
            }
            if !content.is_empty() {
                return Ok(Some(content));
            }
            if whole {
                return Ok(None);
            }
            self.more(input, limits).await?;
        }
    }

    /// Reads and forgets what is left if that is little and here already; answers whether the body has ended.
    pub fn skip_arrived(&mut self, input: &mut Input) -> bool {
        let mut nowhere = Vec::new();
        matches!(self.shift(input, &mut nowhere, OutFraming::Plain), Ok(true))
    }
}
