//! Values of the cluster's cache as a shard asks the admin for them: exact operations on one key, and their answers.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheValue {
    /// JSON text.
    Json(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// An operation that nothing comes between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheUpdate {
    /// Adds to a whole number, 0 if there is none; answers the sum.
    Increment {
        /// What is added.
        by: i64,
        /// Time to live of a value that is new, milliseconds.
        ttl_ms: Option<u64>,
    },
    /// Writes `value` if the value is `expected`; answers `true` or `false` as JSON. `None` is no value.
    CompareAndSet {
        /// What it must be.
        expected: Option<CacheValue>,
        /// What it becomes.
        value: Option<CacheValue>,
        /// Time to live, milliseconds.
        ttl_ms: Option<u64>,
    },
    /// Answers the value after all operations that were answered before.
    Read,
}
