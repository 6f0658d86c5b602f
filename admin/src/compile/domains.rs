//! Domains to the table that answers which namespace serves a host, with the rule for hosts that no domain matches.

use crate::resource::{self, DEFAULT_NAMESPACE};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate_snapshot::{Domain, DomainTable, HostPattern};

/// A stored domain.
struct Entry {
    text: Box<str>,
    meaning: Result<Meaning, String>,
}

struct Meaning {
    key: Arc<str>,
    priority: i64,
    patterns: Vec<HostPattern>,
}

/// The domains of all namespaces.
#[derive(Default)]
pub(super) struct Domains {
    /// By namespace and name.
    entries: BTreeMap<(String, String), Entry>,
    dirty: bool,
}

impl Domains {
    /// Takes a stored domain over.
    pub(super) fn put(&mut self, namespace: &str, name: &str, text: &str) {
        let at = (namespace.to_owned(), name.to_owned());
        if self.entries.get(&at).is_some_and(|entry| *entry.text == *text) {
            return;
        }
        let key = format!("{namespace}/{name}");
        self.entries.insert(at, Entry { text: text.into(), meaning: meaning(&key, text) });
        self.dirty = true;
    }

    /// Forgets a domain that is gone.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        self.dirty |= self.entries.remove(&(namespace.to_owned(), name.to_owned())).is_some();
    }

    /// Whether a domain was written or removed since the last call.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Namespace and name of each.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.keys().map(|(namespace, name)| (namespace.as_str(), name.as_str()))
    }

    /// Each with what is wrong with it.
    pub(super) fn faults(&self) -> impl Iterator<Item = (&str, &str, Option<&String>)> {
        self.entries
            .iter()
            .map(|((namespace, name), e)| (namespace.as_str(), name.as_str(), e.meaning.as_ref().err()))
    }

    /// The table. `names` are the namespaces in the order of the snapshot; `default` is the one that takes what no
    /// domain matches, if there is one.
    pub(super) fn table(&self, names: &[Arc<str>], default: Option<&str>) -> DomainTable {
        let index =
            |namespace: &str| names.binary_search_by(|name| (**name).cmp(namespace)).ok().map(|i| i as u32);
        let domains = self.entries.iter().filter_map(|((namespace, _), entry)| {
            let meaning = entry.meaning.as_ref().ok()?;
            Some(Domain {
                key: meaning.key.clone(),
                namespace: index(namespace)?,
                priority: meaning.priority,
                patterns: meaning.patterns.clone(),
            })
        });
        DomainTable::new(domains.collect(), self.fallback(names, default).and_then(index))
    }

    fn fallback<'a>(&self, names: &'a [Arc<str>], default: Option<&'a str>) -> Option<&'a str> {
        // Where `default` is switched off it takes nothing by itself, although it may still be stored.
        let is_here = |namespace: &String| names.binary_search_by(|name| (**name).cmp(namespace)).is_ok();
        if !self.entries.keys().any(|(namespace, _)| is_here(namespace))
            && let [only] = names
            && (default.is_some() || **only != *DEFAULT_NAMESPACE)
        {
            return Some(only);
        }
        // A domain that cannot be used counts as well: its hosts must not fall through to everybody.
        default.filter(|default| !self.entries.keys().any(|(namespace, _)| namespace == default))
    }
}

fn meaning(key: &str, text: &str) -> Result<Meaning, String> {
    let written: resource::Domain = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let patterns = written
        .patterns
        .iter()
        .map(|pattern| pattern.parse().map_err(|e| format!("pattern '{pattern}': {e}")))
        .collect::<Result<_, String>>()?;
    Ok(Meaning { key: key.into(), priority: written.priority, patterns })
}
