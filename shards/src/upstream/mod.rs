//! Calling a service: pick an endpoint, get a connection, send the request, read the response's head; again on another
//! connection or endpoint where that is safe. The response's body is not read here.
//!
//! A request is sent again only if nothing of it was sent, or if its method is idempotent and its body is still here;
//! never after a byte of a response, and never past the service's deadline.

mod attempt;
pub mod request;
mod upload;

use crate::counters::Counters;
use crate::fault::{Culprit, Fault};
use crate::limits::Limits;
use crate::link::Answered;
use crate::pool::Pool;
use crate::profile::Spans;
use crate::wire::{Input, Output, Peer};
use attempt::Attempt;
use http::Method;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use tidegate_codec::{BodyFraming, RequestHead};
use tidegate_reactor::{clock, sleep};
use tidegate_snapshot::{Endpoint, ForwardedRule, Route, Service};

/// The request's body as it goes upstream.
pub enum RequestBody {
    /// As the client sends it.
    Stream,
    /// Whole, in memory: a module collected or wrote it.
    Whole(Vec<u8>),
}

/// One call as the exchange asks for it.
pub struct Call<'a> {
    /// The route.
    pub route: &'a Route,
    /// Its service.
    pub service: &'a Service,
    /// An upstream that a module chose instead of the service's endpoints.
    pub chosen: Option<Endpoint>,
    /// Start of the path's rest.
    pub rest: Option<usize>,
    /// How forwarding fields are treated.
    pub forwarded: ForwardedRule,
    /// Send the request's own Host, whatever the route says: a module chose it.
    pub is_host_chosen: bool,
    /// The body.
    pub body: RequestBody,
}

/// The client's side, as a call borrows it.
pub struct Line<'x, 'o> {
    /// For the body; kept by an upload that is under way when the response arrives.
    pub input: &'x mut Input,
    /// For interim responses.
    pub output: &'o mut Output,
    /// Who asks.
    pub peer: &'o Peer,
}

/// The shard's side of all upstreams.
#[derive(Default)]
pub struct Upstreams {
    /// Connections.
    pub pool: Rc<Pool>,
    /// Where each service's choices stand, by slot.
    turns: RefCell<Vec<Turn>>,
}

#[derive(Default, Clone, Copy)]
struct Turn {
    /// Counts calls: round robin over endpoints.
    endpoint: usize,
    /// Counts addresses that could not be connected to.
    address: usize,
}

impl Call<'_> {
    fn endpoints(&self) -> &[Endpoint] {
        match &self.chosen {
            Some(endpoint) => std::slice::from_ref(endpoint),
            None => &self.service.endpoints,
        }
    }

    /// How many attempts ask somebody else; at least one.
    fn alternatives(&self) -> usize {
        self.endpoints().iter().map(|endpoint| endpoint.addresses.len().max(1)).sum()
    }
}

/// Methods whose repetition means the same as one (RFC 9110 section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}

/// Reads a body of moderate, known length to its end before anything is sent: it leaves with its head in one send and
/// can be sent again. A client that waits to be asked is not waited for.
pub async fn gather(
    head: &RequestHead,
    input: &mut Input,
    limits: &Limits,
    spans: &mut Spans,
) -> Result<(), Fault> {
    let BodyFraming::Length(length) = head.body() else { return Ok(()) };
    if length > limits.relay_buffer_bytes as u64 || head.expects_continue() {
        return Ok(());
    }
    let length = length as usize;
    spans.wait(gather_rest(length, input, limits)).await
}

async fn gather_rest(length: usize, input: &mut Input, limits: &Limits) -> Result<(), Fault> {
    while input.buffer.len() < length {
        let missing = length - input.buffer.len();
        match input.fill_within(missing, limits.body_timeout).await {
            Ok(0) => return Err(Fault::ClientClosed),
            Ok(_) => {}
            Err(broken) => return Err(broken.by_client()),
        }
    }
    Ok(())
}

