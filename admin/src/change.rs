//! A change: what is proposed through Raft. One or many operations that take effect together or not at all. It carries
//! everything that applying it needs, so that the same log gives the same state on every node and every build; nothing
//! in it may depend on a clock, a random number or the node that applies it.

use crate::invalid::Invalid;
use serde::{Deserialize, Serialize};

/// The kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A tenant.
    Namespace,
    /// Upstream endpoints.
    Service,
    /// What requests match.
    Route,
    /// JavaScript or TypeScript.
    Module,
    /// Host patterns of a namespace.
    Domain,
    /// A set of documents with a schema.
    Collection,
    /// JSON data.
    Document,
    /// A value that is never shown.
    Secret,
}

impl Kind {
    /// All kinds, in the order in which they can be created without dangling references.
    pub const ALL: [Self; 8] = [
        Self::Namespace,
        Self::Service,
        Self::Module,
        Self::Route,
        Self::Domain,
        Self::Collection,
        Self::Document,
        Self::Secret,
    ];

    /// Singular name as the API's paths spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Service => "service",
            Self::Route => "route",
            Self::Module => "module",
            Self::Domain => "domain",
            Self::Collection => "collection",
            Self::Document => "document",
            Self::Secret => "secret",
        }
    }
}

/// Names one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Its namespace; for a namespace, its own name.
    pub namespace: String,
    /// Its collection; only documents have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Its name, or a document's id.
    pub name: String,
}

/// One operation of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Op {
    /// Creates or replaces. `value` is the resource in its canonical JSON form (defaults filled in, camelCase).
    Put {
        /// Which resource.
        key: Key,
        /// Its canonical JSON.
        value: serde_json::Value,
    },
    /// Deletes; deleting what is not there is rejected.
    Delete {
        /// Which resource.
        key: Key,
    },
    /// Deletes all documents of a collection.
    DeleteDocuments {
        /// The namespace.
        namespace: String,
        /// The collection.
        collection: String,
    },
    /// Records a run of a job that the cluster runs once. Rejected when that run, or a later one, has begun. It changes
    /// no resource.
    MarkRun(RunMark),
    /// Changes one value of the cluster's cache. It is the only operation of its change.
    Cache {
        /// The namespace.
        namespace: String,
        /// Which value.
        key: String,
        /// What to do with it.
        update: CacheOp,
    },
}

/// The begin or the end of a scheduled run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMark {
    /// Whose job it is.
    pub module: Key,
    /// Which of its jobs.
    pub index: u16,
    /// The times by which it is due, as text.
    pub times: String,
    /// When it was due, milliseconds since the epoch.
    pub due_ms: u64,
    /// The node that runs it.
    pub node: u64,
    /// How it ended; `None` when it is to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// What is done with a value of the cluster's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheOp {
    /// Adds to a whole number, 0 if there is none. The time to live is that of a value that is new.
    Increment {
        /// What is added.
        by: i64,
        /// Milliseconds after the change's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
    /// Writes `value` (none: deletes) if the value is `expected` (none: if there is none).
    CompareAndSet {
        /// What it must be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<CacheValue>,
        /// What it becomes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<CacheValue>,
        /// Milliseconds after the change's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_ms: Option<u64>,
    },
}

/// A value of the cluster's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheValue {
    /// JSON text, compared as it is.
    Json(String),
    /// Bytes; base64 in the log.
    Bytes(#[serde(with = "base64_text")] Vec<u8>),
}

/// Bytes as text.
mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(d)?).map_err(D::Error::custom)
    }
}

/// What goes into the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Applied in order, all or none.
    pub ops: Vec<Op>,
    /// Wall clock of the proposer, milliseconds since the epoch: the only clock that apply may see.
    pub at_ms: u64,
}

/// What applying a change gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in the state, under this log index.
    Applied {
        /// The Raft log index.
        index: u64,
        /// What an [`Op::Cache`] gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<CacheValue>,
    },
    /// It broke references or rules of the state; nothing of it took effect.
    Rejected {
        /// Every fault.
        faults: Vec<Invalid>,
    },
}
