//! One attempt at a call: one connection, the request sent on it, the head of its response. A body that is here already
//! leaves in the same send as the head; any other streams up while the answer is awaited, and an early answer counts.

use super::request::{Facts, Target, write_head};
use super::{Call, RequestBody, Upstreams};
use crate::body::{Body, BodyFault, OutFraming};
use crate::counters::Counters;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::link::{Answered, Link, Pump, Uploaded};
use crate::profile::Spans;
use crate::wire::{self, Broken, Input, Output, Peer};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tidegate_codec::{BodyFraming, RequestHead, ResponseHead, Version, encode};
use tidegate_reactor::{Cut, clock};
use tidegate_snapshot::Endpoint;

/// Interim responses that one request may get.
const MAX_INTERIM: usize = 16;

pub(super) struct Failed<'x> {
    pub(super) fault: Fault,
    /// Whether any byte of the request may have been sent.
    pub(super) is_sent: bool,
    pub(super) was_reused: bool,
    /// The client's input, if the body stands there as it did.
    pub(super) input: Option<&'x mut Input>,
}

pub(super) struct Attempt<'a, 'x> {
    pub(super) upstreams: &'a Upstreams,
    pub(super) call: &'a Call<'a>,
    pub(super) endpoint: &'a Endpoint,
    pub(super) fresh: bool,
    /// When the response's head must be here, on the coarse clock.
    pub(super) deadline_ms: u64,
    pub(super) head: &'a RequestHead,
    pub(super) peer: &'a Peer,
    pub(super) limits: &'x Limits,
    pub(super) counters: &'a Counters,
    /// What is waited for.
    pub(super) spans: &'a mut Spans,
}

impl<'x> Attempt<'_, 'x> {
    fn left(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.saturating_sub(clock::coarse_ms()))
    }

    pub(super) async fn run(
        self,
        address: Option<SocketAddr>,
        input: &'x mut Input,
        output: &mut Output,
    ) -> Result<Answered<'x>, Failed<'x>> {
        let unsent = |fault, input| Failed { fault, is_sent: false, was_reused: false, input: Some(input) };
        let Some(address) = address else { return Err(unsent(Fault::Unresolved, input)) };
        let left = self.left();
        if left.is_zero() {
            return Err(unsent(Fault::RequestTimeout, input));
        }
        let timeout = self.call.service.connect_timeout.min(left);
        let pool = &self.upstreams.pool;
        let (destination, connect_ns) = (address.into(), &mut self.spans.connect_ns);
        let checkout =
            pool.checkout(&destination, self.fresh, timeout, self.limits, self.counters, connect_ns);
        let link = match checkout.await {
            Ok(link) => link,
            Err(unconnected) => return Err(unsent(unconnected.into(), input)),
        };
        match &self.call.body {
            RequestBody::Whole(bytes) => self.exchange(link, bytes, 0, input, output).await,
            RequestBody::Stream => match self.head.body() {
                BodyFraming::None => self.exchange(link, &[], 0, input, output).await,
                BodyFraming::Length(length) if length <= input.buffer.len() as u64 => {
                    self.exchange(link, &[], length as usize, input, output).await
                }
                _ => self.stream(link, input, output).await,
            },
        }
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        let facts = Facts {
            route: self.call.route,
            service: self.call.service,
            target: Target::from(self.endpoint),
            rest: self.call.rest,
            forwarded: self.call.forwarded,
            is_host_chosen: self.call.is_host_chosen,
            body: match &self.call.body {
                RequestBody::Stream => self.head.body(),
                RequestBody::Whole(bytes) => BodyFraming::Length(bytes.len() as u64),
            },
        };
        write_head(out, self.head, self.peer, &facts);
    }

    /// Sends head and body at once and reads the response's head. The body is `bytes`, or the first `arrived` bytes of
    /// the client's input, which stay there until the response is known.
    async fn exchange(
        self,
        mut link: Box<Link>,
        bytes: &[u8],
        arrived: usize,
        input: &'x mut Input,
        output: &mut Output,
    ) -> Result<Answered<'x>, Failed<'x>> {
        let was_reused = link.is_reused;
        let mut answered_ns = None;
        let mut result = Err(Fault::UpstreamClosed);
        if let Some(up) = &mut link.output {
            self.write_head(&mut up.buffer);
            wire::grow(&mut up.buffer, bytes.len() + arrived);
            up.buffer.extend_from_slice(bytes);
            up.buffer.extend_from_slice(&input.buffer[..arrived]);
            result = up
                .flush(self.left().min(self.limits.write_timeout))
                .await
                .map_err(|broken| BodyFault::Write(broken).of_request());
            self.spans.waited_ns += up.take_stalled_ns();
        }
        if let (Ok(()), Some(up)) = (&result, &link.output) {
            let sent_ns = up.writer.sent_ns();
            link.input.reader.deadline().arm(self.left(), Cut::Both);
            let Link { input: down, head, .. } = &mut *link;
            result = read_head(down, head, self.head, self.limits, output, &mut answered_ns).await;
            self.spans.first_byte_ns += until(&result, answered_ns).saturating_sub(sent_ns);
        }
        match result {
            Ok(()) => {
                link.input.reader.deadline().disarm();
                input.consume(arrived);
                Ok(Answered { link, pump: None, is_uploaded: true })
            }
            // Never again after a byte of a response.
            Err(fault) => Err(Failed {
                fault,
                is_sent: true,
                was_reused,
                input: answered_ns.is_none().then_some(input),
            }),
        }
    }

    /// Streams the body up and awaits the response's head at the same time. The service's time-out counts from the end
    /// of the upload, whose progress has bounds of its own.
    async fn stream(
        self,
        mut link: Box<Link>,
        input: &'x mut Input,
        output: &mut Output,
    ) -> Result<Answered<'x>, Failed<'x>> {
        let was_reused = link.is_reused;
        let gone = move |fault| Failed { fault, is_sent: true, was_reused, input: None };
        if self.head.expects_continue() && input.buffer.is_empty() {
            output.buffer.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            output.flush(self.limits.write_timeout).await.map_err(|broken| gone(broken.by_client()))?;
        }
        let Some(mut up) = link.output.take() else { return Err(gone(Fault::UpstreamClosed)) };
        self.write_head(&mut up.buffer);
        let chunked = matches!(self.head.body(), BodyFraming::Chunked);
        let framing = if chunked { OutFraming::Chunked } else { OutFraming::Plain };
        let mut body = Body::new(self.head.body(), self.call.route.max_body_bytes);
        let limits = self.limits;
        let mut pump: Pump<'x> = Box::pin(async move {
            let result = body.relay(input, &mut up, framing, limits).await;
            Uploaded { output: up, result }
        });
        let mut uploaded = None;
        let mut answered_ns = None;
        let began_ns = clock::precise_ns();
        let mut sent_ns = None;
        let result = {
            let Link { input: down, head, .. } = &mut *link;
            down.reader.deadline().disarm();
            let mut read = pin!(read_head(down, head, self.head, self.limits, output, &mut answered_ns));
            let left = self.call.service.request_timeout;
            poll_fn(|context| {
                if uploaded.is_none()
                    && let Poll::Ready(done) = pump.as_mut().poll(context)
                {
                    if let Err(fault @ (BodyFault::Read(_) | BodyFault::Malformed(_) | BodyFault::TooLarge)) =
                        done.result
                    {
                        return Poll::Ready(Err(fault.of_request()));
                    }
                    sent_ns = Some(done.output.writer.sent_ns());
                    // Also after a failed write: an upstream that stops reading may have answered already.
                    done.output.writer.reading_deadline().arm(left, Cut::Both);
                    uploaded = Some(done);
                }
                read.as_mut().poll(context)
            })
            .await
        };
        // Until its end an upload goes at the pace of whoever sends and whoever reads it.
        let ended_ns = until(&result, answered_ns);
        self.spans.waited_ns += sent_ns.unwrap_or(ended_ns).saturating_sub(began_ns);
        self.spans.first_byte_ns += ended_ns.saturating_sub(sent_ns.unwrap_or(ended_ns));
        result.map_err(gone)?;
        link.input.reader.deadline().disarm();
        let is_uploaded = matches!(&uploaded, Some(done) if done.result.is_ok());
        let is_early = uploaded.is_none();
        link.output = uploaded.map(|done| done.output).filter(|_| is_uploaded);
        // An early success may be an echo that wants the rest of the body; after an early error nothing more is sent.
        let pump = (is_early && link.head.status() < 400).then_some(pump);
        Ok(Answered { link, pump, is_uploaded })
    }
}

