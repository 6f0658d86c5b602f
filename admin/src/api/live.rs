//! What the API asks of the running node: whether a revision has reached every core, and how the node is. Implemented by
//! the admin actor, which knows the shards.

use serde_json::Value;
use std::future::Future;
use std::pin::Pin;

/// An answer that takes time.
pub type LiveFuture<'a> = Pin<Box<dyn Future<Output = Result<(), NotLive>> + Send + 'a>>;

/// The running node.
pub trait Live: Send + Sync {
    /// Waits until every shard of this node runs at least this revision, for a bounded time.
    fn committed(&self, revision: u64) -> LiveFuture<'_>;

    /// Whether the node serves clients, or why not.
    fn ready(&self) -> Result<(), String>;

    /// Shards, cores, driver, listeners: a JSON object for people.
    fn runtime_info(&self) -> Value;
}

/// Some shards do not run a revision in time. It is stored, and they will when they can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLive {
    /// Indexes of the shards.
    pub shards: Vec<u16>,
    /// Why, where it is known (a snapshot that cannot be made, a shard that does not answer).
    pub why: String,
}

impl std::fmt::Display for NotLive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.shards.is_empty() {
            return write!(f, "it does not run yet: {}", self.why);
        }
        let shards: Vec<String> = self.shards.iter().map(u16::to_string).collect();
        write!(f, "shards {} do not run it yet: {}", shards.join(", "), self.why)
    }
}