impl Upstreams {
    fn turn<T>(&self, slot: u32, use_turn: impl FnOnce(&mut Turn) -> T) -> T {
        let mut turns = self.turns.borrow_mut();
        let at = slot as usize;
        if at >= turns.len() {
            turns.resize_with(at + 1, Turn::default);
        }
        use_turn(&mut turns[at])
    }

    /// The choice of an attempt: endpoints in turn; of an endpoint's addresses the one that worked last, and the next
    /// ones after it.
    fn choose<'a>(call: &'a Call<'_>, first: &Turn, tries: usize) -> (&'a Endpoint, Option<SocketAddr>) {
        let endpoints = call.endpoints();
        if let [endpoint] = endpoints
            && let [address] = *endpoint.addresses
        {
            return (endpoint, Some(address));
        }
        let endpoint = &endpoints[first.endpoint.wrapping_add(tries) % endpoints.len()];
        let round = first.address.wrapping_add(tries / endpoints.len());
        let address = match endpoint.addresses.len() {
            0 => None,
            count => Some(endpoint.addresses[round % count]),
        };
        (endpoint, address)
    }

    /// Calls the service. On failure nothing of a response has been read, and `line` is no longer of use for a body.
    pub async fn call<'x>(
        &self,
        call: &Call<'_>,
        head: &RequestHead,
        line: Line<'x, '_>,
        limits: &'x Limits,
        counters: &Counters,
        spans: &mut Spans,
    ) -> Result<Answered<'x>, Fault> {
        let service = call.service;
        let first = match call.endpoints() {
            [endpoint] if endpoint.addresses.len() <= 1 => Turn::default(),
            _ => self.turn(service.slot, |turn| {
                let first = *turn;
                turn.endpoint = turn.endpoint.wrapping_add(1);
                first
            }),
        };
        let deadline_ms = clock::coarse_ms() + service.request_timeout.as_millis() as u64;
        let Line { input, output, peer } = line;
        let mut input = Some(input);
        let (mut tries, mut fresh) = (0u32, false);
        loop {
            let (endpoint, address) = Self::choose(call, &first, tries as usize);
            // Every path that comes round again has put the input back.
            let Some(lent) = input.take() else { return Err(Fault::ClientClosed) };
            let attempt = Attempt {
                upstreams: self,
                call,
                endpoint,
                fresh,
                deadline_ms,
                head,
                peer,
                limits,
                counters,
                spans: &mut *spans,
            };
            let failed = match attempt.run(address, lent, output).await {
                Ok(answered) => return Ok(answered),
                Err(failed) => failed,
            };
            let is_repeatable = !failed.is_sent || is_idempotent(head.method());
            input = failed.input;
            if !is_repeatable || input.is_none() || !failed.fault.is_worth_retrying() {
                if failed.fault.culprit() == Culprit::Upstream {
                    counters.upstream_error(call.route);
                }
                return Err(failed.fault);
            }
            if failed.was_reused && !fresh {
                // The upstream closed a kept connection: no failure of the service. Once more, on a fresh one.
                fresh = true;
                counters.upstream_retries.add(1);
                continue;
            }
            counters.upstream_error(call.route);
            if tries >= service.retries {
                return Err(failed.fault);
            }
            tries += 1;
            fresh = true;
            if matches!(failed.fault, Fault::ConnectFailed | Fault::ConnectTimeout)
                && endpoint.addresses.len() > 1
            {
                self.turn(service.slot, |turn| turn.address = turn.address.wrapping_add(1));
            }
            // Another endpoint or address is asked at once; one that failed already gets time to recover.
            if (tries as usize).is_multiple_of(call.alternatives()) {
                if clock::coarse_ms() + service.retry_wait.as_millis() as u64 >= deadline_ms {
                    return Err(failed.fault);
                }
                // Boxed, as all rare waits: every connection has room for its largest future.
                spans.wait(Box::pin(sleep(service.retry_wait))).await;
            }
            counters.upstream_retries.add(1);
        }
    }
}
