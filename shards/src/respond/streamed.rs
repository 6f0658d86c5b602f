//! A response whose body comes piece by piece and whose length nobody knows beforehand: chunked, or ended by the
//! connection's end for clients that cannot read chunks.

use super::head::{self, Ask, Framing, Rules};
use crate::body::BodyFault;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::reply::Own;
use crate::wire::Output;
use tidegate_codec::encode;

/// A response under way.
pub struct Streamed {
    framing: Framing,
    has_body: bool,
}

fn broken(broken: crate::wire::Broken) -> Fault {
    BodyFault::Write(broken).of_response()
}

impl Streamed {
    /// Puts the head into the output's buffer.
    pub fn begin(own: &Own, ask: &Ask, rules: &Rules<'_>, output: &mut Output) -> Self {
        let has_body = !ask.is_head && head::may_have_body(own.head.status());
        let framing = if ask.knows_chunked() { Framing::Chunked } else { Framing::UntilClose };
        head::begin(output, &own.head, framing, ask, rules);
        Self { framing, has_body }
    }

    /// Whether there is anything to send after the head (RFC 9110 section 6.4.1).
    pub fn has_body(&self) -> bool {
        self.has_body
    }

    /// Whether the connection can go on after the response.
    pub fn is_delimited(&self) -> bool {
        !self.has_body || self.framing == Framing::Chunked
    }

    /// Sends what stands in the buffer.
    pub async fn flush(&self, output: &mut Output, limits: &Limits) -> Result<(), Fault> {
        output.flush(limits.write_timeout).await.map_err(broken)
    }

    /// Sends a piece.
    pub async fn send(&mut self, piece: &[u8], output: &mut Output, limits: &Limits) -> Result<(), Fault> {
        match self.framing {
            Framing::Chunked => encode::chunk(&mut output.buffer, piece),
            _ => output.buffer.extend_from_slice(piece),
        }
        self.flush(output, limits).await
    }

    /// Sends the end.
    pub async fn end(&mut self, output: &mut Output, limits: &Limits) -> Result<(), Fault> {
        if self.has_body && self.framing == Framing::Chunked {
            encode::last_chunk(&mut output.buffer, None);
        }
        self.flush(output, limits).await
    }
}
