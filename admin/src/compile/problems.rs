//! What is stored and cannot be used: kept per resource, logged once when it appears, counted, and shown with the
//! runtime's description. One broken resource must never take the others with it.

use crate::change::Kind;
use std::collections::BTreeMap;

/// A stored resource that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Its kind.
    pub(crate) kind: Kind,
    /// `namespace/name`.
    pub(crate) key: String,
    /// Why.
    pub(crate) why: String,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: BTreeMap<(Kind, String, String), String>,
}

impl Problems {
    /// Notes what is wrong with a resource, or that nothing is.
    pub(super) fn note(&mut self, kind: Kind, namespace: &str, name: &str, why: Option<&String>) {
        if self.found.is_empty() && why.is_none() {
            return;
        }
        let at = (kind, namespace.to_owned(), name.to_owned());
        match why {
            None => drop(self.found.remove(&at)),
            Some(why) if self.found.get(&at) == Some(why) => {}
            Some(why) => {
                tracing::error!(kind = kind.name(), namespace, name, why, "a stored resource cannot be used");
                self.found.insert(at, why.clone());
            }
        }
    }

    /// Forgets what was wrong in a namespace that does not run here.
    pub(super) fn forget(&mut self, namespace: &str) {
        self.found.retain(|(kind, of, _), _| *kind == Kind::Domain || of != namespace);
    }

    /// All of them, ordered by kind and key.
    pub(super) fn list(&self) -> Vec<Problem> {
        self.found
            .iter()
            .map(|((kind, namespace, name), why)| Problem {
                kind: *kind,
                key: format!("{namespace}/{name}"),
                why: why.clone(),
            })
            .collect()
    }
}
