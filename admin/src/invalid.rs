//! A broken rule of the configuration: where and why. All of them are collected into one answer.

use serde::{Deserialize, Serialize};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// Path of the field, `urls[0]` or `routes/api.service`; empty for the resource as a whole.
    pub at: String,
    /// What is wrong and what to do, in one sentence without a full stop.
    pub why: String,
}

impl Invalid {
    /// A fault at a path.
    pub fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self { at: at.into(), why: why.into() }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() { f.write_str(&self.why) } else { write!(f, "{}: {}", self.at, self.why) }
    }
}
