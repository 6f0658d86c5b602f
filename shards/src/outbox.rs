//! The shard's way to the admin: log lines that are counted when they find the mailbox full, and what a fault says.
//! Nothing here waits, and no module can fill the mailbox: between two reports each has room for so many lines.

use crate::counters::Counters;
use crate::fault::{Culprit, Fault};
use crate::limits::Limits;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tidegate_js::Cause;
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{Event, EventKind, EventLevel, Route, ToAdmin};

/// What one module has said since the last report.
#[derive(Default)]
struct Spoken {
    lines: u32,
    bytes: usize,
    dropped: u64,
}

/// A module's own words, and what is said of it: who writes much on the console shall still see the errors.
#[derive(Default)]
struct Voices {
    console: Spoken,
    rest: Spoken,
}

/// The shard's way to the admin.
pub struct Outbox {
    /// The admin's mailbox.
    pub admin: QueueWriter<ToAdmin>,
    /// Index of this shard.
    pub shard: u16,
    spoken: RefCell<HashMap<Arc<str>, Voices>>,
    /// Lines and bytes of a module between two reports.
    room: (u32, usize),
}

/// What more is known of a fault than its name.
#[derive(Default)]
pub struct Detail<'a> {
    /// `namespace/module` of the script that failed, where it is not the route's first.
    pub module: Option<&'a Arc<str>>,
    /// The function that failed.
    pub function: Option<&'static str>,
    /// Id of the exchange.
    pub request_id: Option<String>,
    /// Text for a person.
    pub text: &'a str,
    /// Frames, one a line.
    pub stack: &'a str,
}

impl Outbox {
    /// An empty one.
    pub fn new(admin: QueueWriter<ToAdmin>, shard: u16, limits: &Limits) -> Self {
        let room = (limits.module_lines, limits.module_line_bytes);
        Self { admin, shard, spoken: RefCell::default(), room }
    }

    /// Sends an event, or counts that it was dropped.
    pub fn event(&self, counters: &Counters, event: Event) {
        if self.admin.send(ToAdmin::Event(Box::new(event))).is_err() {
            counters.events_dropped.add(1);
        }
    }

    /// Sends an event for a module's log, unless that module has said too much since the last report; `make` is only
    /// asked if it has not. `bytes` is about the size of what it makes.
    pub fn module_event(
        &self,
        counters: &Counters,
        (module, kind): (&Arc<str>, EventKind),
        bytes: usize,
        make: impl FnOnce() -> Event,
    ) {
        {
            let mut spoken = self.spoken.borrow_mut();
            if !spoken.contains_key(module) {
                spoken.insert(module.clone(), Voices::default());
            }
            let voices = spoken.get_mut(module).expect("it was there or has just been made");
            let spoken = if kind == EventKind::Console { &mut voices.console } else { &mut voices.rest };
            if spoken.lines >= self.room.0 || spoken.bytes >= self.room.1 {
                spoken.dropped += 1;
                counters.events_dropped.add(1);
                return;
            }
            spoken.lines += 1;
            spoken.bytes += bytes;
        }
        self.event(counters, make());
    }

    /// Between two reports: tells which modules said too much, and gives all of them room again.
    pub fn roll(&self, counters: &Counters) {
        for (module, Voices { console, rest }) in self.spoken.borrow_mut().drain() {
            let dropped = console.dropped + rest.dropped;
            if dropped > 0 {
                let text = format!("{dropped} lines of this module's log were dropped: too many at once");
                let event = Event::new(self.shard, EventLevel::Warn, "module_log_limit", text);
                self.event(counters, Event { kind: EventKind::Limit, module: Some(module), ..event });
            }
        }
    }

    /// A warning about the shard itself.
    pub fn warn(&self, counters: &Counters, what: &'static str, text: String) {
        self.event(counters, Event::new(self.shard, EventLevel::Warn, what, text));
    }

    /// Counts a fault and says so where a person should know.
    pub fn fault(
        &self,
        counters: &Counters,
        fault: Fault,
        route: Option<&Route>,
        client: IpAddr,
        detail: Detail<'_>,
    ) {
        counters.fault(fault.name());
        if !fault.is_worth_a_line() {
            return;
        }
        let (level, kind) = match (fault.culprit(), fault) {
            (Culprit::Client, _) => (EventLevel::Info, EventKind::Gateway),
            (Culprit::Gateway | Culprit::Upstream, _) => (EventLevel::Warn, EventKind::Gateway),
            (Culprit::Module, Fault::Module(Cause::Thrown | Cause::Internal) | Fault::ModuleUrl) => {
                (EventLevel::Error, EventKind::Error)
            }
            (Culprit::Module, _) => (EventLevel::Error, EventKind::Limit),
        };
        let first = || Some(&route?.pipeline.as_ref()?.stages[0].variants[0].script.key);
        let module = (kind != EventKind::Gateway).then(|| detail.module.or_else(first)).flatten();
        let make = || Event {
            kind,
            route: route.map(|route| route.key.clone()),
            module: module.cloned(),
            function: detail.function,
            request_id: detail.request_id.map(Into::into),
            client: Some(client),
            stack: detail.stack.to_owned(),
            ..Event::new(self.shard, level, fault.name(), detail.text.to_owned())
        };
        match module {
            Some(module) => {
                self.module_event(counters, (module, kind), detail.text.len() + detail.stack.len(), make);
            }
            None => self.event(counters, make()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_mailbox::queue;

    #[test]
    fn a_flood_of_one_module_leaves_room_for_the_others() {
        let (writer, mut reader) = queue(10_000, Arc::new(|| ()));
        let limits = Limits { module_lines: 5, module_line_bytes: 100, ..Limits::default() };
        let (outbox, counters) = (Outbox::new(writer, 3, &limits), Counters::default());
        let (noisy, long, quiet): (Arc<str>, Arc<str>, Arc<str>) =
            ("n/noisy".into(), "n/long".into(), "n/quiet".into());
        let tell = |module: &Arc<str>, kind, bytes| {
            outbox.module_event(&counters, (module, kind), bytes, || Event {
                module: Some(module.clone()),
                ..Event::new(3, EventLevel::Info, "console", String::new())
            });
        };
        let say = |module, bytes| tell(module, EventKind::Console, bytes);
        (0..1_000).for_each(|_| say(&noisy, 1));
        (0..1_000).for_each(|_| say(&long, 90));
        say(&quiet, 1);
        tell(&noisy, EventKind::Error, 1);
        outbox.roll(&counters);
        let mut arrived: Vec<(String, &'static str, String)> = std::iter::from_fn(|| reader.take())
            .map(|message| match message {
                ToAdmin::Event(event) => {
                    (event.module.expect("a module").to_string(), event.what, event.text)
                }
                other => panic!("{other:?}"),
            })
            .collect();
        arrived.sort();
        let of =
            |module: &str, what: &str| arrived.iter().filter(|(m, w, _)| m == module && *w == what).count();
        assert_eq!(
            (of("n/noisy", "console"), of("n/long", "console"), of("n/quiet", "console")),
            (6, 2, 1),
            "the error found room"
        );
        assert_eq!((of("n/noisy", "module_log_limit"), of("n/quiet", "module_log_limit")), (1, 0));
        assert!(arrived.iter().any(|(_, _, text)| text.starts_with("995 lines")), "{arrived:?}");
        say(&noisy, 1);
        assert!(reader.take().is_some(), "after a report there is room again");
    }
}
