//! The one record that says what the state is: how far the log has been applied, who the members are, and the hashes.
//! It changes in the same transaction as the state it describes, never apart from it.

use super::digest::Digest;
use openraft::{BasicNode, LogId, StoredMembership};
use serde::{Deserialize, Serialize};

/// Counts and hashes of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Changes applied, without the rejected ones.
    pub(crate) changes: u64,
    /// Sum over all records.
    pub(crate) state_hash: Digest,
    /// Chain over the applied changes' text.
    pub(crate) changelog_hash: Digest,
}

/// The state's description.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct StateRecord {
    /// Last applied entry; `None` before the first.
    pub(crate) applied: Option<LogId<u64>>,
    /// Last applied membership.
    pub(crate) membership: StoredMembership<u64, BasicNode>,
    /// Counts and hashes.
    pub(crate) totals: Totals,
}

impl StateRecord {
    /// Index of the last applied entry, 0 before the first.
    pub(crate) fn revision(&self) -> u64 {
        self.applied.map_or(0, |id| id.index)
    }
}
