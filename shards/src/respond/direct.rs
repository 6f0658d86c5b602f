//! Sending what a route answers by itself: bytes that were written out when the route was compiled, and between them the
//! few fields that differ from one answer to the next. Allocates nothing.

use super::Sent;
use super::head::{self, Ask, Rules};
use crate::body::BodyFault;
use crate::limits::Limits;
use crate::wire::{self, Output};
use tidegate_snapshot::DirectResponse;

/// Room for what stands between the head's prepared part and the body: `Date`, `Connection`, the empty line.
const BETWEEN_BYTES: usize = 128;

/// Sends it.
pub async fn send_direct(
    direct: &DirectResponse,
    ask: &Ask,
    rules: &Rules<'_>,
    output: &mut Output,
    limits: &Limits,
) -> Sent {
    let body: &[u8] = if ask.is_head { &[] } else { &direct.body };
    wire::grow(&mut output.buffer, direct.head.len() + BETWEEN_BYTES + body.len());
    let before = output.buffer.len();
    output.buffer.extend_from_slice(&direct.head);
    head::end_own(&mut output.buffer, |name| direct.field(name).is_some(), ask, rules);
    output.head_bytes = (output.buffer.len() - before) as u64;
    output.buffer.extend_from_slice(body);
    let result = output.flush(limits.write_timeout).await;
    let fault = result.err().map(|broken| BodyFault::Write(broken).of_response());
    Sent { reusable: None, is_clean: fault.is_none(), fault, is_unsent: false, awaited_ns: None }
}
