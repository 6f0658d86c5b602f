//! Host to namespace. Built once per snapshot; a look-up tries the exact hosts first and then only those patterns
//! that could still win by priority.

use crate::literals::{Label, Literals, hash};
use crate::{HostPattern, Snapshot};
use std::sync::Arc;

/// One compiled domain.
#[derive(Debug, Clone)]
pub struct Domain {
    /// `namespace/name`.
    pub key: Arc<str>,
    /// Index into `Snapshot::namespaces`.
    pub namespace: u32,
    /// Higher is asked first.
    pub priority: i64,
    /// What it answers to.
    pub patterns: Vec<HostPattern>,
}

#[derive(Debug, Clone, Copy)]
struct Rank {
    /// Position in the total order of all domains: lower wins.
    order: u32,
    namespace: u32,
}

/// The domains of a snapshot, ready to be searched.
#[derive(Debug, Default)]
pub struct DomainTable {
    /// Where each exact host stands in `hosts`.
    exact: Literals,
    hosts: Vec<(Label, Rank)>,
    /// Patterns that are no exact host, best first.
    patterns: Vec<(HostPattern, Rank)>,
    /// Where a host that no domain matches goes: the default namespace unless it has domains of its own, or the only
    /// namespace when there is no domain at all.
    fallback: Option<u32>,
}

impl DomainTable {
    /// Builds the table. Among equal priorities an exact host wins over a pattern, a longer pattern over a shorter
    /// one, and then the smaller key, so that the order never depends on the order of writing.
    pub fn new(domains: Vec<Domain>, fallback: Option<u32>) -> Self {
        let mut all: Vec<(i64, HostPattern, Arc<str>, u32)> = Vec::new();
        for domain in domains {
            for pattern in domain.patterns {
                all.push((domain.priority, pattern, domain.key.clone(), domain.namespace));
            }
        }
        all.sort_by(|a, b| {
            b.0.cmp(&a.0).then(b.1.specificity().cmp(&a.1.specificity())).then_with(|| a.2.cmp(&b.2))
        });
        let mut table = Self { fallback, ..Self::default() };
        for (order, (_, pattern, _, namespace)) in all.into_iter().enumerate() {
            let rank = Rank { order: order as u32, namespace };
            match pattern.exact() {
                Some(host) if table.exact(host.as_bytes()).is_none() => {
                    table.exact.insert(hash(host.as_bytes()), table.hosts.len() as u32);
                    table.hosts.push((host.as_bytes().into(), rank));
                }
                Some(_) => {}
                None => table.patterns.push((pattern, rank)),
            }
        }
        table
    }

    fn exact(&self, host: &[u8]) -> Option<&Rank> {
        let is_it = |index: u32| self.hosts[index as usize].0.bytes() == host;
        self.exact.find(hash(host), is_it).map(|index| &self.hosts[index as usize].1)
    }

    /// The namespace of a canonical host (lower case, no port, no trailing dot), as an index into
    /// `Snapshot::namespaces`.
    pub fn find(&self, host: &str) -> Option<u32> {
        let exact = self.exact(host.as_bytes());
        let bound = exact.map_or(u32::MAX, |rank| rank.order);
        self.patterns
            .iter()
            .take_while(|(_, rank)| rank.order < bound)
            .find(|(pattern, _)| pattern.matches(host))
            .map(|(_, rank)| rank)
            .or(exact)
            .map(|rank| rank.namespace)
            .or(self.fallback)
    }
}

impl Snapshot {
    /// The namespace that serves a canonical host.
    pub fn namespace_for(&self, host: &str) -> Option<&Arc<crate::Namespace>> {
        self.domains.find(host).map(|index| &self.namespaces[index as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(domains: &[(&str, i64, &[&str])], fallback: Option<u32>) -> DomainTable {
        DomainTable::new(
            domains
                .iter()
                .enumerate()
                .map(|(index, (key, priority, patterns))| Domain {
                    key: (*key).into(),
                    namespace: index as u32,
                    priority: *priority,
                    patterns: patterns.iter().map(|p| p.parse().expect("pattern")).collect(),
                })
                .collect(),
            fallback,
        )
    }

    #[test]
    fn the_best_domain_wins() {
        let domains = table(
            &[
                ("a/exact", 0, &["example.com"]),
                ("b/suffix", 0, &["*.example.com"]),
                ("c/any", -1, &["*"]),
                ("d/loud", 5, &["/api[0-9]+\\.example\\.com/"]),
            ],
            Some(9),
        );
        for (host, namespace) in [
            ("example.com", 0),
            ("www.example.com", 1),
            ("api7.example.com", 3),
            ("xapi7.example.com", 1),
            ("example.org", 2),
        ] {
            assert_eq!(domains.find(host), Some(namespace), "{host}");
        }
    }

    #[test]
    fn a_pattern_of_higher_priority_beats_an_exact_host() {
        let domains = table(&[("a/exact", 0, &["example.com"]), ("b/any", 1, &["*"])], None);
        assert_eq!(domains.find("example.com"), Some(1));
    }

    #[test]
    fn nothing_matches_means_the_fallback() {
        let domains = table(&[("a/exact", 0, &["example.com"])], Some(7));
        assert_eq!(domains.find("example.org"), Some(7));
        assert_eq!(table(&[], None).find("example.org"), None);
    }
}
