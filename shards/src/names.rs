//! Host names that only modules know: the admin resolves them, and the shard believes the answer for a while. Nothing
//! here resolves, and nothing here decides whether an address may be called.

use crate::limits::Limits;
use crate::tickets::Tickets;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_mailbox::QueueWriter;
use tidegate_reactor::{Either, clock, race, sleep};
use tidegate_snapshot::ToAdmin;

/// How long a module waits for the admin before a name is called unresolved.
const PATIENCE: Duration = Duration::from_secs(20);

/// At least one address, or a sentence.
type Answer = Result<Vec<SocketAddr>, String>;

struct Known {
    until_ms: u64,
    addresses: Box<[SocketAddr]>,
}

/// The names of one shard.
pub struct Names {
    admin: QueueWriter<ToAdmin>,
    shard: u16,
    asked: Tickets<Answer>,
    known: RefCell<HashMap<(String, u16), Known>>,
}

impl Names {
    /// Knows no name yet.
    pub fn new(admin: QueueWriter<ToAdmin>, shard: u16) -> Self {
        Self { admin, shard, asked: Tickets::default(), known: RefCell::default() }
    }

    /// The admin's answer has come.
    pub fn answer(&self, ticket: u64, outcome: Answer) {
        self.asked.answer(ticket, outcome);
    }

    /// The addresses of a host (lower case), each with the port.
    pub async fn resolve(&self, host: &str, port: u16, limits: &Limits) -> Result<Box<[SocketAddr]>, String> {
        let now = clock::coarse_ms();
        let key = (host.to_owned(), port);
        if let Some(known) = self.known.borrow().get(&key)
            && known.until_ms > now
        {
            return Ok(known.addresses.clone());
        }
        let ticket = self.asked.open();
        let question =
            ToAdmin::Resolve { shard: self.shard, ticket: ticket.id(), host: host.to_owned(), port };
        self.admin.send(question).map_err(|_| "the admin plane is busy".to_string())?;
        let addresses: Box<[SocketAddr]> = match race(ticket.answer(), sleep(PATIENCE)).await {
            Either::Left(answer) => answer?.into(),
            Either::Right(()) => return Err("the resolver did not answer".into()),
        };
        let mut known = self.known.borrow_mut();
        if known.len() >= limits.resolved_names {
            known.retain(|_, known| known.until_ms > now);
        }
        if known.len() < limits.resolved_names {
            let until_ms = now + limits.resolved_ttl.as_millis() as u64;
            known.insert(key, Known { until_ms, addresses: addresses.clone() });
        }
        Ok(addresses)
    }
}
