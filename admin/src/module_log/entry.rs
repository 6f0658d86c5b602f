//! One entry of a module's log: what it holds, and how it is written as JSON.

use crate::store::rfc3339;
use serde_json::{Value, json};
use std::sync::Arc;
use tidegate_snapshot::{Event, EventKind, EventLevel};

/// Room that an entry takes besides its text.
const OVERHEAD_BYTES: usize = 192;

/// How loud an entry is; they are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of a name in any case; `log` is `info`, as on the console.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Self::ALL.into_iter().find(|level| level.name() == lower).or(match &*lower {
            "log" => Some(Self::Info),
            "warning" => Some(Self::Warn),
            _ => None,
        })
    }
}

/// An entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Grows with every entry of the node; given when it is added.
    pub(crate) seq: u64,
    /// Milliseconds since the epoch.
    pub(crate) at_ms: u64,
    pub(crate) level: Level,
    /// `console`, `error`, `limit` or `scheduled`.
    pub(crate) kind: &'static str,
    /// Stable name of what happened: `console`, `module_error`, `module_cpu_limit`.
    pub(crate) what: &'static str,
    /// The imported module that wrote it; `None` for the module itself.
    pub(crate) source: Option<Box<str>>,
    pub(crate) function: Option<&'static str>,
    /// `namespace/route`.
    pub(crate) route: Option<Arc<str>>,
    pub(crate) request_id: Option<Box<str>>,
    /// `None` for what did not happen on a shard.
    pub(crate) shard: Option<u16>,
    pub(crate) text: String,
    /// Frames, one a line.
    pub(crate) stack: String,
}

impl Entry {
    /// The entry of a shard's event; `None` if it is not for a module's log.
    pub(crate) fn of(event: &Event, at_ms: u64) -> Option<Self> {
        let kind = match event.kind {
            EventKind::Gateway => return None,
            EventKind::Console => "console",
            EventKind::Error => "error",
            EventKind::Limit => "limit",
            EventKind::Scheduled => "scheduled",
        };
        let level = match event.level {
            EventLevel::Debug => Level::Debug,
            EventLevel::Info => Level::Info,
            EventLevel::Warn => Level::Warn,
            EventLevel::Error => Level::Error,
        };
        Some(Self {
            seq: 0,
            at_ms,
            level,
            kind,
            what: event.what,
            source: event.source.clone(),
            function: event.function,
            route: event.route.clone(),
            request_id: event.request_id.clone(),
            shard: Some(event.shard),
            text: event.text.clone(),
            stack: event.stack.clone(),
        })
    }

    /// Whether the module wrote it itself.
    pub(crate) fn is_console(&self) -> bool {
        self.kind == "console"
    }

    /// About the memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let optional = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
        OVERHEAD_BYTES
            + self.text.len()
            + self.stack.len()
            + optional(&self.source)
            + optional(&self.request_id)
    }

    /// As the API shows it.
    pub(crate) fn json(&self) -> Value {
        let stack: Vec<&str> = self.stack.lines().map(str::trim).filter(|frame| !frame.is_empty()).collect();
        json!({
            "seq": self.seq,
            "at": rfc3339(self.at_ms),
            "level": self.level.name(),
            "kind": self.kind,
            "what": self.what,
            "source": self.source,
            "function": self.function,
            "route": self.route.as_deref(),
            "request_id": self.request_id,
            "shard": self.shard,
            "text": self.text,
            "stack": stack,
        })
    }
}
