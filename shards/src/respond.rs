//! The response as it goes to the client: a proxied one relayed with its framing written anew, or one of our own. The
//! one place that knows which status a fault has. Decides nothing about routes, upstreams or modules.

mod direct;
mod fault;
mod head;
mod streamed;
mod timing;

pub use direct::send_direct;
pub use fault::{answer, status};
pub use head::{Ask, Rules};
pub use streamed::Streamed;
pub use timing::Timing;

use crate::body::{Body, BodyFault, OutFraming};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::{Answered, Link, Uploaded};
use crate::reply::Own;
use crate::wire::Output;
use head::Framing;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use tidegate_codec::{BodyFraming, ResponseHead, Version};
use tidegate_snapshot::ProxySettings;

/// How sending ended.
pub struct Sent {
    /// The upstream's connection, if it can carry another exchange.
    pub reusable: Option<Box<Link>>,
    /// Whether the client's connection can carry another exchange, as far as the response goes.
    pub is_clean: bool,
    /// What went wrong.
    pub fault: Option<Fault>,
    /// It went wrong before a byte of the response had left: there can still be another answer.
    pub is_unsent: bool,
    /// When the rest of an upstream's body was first waited for.
    pub awaited_ns: Option<u64>,
}

/// Sends a response of our own.
pub async fn send_own(own: &Own, ask: &Ask, rules: &Rules<'_>, output: &mut Output, limits: &Limits) -> Sent {
    let framing = Framing::Length(own.body.len() as u64);
    head::begin(output, &own.head, framing, ask, rules);
    if !ask.is_head && head::may_have_body(own.head.status()) {
        output.buffer.extend_from_slice(&own.body);
    }
    let result = output.flush(limits.write_timeout).await;
    let fault = result.err().map(|broken| BodyFault::Write(broken).of_response());
    Sent { reusable: None, is_clean: fault.is_none(), fault, is_unsent: false, awaited_ns: None }
}

/// How a body that comes in so goes to the client.
fn framing(incoming: BodyFraming, ask: &Ask) -> Framing {
    match incoming {
        BodyFraming::None => Framing::Announced,
        BodyFraming::Length(length) => Framing::Length(length),
        BodyFraming::Chunked | BodyFraming::UntilClose if ask.knows_chunked() => Framing::Chunked,
        BodyFraming::Chunked | BodyFraming::UntilClose => Framing::UntilClose,
    }
}

/// Writes a proxied response's head for an HTTP/1.1 client that stays; for microbenchmarks.
pub(crate) fn write_proxied_head(out: &mut Vec<u8>, head: &ResponseHead, settings: &ProxySettings) {
    let ask = Ask { is_head: false, version: Version::Http11, is_kept: true };
    let rules = Rules { settings, is_hidden: false, is_ours: false, timing: None };
    head::write(out, head, framing(head.body(), &ask), &ask, &rules);
}

/// Sends the upstream's response, and what is left of the request's body up at the same time.
pub async fn send_proxied(
    answered: Answered<'_>,
    ask: &Ask,
    rules: &Rules<'_>,
    output: &mut Output,
    limits: &Limits,
) -> Sent {
    let Answered { mut link, mut pump, mut is_uploaded } = answered;
    let incoming = link.head.body();
    let framing = framing(incoming, ask);
    head::begin(output, &link.head, framing, ask, rules);
    let out = if framing == Framing::Chunked { OutFraming::Chunked } else { OutFraming::Plain };
    let mut body = Body::new(incoming, u64::MAX);
    let mut returned = None;
    let before = output.written_bytes;
    let result = {
        let mut down = pin!(body.relay(&mut link.input, output, out, limits));
        poll_fn(|context| {
            if let Some(up) = &mut pump
                && let Poll::Ready(Uploaded { output, result }) = up.as_mut().poll(context)
            {
                pump = None;
                match result {
                    Ok(()) => {
                        is_uploaded = true;
                        returned = Some(output);
                    }
                    // The upstream has answered and reads no more; its answer counts.
                    Err(BodyFault::Write(_)) => {}
                    // The upstream would wait for the end of a request that nobody can end.
                    Err(fault) => return Poll::Ready(Err(fault.of_request())),
                }
            }
            down.as_mut().poll(context).map_err(BodyFault::of_response)
        })
        .await
    };
    if returned.is_some() {
        link.output = returned;
    }
    let fault = result.err();
    // A head that still stands in the buffer can be taken back.
    let is_unsent = fault.is_some() && output.written_bytes == before && !output.buffer.is_empty();
    if is_unsent {
        output.buffer.clear();
    } else if fault.is_some() {
        output.cut();
    }
    let is_reusable =
        fault.is_none() && is_uploaded && link.head.keep_alive() && incoming != BodyFraming::UntilClose;
    Sent {
        reusable: is_reusable.then_some(link),
        is_clean: fault.is_none() && framing != Framing::UntilClose,
        fault,
        is_unsent,
        awaited_ns: body.awaited_ns,
    }
}
