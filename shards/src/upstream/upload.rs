//! A call whose body a module writes piece by piece. It is sent chunked on one connection and never again: nobody has the
//! pieces that are gone.

use super::attempt::{read_head, until};
use super::request::{Facts, Target, write_head};
use super::{Call, Upstreams};
use crate::body::BodyFault;
use crate::counters::Counters;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::{Answered, Link};
use crate::profile::Spans;
use crate::wire::{Output, Peer};
use tidegate_codec::{BodyFraming, RequestHead, encode};
use tidegate_reactor::{Cut, clock};

/// A request whose body is under way.
pub struct Upload {
    link: Box<Link>,
}

impl Upstreams {
    /// Gets a connection and puts the head into its buffer.
    pub async fn begin_upload(
        &self,
        call: &Call<'_>,
        head: &RequestHead,
        peer: &Peer,
        limits: &Limits,
        counters: &Counters,
        spans: &mut Spans,
    ) -> Result<Upload, Fault> {
        let turn = self.turn(call.service.slot, |turn| {
            let now = *turn;
            turn.endpoint = turn.endpoint.wrapping_add(1);
            now
        });
        let (endpoint, address) = Self::choose(call, &turn, 0);
        let address = address.ok_or(Fault::Unresolved)?;
        // A fresh connection: one that turned out to be closed could not be made up for.
        let (timeout, connect_ns) = (call.service.connect_timeout, &mut spans.connect_ns);
        let mut link =
            self.pool.checkout(&address.into(), true, timeout, limits, counters, connect_ns).await?;
        if let Some(output) = &mut link.output {
            let facts = Facts {
                route: call.route,
                service: call.service,
                target: Target::from(endpoint),
                rest: call.rest,
                forwarded: call.forwarded,
                is_host_chosen: call.is_host_chosen,
                body: BodyFraming::Chunked,
            };
            write_head(&mut output.buffer, head, peer, &facts);
        }
        Ok(Upload { link })
    }
}

impl Upload {
    /// Sends a piece.
    pub async fn send(&mut self, piece: &[u8], limits: &Limits) -> Result<(), Fault> {
        let Some(output) = &mut self.link.output else { return Err(Fault::UpstreamClosed) };
        encode::chunk(&mut output.buffer, piece);
        flush(output, limits).await
    }

    /// Ends the body, unless it is cut off, and reads the response's head.
    pub async fn answer<'x>(
        mut self,
        call: &Call<'_>,
        head: &RequestHead,
        is_cut: bool,
        client: &mut Output,
        limits: &Limits,
        spans: &mut Spans,
    ) -> Result<Answered<'x>, Fault> {
        let mut is_uploaded = !is_cut;
        if is_uploaded && let Some(output) = &mut self.link.output {
            encode::last_chunk(&mut output.buffer, None);
            is_uploaded = flush(output, limits).await.is_ok();
        }
        if !is_uploaded {
            self.link.output = None;
        }
        let Link { input, output, head: response, .. } = &mut *self.link;
        input.reader.deadline().arm(call.service.request_timeout, Cut::Both);
        let sent_ns = output.as_ref().map_or_else(clock::turn_ns, |output| output.writer.sent_ns());
        let mut answered_ns = None;
        let result = read_head(input, response, head, limits, client, &mut answered_ns).await;
        spans.first_byte_ns += until(&result, answered_ns).saturating_sub(sent_ns);
        result?;
        input.reader.deadline().disarm();
        Ok(Answered { link: self.link, pump: None, is_uploaded })
    }
}

async fn flush(output: &mut Output, limits: &Limits) -> Result<(), Fault> {
    output.flush(limits.write_timeout).await.map_err(|broken| BodyFault::Write(broken).of_request())
}