/// When the wait for a head was over: it came, or it will not.
pub(super) fn until(result: &Result<(), Fault>, answered_ns: Option<u64>) -> u64 {
    answered_ns.filter(|_| result.is_ok()).unwrap_or_else(clock::turn_ns)
}

/// Reads the head of the final response. Interim ones (RFC 9110 section 15.2) go to the client, but for 100, which is
/// this gateway's to say. `answered_ns` is when bytes of a response came, the last ones of a head.
pub(super) async fn read_head(
    input: &mut Input,
    head: &mut ResponseHead,
    request: &RequestHead,
    limits: &Limits,
    output: &mut Output,
    answered_ns: &mut Option<u64>,
) -> Result<(), Fault> {
    let mut interim = 0;
    loop {
        match head.parse(&mut input.buffer, &limits.response_head, request.method()) {
            Ok(true) => match head.status() {
                200.. => return Ok(()),
                101 => return Err(Fault::UpstreamSwitched),
                _ if interim == MAX_INTERIM => return Err(Fault::UpstreamClosed),
                status => {
                    interim += 1;
                    if status != 100 && request.version() == Version::Http11 {
                        forward_interim(head, output, limits).await?;
                    }
                }
            },
            Ok(false) => match input.fill(limits.connection_buffer_bytes * 4).await {
                Ok(0) | Err(Broken::Closed) => return Err(Fault::UpstreamClosed),
                Ok(_) => *answered_ns = Some(input.arrived_ns),
                Err(Broken::Late) => return Err(Fault::RequestTimeout),
            },
            Err(rule) => return Err(Fault::UpstreamMalformed(rule)),
        }
    }
}

async fn forward_interim(head: &ResponseHead, output: &mut Output, limits: &Limits) -> Result<(), Fault> {
    encode::status_line(&mut output.buffer, head.status(), head.reason());
    for (kind, name, value) in head.fields.iter() {
        if !kind.is_hop_by_hop() {
            encode::field(&mut output.buffer, name, value);
        }
    }
    encode::end_of_head(&mut output.buffer);
    output.flush(limits.write_timeout).await.map_err(Broken::by_client)
}
