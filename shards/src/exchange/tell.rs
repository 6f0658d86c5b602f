//! What an exchange says of a fault: to the log, with the module and the function it happened in.

use super::Exchange;
use crate::fault::Fault;
use crate::outbox::Detail;
use crate::script::{self, Trouble};
use tidegate_js::Function;

impl Exchange<'_, '_> {
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
        let lender = &self.local.lender;
        let route = self.route.map(|route| &**route);
        let detail = Detail { request_id: self.id.map(script::show_id), ..detail };
        lender.outbox.fault(&lender.counters, fault, route, self.peer.address.ip(), detail);
    }
}
