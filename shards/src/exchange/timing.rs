//! Whether an exchange tells its client where the time went, and what: read from the clock only where it is told.

use super::{Exchange, Run};
use crate::profile::ServerTiming;
use crate::respond::Timing;
use tidegate_codec::RequestHead;
use tidegate_reactor::clock;

/// The field by which a request asks. It is for this gateway and goes no further.
const ASKS: &[u8] = b"x-server-timing";

/// Whether it is told in answer to this request.
pub(super) fn is_told(wanted: ServerTiming, head: &mut RequestHead) -> bool {
    if wanted == ServerTiming::Never {
        return false;
    }
    let is_asked = head.fields.get(ASKS).map(|value| value == b"1");
    if is_asked.is_some() {
        head.fields.remove(ASKS);
    }
    wanted == ServerTiming::Always || is_asked == Some(true)
}

impl Exchange<'_, '_> {
    /// What is known now, where it is told.
    pub(super) fn timing(&self) -> Option<Timing> {
        let mut spans = self.spans;
        let began = self.told_from?;
        spans.module_ns += self.run.as_ref().map_or(0, Run::spent_ns);
        Some(Timing { so_far_ns: clock::precise_ns() - began, spans })
    }
}
