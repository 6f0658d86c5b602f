//! Calling a service: pick an endpoint, get a connection, send the request, read the response's head; again on another
//! connection or endpoint where that is safe. The response's body is not read here.
//!
//! A request is sent again only if nothing of it was sent, or if its method is idempotent and its body is still here;
//! never after a byte of a response, and never past the service's deadline.

mod attempt;
mod pool;
mod request;

pub use pool::Pool;

use crate::counters::Counters;
use crate::fault::{Culprit, Fault};
use crate::limits::Limits;
use crate::link::Answered;
use crate::wire::{Input, Output, Peer};
use attempt::Attempt;
use http::Method;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use tidegate_codec::RequestHead;
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
    pub pool: Pool,
    /// Round robin, by service slot.
    turns: RefCell<Vec<Cell<u32>>>,
}

/// Methods whose repetition means the same as one (RFC 9110 section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}

impl Upstreams {
    fn turn(&self, slot: u32) -> u32 {
        let mut turns = self.turns.borrow_mut();
        let at = slot as usize;
        if at >= turns.len() {
            turns.resize_with(at + 1, Cell::default);
        }
        let turn = turns[at].get();
        turns[at].set(turn.wrapping_add(1));
        turn
    }

    /// The n-th choice of a call: endpoints in turn, and the addresses of each in turn.
    fn choose<'a>(call: &'a Call<'_>, turn: usize) -> (&'a Endpoint, Option<SocketAddr>) {
        let endpoints = match &call.chosen {
            Some(endpoint) => std::slice::from_ref(endpoint),
            None => &call.service.endpoints[..],
        };
        let endpoint = &endpoints[turn % endpoints.len()];
        let address = match endpoint.addresses.len() {
            0 => None,
            count => Some(endpoint.addresses[(turn / endpoints.len()) % count]),
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
    ) -> Result<Answered<'x>, Fault> {
        let service = call.service;
        let endpoints = if call.chosen.is_some() { 1 } else { service.endpoints.len() };
        let first = if endpoints > 1 { self.turn(service.slot) as usize } else { 0 };
        let deadline_ms = clock::coarse_ms() + service.request_timeout.as_millis() as u64;
        let Line { input, output, peer } = line;
        let mut input = Some(input);
        let (mut tries, mut fresh) = (0u32, false);
        loop {
            let (endpoint, address) = Self::choose(call, first + tries as usize);
            // Every path that comes round again has put the input back.
            let Some(lent) = input.take() else { return Err(Fault::ClientClosed) };
            let attempt =
                Attempt { upstreams: self, call, endpoint, fresh, deadline_ms, head, peer, limits, counters };
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
            // Another endpoint is asked at once; one that failed already gets time to recover.
            if (tries as usize).is_multiple_of(endpoints) {
                if clock::coarse_ms() + service.retry_wait.as_millis() as u64 >= deadline_ms {
                    return Err(failed.fault);
                }
                // Boxed, as all rare waits: every connection has room for its largest future.
                Box::pin(sleep(service.retry_wait)).await;
            }
            counters.upstream_retries.add(1);
        }
    }
}
