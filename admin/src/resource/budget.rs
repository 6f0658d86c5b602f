//! A module's own limits as they were written: what it says replaces the gateway's flags, what it leaves out stays with
//! them. The bounds here are what no module may go beyond, whoever writes it; they never depend on flags, so that every
//! node accepts the same modules.

use super::size::parse_size;
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_snapshot::ModuleLimits;

/// A minute: a call that computes for longer is no part of answering a request.
const MAX_CPU_MS: u32 = 60_000;
/// Less starts no context; a black-box test runs a module with this.
const MIN_MEMORY: u64 = 2 << 20;
/// One script's heap, and that on each shard.
const MAX_MEMORY: u64 = 1 << 30;
/// What evaluating the gateway's own part of a context needs, with room for the module's; tested alike.
const MIN_STACK: u64 = 64 << 10;
/// Half of a shard's own stack, below which the gateway still has to work.
const MAX_STACK: u64 = 1 << 20;
/// A collected body stands in memory at least twice: as bytes here and as a value of the engine.
const MAX_BODY: u64 = 256 << 20;
/// More than anybody's page needs, and few enough to take no shard's connections away from the others.
const MAX_AT_ONCE: u32 = 1_024;

/// What one call may use. Everything that is left out is the gateway's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// CPU time of one call, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_CPU_MS))]
    pub cpu_ms: Option<u32>,
    /// Heap of all calls of the module on one shard, in bytes; `"32m"` is read as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_MEMORY, max = MAX_MEMORY))]
    pub memory_bytes: Option<u64>,
    /// Stack of a call, in bytes; `"256k"` is read as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_STACK, max = MAX_STACK))]
    pub stack_bytes: Option<u64>,
    /// Largest body that may be collected, in bytes; `"8m"` is read as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_BODY))]
    pub body_bytes: Option<u64>,
    /// `fetch` calls at once per request; 0 allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_AT_ONCE))]
    pub fetches: Option<u32>,
    /// Timers at once per request; 0 allows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = MAX_AT_ONCE))]
    pub timers: Option<u32>,
    /// Other operations at once per request: bodies, writes, sleeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MAX_AT_ONCE))]
    pub pending: Option<u32>,
}

/// Version 2's way of writing keys, and ours.
const ALIASES: [(&str, &str); 4] = [
    ("cpu_ms", "cpuMs"),
    ("memory_bytes", "memoryBytes"),
    ("stack_bytes", "stackBytes"),
    ("body_bytes", "bodyBytes"),
];

impl Budget {
    /// The limits of a call, where `defaults` are what the flags say.
    pub(crate) fn over(&self, defaults: ModuleLimits) -> ModuleLimits {
        // Checked to fit when it was written; a number of a later build that does not is no reason to fail.
        let bytes = |own: Option<u64>, default| own.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
        ModuleLimits {
            cpu_ms: self.cpu_ms.unwrap_or(defaults.cpu_ms),
            memory_bytes: bytes(self.memory_bytes, defaults.memory_bytes),
            stack_bytes: bytes(self.stack_bytes, defaults.stack_bytes),
            body_bytes: bytes(self.body_bytes, defaults.body_bytes),
            fetches: self.fetches.unwrap_or(defaults.fetches),
            timers: self.timers.unwrap_or(defaults.timers),
            pending: self.pending.unwrap_or(defaults.pending),
        }
    }
}

/// Brings the spellings of `limits` to one: camelCase keys, whole bytes, nothing that is null.
pub(super) fn normalise(limits: &mut Map<String, Value>, faults: &mut Vec<Invalid>) {
    for (from, to) in ALIASES {
        let Some(value) = limits.remove(from) else { continue };
        if limits.contains_key(to) {
            let why = format!("says the same as '{to}': leave one of them out");
            faults.push(Invalid::new(format!("limits.{from}"), why));
        } else {
            limits.insert(to.to_owned(), value);
        }
    }
    limits.retain(|_, value| !value.is_null());
    for key in ["memoryBytes", "stackBytes", "bodyBytes"] {
        let Some(text) = limits.get(key).and_then(Value::as_str) else { continue };
        match parse_size(text) {
            Ok(bytes) => drop(limits.insert(key.to_owned(), bytes.into())),
            Err(why) => {
                faults.push(Invalid::new(format!("limits.{key}"), why));
                limits.remove(key);
            }
        }
    }
}
