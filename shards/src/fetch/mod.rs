//! `fetch` of modules: one request and its answer on a connection of the shard's pool. The address is judged after the
//! name was resolved and before every connection; redirects are the prelude's, and come back here as new requests.
//!
//! Nothing a module says reaches a socket unparsed, and nothing outlives the future and the body that it was given.

mod address;
mod download;
mod egress;
mod head;
mod hop;
mod trouble;
mod upload;
mod url;

use crate::counters::Counters;
use crate::limits::Limits;
use crate::names::Names;
use crate::pool::{Destination, Pool, Unconnected};
use crate::secure::Server;
use crate::surroundings::Surroundings;
use egress::Barred;
use hop::{Due, Failed, Request, Sent};
use http::Method;
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_js::{HttpBody, HttpRequest, HttpResponse, Refused};
use tidegate_reactor::{Either, clock, race, sleep};
use trouble::Trouble;
use url::{BadUrl, Url};

/// Addresses of one name that are tried until one accepts.
const MAX_ADDRESSES: usize = 4;

/// What a shard fetches with.
pub struct Fetcher {
    /// Bounds.
    pub limits: Limits,
    /// What is counted.
    pub counters: Rc<Counters>,
    /// Connections, the same that services use.
    pub pool: Rc<Pool>,
    /// Names.
    pub names: Rc<Names>,
    /// How servers are spoken to over TLS.
    pub tls: Arc<ClientConfig>,
    /// What must not be reached.
    pub around: Arc<Surroundings>,
}

/// Counts a fetch as under way, from its start to the end of its answer's body.
pub struct Ongoing(Rc<Counters>);

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.fetch_open.sub(1);
    }
}

impl Fetcher {
    /// One request. Dropping the future ends it and closes its connection.
    ///
    /// # Errors
    /// A sentence for the module's author.
    pub async fn fetch(self: Rc<Self>, request: HttpRequest) -> Result<HttpResponse, Refused> {
        self.counters.fetches.add(1);
        self.run(request).await.map_err(|trouble| {
            match trouble {
                Trouble::Barred(..) => self.counters.fetch_refused.add(1),
                _ => self.counters.fetch_errors.add(1),
            }
            Refused(trouble.to_string())
        })
    }

    /// Whether an address is the gateway's own admin API, which nothing that a module names may reach.
    pub fn is_admin(&self, address: SocketAddr) -> bool {
        egress::is_admin(address, &self.around)
    }

    fn begin(&self) -> Result<Ongoing, Trouble> {
        if self.counters.fetch_open.get() >= self.limits.fetch_max as u64 {
            return Err(Trouble::Crowded(self.limits.fetch_max));
        }
        self.counters.fetch_open.add(1);
        Ok(Ongoing(self.counters.clone()))
    }

    async fn run(self: &Rc<Self>, asked: HttpRequest) -> Result<HttpResponse, Trouble> {
        let mut ongoing = self.begin()?;
        let request = Request {
            method: head::method(&asked.method)?,
            url: Url::parse(asked.url).map_err(Trouble::Url)?,
            fields: head::fields(&asked.fields)?,
            body: match asked.body {
                HttpBody::Empty => Sent::Empty,
                HttpBody::Whole(bytes) => Sent::Whole(bytes.into()),
                HttpBody::Stream(pieces) => Sent::Pieces(pieces),
            },
            due: Due {
                most: self.limits.fetch_timeout,
                own_ms: asked.timeout_ms,
                began_ms: clock::coarse_ms(),
            },
        };
        let server = match request.url.is_secure() {
            true => {
                Some(Rc::new(Server::new(&self.tls, request.url.host()).ok_or(Trouble::Url(BadUrl::Host))?))
            }
            false => None,
        };
        let addresses = self.addresses(&request).await?;
        let mut failed = None;
        let allowed = self.allowed(&addresses, asked.allow_private)?;
        for (tried, address) in allowed.iter().enumerate() {
            let destination = Destination { address: *address, server: server.clone() };
            let others = (allowed.len() - tried - 1) as u32;
            match self.call(&request, &destination, others, ongoing).await {
                Ok(response) => return Ok(response),
                // Nothing was sent: another address may do better.
                Err((trouble @ Trouble::Connect(..), back)) => {
                    failed = Some(trouble);
                    ongoing = back;
                }
                Err((trouble, _)) => return Err(trouble),
            }
        }
        Err(failed.unwrap_or_else(|| Trouble::Unresolved("the name has no addresses".into())))
    }

