//! The shard's way to the admin: log lines that are counted when they find the mailbox full, and what a fault says.
//! Nothing here waits.

use crate::counters::Counters;
use crate::fault::{Culprit, Fault};
use std::net::IpAddr;
use std::sync::Arc;
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{Event, EventLevel, Route, ToAdmin};

/// The shard's way to the admin.
pub struct Outbox {
    /// The admin's mailbox.
    pub admin: QueueWriter<ToAdmin>,
    /// Index of this shard.
    pub shard: u16,
}

impl Outbox {
    /// Sends an event, or counts that it was dropped.
    pub fn event(&self, counters: &Counters, event: Event) {
        if self.admin.send(ToAdmin::Event(event)).is_err() {
            counters.events_dropped.add(1);
        }
    }

    /// A warning about the shard itself.
    pub fn warn(&self, counters: &Counters, what: &'static str, text: String) {
        let (route, module, client) = (None, None, None);
        self.event(
            counters,
            Event { shard: self.shard, level: EventLevel::Warn, what, route, module, client, text },
        );
    }

    /// Counts a fault and says so where a person should know.
    pub fn fault(
        &self,
        counters: &Counters,
        fault: Fault,
        route: Option<&Route>,
        client: IpAddr,
        detail: &str,
    ) {
        counters.fault(fault.name());
        if !fault.is_worth_a_line() {
            return;
        }
        let level = match fault.culprit() {
            Culprit::Client => EventLevel::Info,
            Culprit::Gateway | Culprit::Upstream => EventLevel::Warn,
            Culprit::Module => EventLevel::Error,
        };
        let module = route
            .and_then(|route| route.pipeline.as_ref())
            .filter(|_| fault.culprit() == Culprit::Module)
            .map(|pipeline| &pipeline.stages[0].variants[0].script);
        let event = Event {
            shard: self.shard,
            level,
            what: fault.name(),
            route: route.map(|route| route.key.clone()),
            module: module.map(|script| Arc::clone(&script.key)),
            client: Some(client),
            text: detail.to_string(),
        };
        self.event(counters, event);
    }
}
