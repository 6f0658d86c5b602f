//! What an exchange says of itself: of a fault, to the log, with the module and the function it happened in; and at its
//! end, to the counters and the access record.

use super::Exchange;
use crate::fault::Fault;
use crate::outbox::Detail;
use crate::record::Line;
use crate::respond;
use crate::script::{self, Trouble};
use crate::wire::Input;
use std::mem::take;
use tidegate_js::Function;
use tidegate_snapshot::Route;

/// After so long a client may have given up: it is looked whether the response has found one.
const LONG_NS: u64 = 1_000_000_000;

impl<'t> Exchange<'t, '_> {
    /// Its route was found: takes what will be asked of it at the end, when it is cold.
    pub(super) fn take_note(&mut self, route: &'t Route) {
        self.route = Some(route);
        self.owner = route.into();
        self.is_hidden = route.service.as_ref().is_some_and(|service| service.hide_gateway_headers);
    }

    /// It is over: counts it, and writes its record.
    pub(super) fn end(self, started: u64, status: u16, input: &mut Input) {
        let ended = self.output.writer.sent_ns().max(started);
        input.arrived_ns = ended;
        let (route, duration_ns, mut spans) = (self.route, ended - started, self.spans);
        // Looking costs a system call, which only what has taken long may cost.
        let is_lost = duration_ns > LONG_NS && self.fault.get().is_none() && self.output.writer.is_lost();
        if is_lost {
            self.note(Some(Fault::ClientClosed));
        }
        // Nobody has got the status that was meant for it.
        let is_unheard = self.output.written_bytes == 0 || (is_lost && self.awaited_ns.is_none());
        let status = match self.fault.get() {
            Some(fault @ Fault::ClientClosed) if is_unheard => respond::status(fault),
            _ => status,
        };
        let stalled_ns = self.output.take_stalled_ns();
        spans.waited_ns += stalled_ns;
        if let Some(awaited_ns) = self.awaited_ns {
            // What the client kept it waiting is none of the upstream's.
            spans.transfer_ns = ended.saturating_sub(awaited_ns + stalled_ns);
        }
        spans.settle(duration_ns);
        let (sent_bytes, received_bytes) =
            (take(&mut self.output.written_bytes), take(&mut input.read_bytes));
        let (lender, records) = (&self.local.lender, &self.local.records);
        lender.counters.request(self.owner, route, status, duration_ns);
        lender.profile.record(route, duration_ns, &spans);
        lender.counters.sent_bytes.add(sent_bytes);
        lender.counters.received_bytes.add(received_bytes);
        records.add(&Line {
            shard: lender.outbox.shard,
            peer: self.peer,
            head: Some(self.head),
            route,
            status,
            fault: self.fault.get(),
            received_bytes,
            sent_bytes,
            head_bytes: self.output.head_bytes,
            ended_ns: ended,
            duration_ns,
            spans: &spans,
            said: self.said.as_ref(),
        });
        records.forget(self.said);
    }

    pub(super) fn explain(&self, trouble: &Trouble) {
        let (text, stack) = match &trouble.failure {
            Some(failure) => (failure.message.as_str(), failure.stack.as_str()),
            None => ("", ""),
        };
        let function = trouble.function.map(Function::name);
        self.say(
            trouble.fault,
            Detail { module: trouble.module.as_ref(), function, text, stack, request_id: None },
        );
    }

    pub(super) fn note(&self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            let text = "after the response's head had left";
            self.say(fault, Detail { text, ..Detail::default() });
        }
    }

    fn say(&self, fault: Fault, detail: Detail<'_>) {
        self.fault.set(self.fault.get().or(Some(fault)));
        let lender = &self.local.lender;
        let detail = Detail { request_id: self.id.map(script::show_id), ..detail };
        lender.outbox.fault(&lender.counters, fault, self.route, self.peer.address.ip(), detail);
    }
}
