//! Answers that are made here and whole: a module's, a fault's, a route's own, the redirect to https. What is answered is
//! decided elsewhere; what becomes of the request's body and the connection is the same for all of them.

use super::{Exchange, Made, Run};
use crate::reply::Own;
use crate::respond;
use crate::wire::Input;
use tidegate_snapshot::DirectResponse;

impl Exchange<'_, '_> {
    /// Sends what a module or a fault made.
    pub(super) async fn send_made(&mut self, made: Made, input: &mut Input) -> (u16, bool) {
        let Made { own, is_upstreams, source } = made;
        if own.pieces.is_some() {
            return Box::pin(self.send_pieces(own, is_upstreams, source, input)).await;
        }
        self.local.records.keep(&mut self.said, &own.head.fields);
        self.run.iter_mut().for_each(Run::rest);
        let is_consumed = self.consume_body(input);
        let ask = self.ask(is_consumed);
        let rules = self.rules(!is_upstreams);
        let sent = respond::send_own(&own, &ask, &rules, self.output, &self.local.limits).await;
        self.note(sent.fault);
        (own.head.status(), ask.is_kept && sent.is_clean)
    }

    /// Sends what the route answers by itself.
    pub(super) async fn send_direct(&mut self, direct: &DirectResponse, input: &mut Input) -> (u16, bool) {
        self.local.records.keep_found(&mut self.said, |name| direct.field(name.as_bytes()));
        let is_consumed = self.consume_body(input);
        let ask = self.ask(is_consumed);
        let rules = self.rules(true);
        let sent = respond::send_direct(direct, &ask, &rules, self.output, &self.local.limits).await;
        self.note(sent.fault);
        (direct.status, ask.is_kept && sent.is_clean)
    }
}

/// The redirect to a url that is made of canonical parts.
pub(super) fn redirect(url: &str) -> Own {
    let mut own = Own::new(308);
    // Nothing in it can be refused.
    let _ = own.head.fields.set(b"Location", url.as_bytes());
    own
}
