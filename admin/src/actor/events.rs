//! Log lines that shards hand over. Written with structured fields, and bounded: what one source repeats too often in a
//! second is counted and told once, so that no client and no module can fill the disk.

use std::collections::HashMap;
use std::sync::Arc;
use tidegate_snapshot::{Event, EventLevel};

/// Lines a second of one source: a name of an event together with the module or route it is about.
const PER_SOURCE: u64 = 10;
/// Lines a second of one name of an event.
const PER_NAME: u64 = 100;
/// Sources told apart in one second; more share the count of their name.
const SOURCES: usize = 1024;
/// The event whose lines are a module's own words.
const CONSOLE: &str = "console";

type Source = (&'static str, Option<Arc<str>>);

/// Lets events through, or counts them.
pub(super) struct EventLog {
    /// Least loud console line that is written.
    console_level: EventLevel,
    sources: HashMap<Source, u64>,
    /// Seen and held back.
    names: HashMap<&'static str, (u64, u64)>,
}

fn loudness(level: EventLevel) -> u8 {
    match level {
        EventLevel::Debug => 0,
        EventLevel::Info => 1,
        EventLevel::Warn => 2,
        EventLevel::Error => 3,
    }
}

impl EventLog {
    pub(super) fn new(console_level: EventLevel) -> Self {
        Self { console_level, sources: HashMap::new(), names: HashMap::new() }
    }

    /// Writes an event, if there is room for it in this second.
    pub(super) fn event(&mut self, event: &Event) {
        if self.admits(event) {
            write(event);
        }
    }

    fn admits(&mut self, event: &Event) -> bool {
        if event.what == CONSOLE && loudness(event.level) < loudness(self.console_level) {
            return false;
        }
        let about = event.module.clone().or_else(|| event.route.clone());
        let (written, held_back) = self.names.entry(event.what).or_default();
        let known = self.sources.len();
        let of_source = match self.sources.entry((event.what, about)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) if known < SOURCES => entry.insert(0),
            std::collections::hash_map::Entry::Vacant(_) => &mut 0,
        };
        if *written >= PER_NAME || *of_source >= PER_SOURCE {
            *held_back += 1;
            return false;
        }
        *written += 1;
        *of_source += 1;
        true
    }

    /// A second has passed: tells what was held back and begins again.
    pub(super) fn roll(&mut self) {
        for (what, held_back) in self.drain() {
            tracing::warn!(target: "tidegate::shard", what, held_back, "more of these were not written");
        }
    }

    fn drain(&mut self) -> Vec<(&'static str, u64)> {
        self.sources.clear();
        self.names.drain().filter(|(_, (_, held))| *held > 0).map(|(what, (_, held))| (what, held)).collect()
    }
}

/// One event, one line: a module's error text may hold whatever a client sent, and must not be able to end the line,
/// to colour a terminal or to turn the direction of the text (the class of CVE-2021-42574).
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(" | ");
        }
        for c in part.chars() {
            let turns =
                matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
            if c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}') {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
    }
    line
}

fn write(event: &Event) {
    let Event {
        shard, level, what, route, module, source, function, request_id, client, text, stack, ..
    } = event;
    let text = one_line(&format!("{text}\n{stack}"));
    let (route, module, source) = (route.as_deref(), module.as_deref(), source.as_deref());
    let request_id = request_id.as_deref();
    let client = client.map(tracing::field::display);
    // The macro wants its level when it is compiled.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(target: "tidegate::shard", shard, what, route, module, source, function, request_id, client, "{text}")
        };
    }
    match level {
        EventLevel::Debug => line!(debug),
        EventLevel::Info => line!(info),
        EventLevel::Warn => line!(warn),
        EventLevel::Error => line!(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: &'static str, module: Option<&str>, level: EventLevel) -> Event {
        let module = module.map(Into::into);
        Event { module, ..Event::new(0, level, what, String::new()) }
    }

    #[test]
    fn an_event_is_one_line() {
        for (text, expected) in [
            (
                "Error: no\n    at f (a.ts:1:2)\n    at g (a.ts:3:4)\n",
                "Error: no | at f (a.ts:1:2) | at g (a.ts:3:4)",
            ),
            ("a\r\n2026 INFO forged", "a | 2026 INFO forged"),
            ("\u{1b}[31mred\u{202e}", "\\u{1b}[31mred\\u{202e}"),
            ("", ""),
        ] {
            assert_eq!(one_line(text), expected);
        }
    }

    #[test]
    fn a_flood_is_counted_and_leaves_room_for_others() {
        let mut log = EventLog::new(EventLevel::Info);
        let mut admitted = |what, module| log.admits(&event(what, module, EventLevel::Warn));
        let loud = (0..1_000).filter(|_| admitted("console", Some("a/loud"))).count();
        assert_eq!(loud, 10);
        assert!(admitted("console", Some("a/quiet")));
        assert!(admitted("header_timeout", None));
        assert_eq!(log.drain(), [("console", 990)]);
        assert!(
            log.admits(&event("console", Some("a/loud"), EventLevel::Warn)),
            "the next second is a new one"
        );
        assert_eq!(log.drain(), []);
    }

    #[test]
    fn many_sources_share_the_bound_of_their_name() {
        let mut log = EventLog::new(EventLevel::Info);
        let names: Vec<String> = (0..5_000).map(|n| format!("a/{n}")).collect();
        let admitted = names
            .iter()
            .filter(|name| log.admits(&event("module_error", Some(name), EventLevel::Error)))
            .count();
        assert_eq!(admitted, 100);
        assert!(log.sources.len() <= SOURCES);
    }

    #[test]
    fn consoles_have_a_level() {
        let mut log = EventLog::new(EventLevel::Warn);
        for (what, level, expected) in [
            ("console", EventLevel::Info, false),
            ("console", EventLevel::Warn, true),
            ("header_timeout", EventLevel::Debug, true),
        ] {
            assert_eq!(log.admits(&event(what, None, level)), expected, "{what} {level:?}");
        }
    }
}