    async fn addresses(&self, request: &Request) -> Result<Box<[SocketAddr]>, Trouble> {
        let (host, port) = (request.url.host(), request.url.port());
        match request.url.address() {
            Some(literal) => Ok(Box::new([SocketAddr::new(literal, port)])),
            None => {
                let resolved = self.names.resolve(host, port, &self.limits);
                match race(resolved, sleep(request.due.left())).await {
                    Either::Left(addresses) => addresses.map_err(Trouble::Unresolved),
                    Either::Right(()) => Err(request.due.late()),
                }
            }
        }
    }

    /// Those that may be connected to; if there is none, why.
    fn allowed(&self, addresses: &[SocketAddr], allow_private: bool) -> Result<Vec<SocketAddr>, Trouble> {
        let mut barred = None;
        let mut allowed = Vec::new();
        for address in addresses {
            match egress::judge(*address, allow_private, &self.around) {
                Ok(()) => allowed.push(*address),
                Err(why) => barred = barred.or(Some((*address, why))),
            }
        }
        allowed.truncate(MAX_ADDRESSES);
        match barred {
            Some((address, why)) if allowed.is_empty() => Err(Trouble::Barred(address, why)),
            _ => Ok(allowed),
        }
    }

    /// One address: a kept connection if there is one, and a fresh one if that turns out dead. Time is left for
    /// connecting to so many others.
    async fn call(
        self: &Rc<Self>,
        request: &Request,
        destination: &Destination,
        others: u32,
        mut ongoing: Ongoing,
    ) -> Result<HttpResponse, (Trouble, Ongoing)> {
        let address = destination.address;
        // Pieces can be had once: they are not risked on a connection that may be dead.
        let mut fresh = matches!(request.body, Sent::Pieces(_));
        loop {
            let left = request.due.left();
            if left.is_zero() {
                return Err((request.due.late(), ongoing));
            }
            // A module's fetch is module time, whatever it waits for.
            let mut unseen = 0;
            let checkout = self.pool.checkout(
                destination,
                fresh,
                left / (others + 1),
                &self.limits,
                &self.counters,
                &mut unseen,
            );
            let link = match checkout.await {
                Ok(link) => link,
                Err(unconnected) => {
                    let trouble = match unconnected {
                        Unconnected::Busy => Trouble::Busy(address),
                        Unconnected::Late if others > 0 => {
                            Trouble::Connect(address, io::ErrorKind::TimedOut.into())
                        }
                        Unconnected::Late => request.due.late(),
                        Unconnected::Refused(error) => Trouble::Connect(address, error),
                        Unconnected::Insecure(insecure) => Trouble::Insecure(insecure),
                    };
                    return Err((trouble, ongoing));
                }
            };
            // An address that this host got after the start: known only once the connection is there.
            if egress::is_admin_port(address.port(), &self.around) && link.input.reader.leads_to_this_host() {
                return Err((Trouble::Barred(address, Barred::Admin), ongoing));
            }
            match hop::run(self, request, link, ongoing).await {
                Ok(response) => return Ok(response),
                Err((Failed { is_stale: true, .. }, back)) if !fresh && is_idempotent(&request.method) => {
                    self.counters.upstream_retries.add(1);
                    fresh = true;
                    ongoing = back;
                }
                Err((failed, back)) => return Err((failed.trouble, back)),
            }
        }
    }
}

#[cfg(test)]
mod tests;

/// Methods whose repetition means the same as one (RFC 9110 section 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
