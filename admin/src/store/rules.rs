//! What the resources' owner has to say about a change while it is applied. Rules see the state and the operation,
//! nothing else: no clock, no node, no configuration, or nodes would come to different states from the same log.

use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use serde_json::Value;

/// The state that a rule may look at: what is stored, with the effect of the change's earlier operations.
pub trait StateView {
    /// One resource, in its stored form.
    fn get(&self, key: &Key) -> Option<Value>;
    /// All resources of a kind, of one namespace or of all, ordered by key.
    fn list(&self, kind: Kind, namespace: Option<&str>) -> Vec<(Key, Value)>;
    /// How many there are; of a kind that is not `Document`, `collection` is ignored. Costs no scan.
    fn count(&self, kind: Kind, namespace: &str, collection: Option<&str>) -> u64;
    /// Whether anything but the namespace itself is in a namespace.
    fn any_in_namespace(&self, namespace: &str) -> bool;
}

/// Reference checks, run for each operation in log order on every node.
pub trait Rules: Send + Sync {
    /// Every fault of `op` against the state before it; empty lets it pass. Must be deterministic.
    fn check(&self, view: &dyn StateView, op: &Op) -> Vec<Invalid>;
}

/// No rules: everything that can be stored is. For tools and tests.
impl Rules for () {
    fn check(&self, _: &dyn StateView, _: &Op) -> Vec<Invalid> {
        Vec::new()
    }
}
