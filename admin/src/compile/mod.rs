//! From the stored resources to the snapshot that the shards run. Incremental: it remembers what it built, and what did
//! not change is the very same object in the next snapshot. It reads no store, resolves no name and waits for nobody.

mod domains;
mod endpoint;
mod pipeline;
mod problems;
mod response;
mod route;
mod script;
mod service;
mod shelf;
mod slots;
mod tenant;

#[cfg(test)]
mod tests;

pub(crate) use endpoint::Addresses;
pub(crate) use problems::Problem;

use crate::change::{Key, Kind};
use crate::resource::{DEFAULT_NAMESPACE, Namespace, NodeTags};
use crate::schedule::Planned;
use domains::Domains;
use problems::Problems;
use serde::Deserialize;
use slots::AllSlots;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tenant::Tenant;
use tidegate_snapshot::{ModuleLimits, ProxySettings, Revision, Script, Snapshot};

/// What resources do not say themselves.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    /// Rules of the whole proxy.
    pub(crate) settings: Arc<ProxySettings>,
    /// Bounds of every module call.
    pub(crate) module_limits: ModuleLimits,
    /// Largest body of a route that does not say.
    pub(crate) max_body_bytes: u64,
    /// There is a namespace `default`, written or not.
    pub(crate) default_namespace: bool,
    /// Tags of this node, which choose the resources that it runs.
    pub(crate) tags: NodeTags,
}

/// The part of a stored resource that chooses nodes.
#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    tags: Vec<String>,
}

/// Turns resources into snapshots and remembers them.
pub(crate) struct Compiler {
    defaults: Defaults,
    tenants: BTreeMap<String, Tenant>,
    domains: Domains,
    slots: AllSlots,
    problems: Problems,
    /// `Addresses::version` of the last pass.
    addresses: u64,
    last: Option<Arc<Snapshot>>,
}

/// The text that stands for the namespace that nobody wrote.
fn implicit_default() -> Arc<str> {
    let text = serde_json::to_value(Namespace::implicit()).expect("a namespace has string keys").to_string();
    text.into()
}

impl Compiler {
    /// A compiler that knows no resource.
    pub(crate) fn new(defaults: Defaults) -> Self {
        let mut tenants = BTreeMap::new();
        if defaults.default_namespace {
            tenants.insert(DEFAULT_NAMESPACE.to_owned(), Tenant::new(DEFAULT_NAMESPACE));
        }
        Self {
            defaults,
            tenants,
            domains: Domains::default(),
            slots: AllSlots::default(),
            problems: Problems::default(),
            addresses: 0,
            last: None,
        }
    }

    /// Whether resources of this kind are part of a snapshot.
    pub(crate) fn wants(kind: Kind) -> bool {
        match kind {
            Kind::Namespace | Kind::Service | Kind::Route | Kind::Module | Kind::Domain => true,
            Kind::Collection | Kind::Document | Kind::Secret => false,
        }
    }

    /// Takes a resource over as it is stored; what is stored already changes nothing.
    pub(crate) fn put(&mut self, key: &Key, text: &str) {
        if !Self::wants(key.kind) {
            return;
        }
        if !self.chooses(text) {
            self.put_elsewhere(key);
            return;
        }
        match key.kind {
            Kind::Domain => self.domains.put(&key.namespace, &key.name, text),
            kind => self
                .tenants
                .entry(key.namespace.clone())
                .or_insert_with(|| Tenant::new(&key.namespace))
                .put(kind, &key.name, text, &mut self.slots),
        }
    }

    /// Whether a resource's tags choose this node. What cannot be read is told where it is used.
    fn chooses(&self, text: &str) -> bool {
        serde_json::from_str(text).map_or(true, |Labels { tags }| self.defaults.tags.choose(&tags))
    }

    /// Forgets a resource that other nodes run, and remembers that it is there.
    fn put_elsewhere(&mut self, key: &Key) {
        self.problems.note(key.kind, &key.namespace, &key.name, None);
        match key.kind {
            Kind::Domain => self.domains.remove(&key.namespace, &key.name),
            kind => self
                .tenants
                .entry(key.namespace.clone())
                .or_insert_with(|| Tenant::new(&key.namespace))
                .put_elsewhere(kind, &key.name, &mut self.slots),
        }
    }

    /// The namespaces that run here, as far as their tags say.
    fn here(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.values().filter(|tenant| !tenant.is_elsewhere())
    }

    /// Forgets a resource that is no longer stored.
    pub(crate) fn remove(&mut self, key: &Key) {
        self.problems.note(key.kind, &key.namespace, &key.name, None);
        if key.kind == Kind::Domain {
            self.domains.remove(&key.namespace, &key.name);
        } else if let Some(tenant) = self.tenants.get_mut(&key.namespace) {
            tenant.remove(key.kind, &key.name, &mut self.slots);
        }
    }

    /// Takes the whole state over: what it does not hold is gone.
    pub(crate) fn reset(&mut self, all: &[(Key, String)]) {
        let key = |kind, namespace: &str, name: &str| Key {
            kind,
            namespace: namespace.to_owned(),
            collection: None,
            name: name.to_owned(),
        };
        let kept: BTreeSet<&Key> = all.iter().map(|(key, _)| key).collect();
        let known: Vec<Key> = self
            .tenants
            .iter()
            .flat_map(|(namespace, t)| t.contents().map(move |(kind, name)| key(kind, namespace, name)))
            .chain(self.domains.contents().map(|(namespace, name)| key(Kind::Domain, namespace, name)))
            .collect();
        known.iter().filter(|key| !kept.contains(key)).for_each(|key| self.remove(key));
        all.iter().for_each(|(key, text)| self.put(key, text));
    }

    /// The host names that services want resolved.
    pub(crate) fn hosts(&self) -> BTreeSet<String> {
        self.here().flat_map(Tenant::hosts).map(str::to_owned).collect()
    }

    /// The keys of all routes and of all scripts, `namespace/name`.
    pub(crate) fn keys(&self) -> (HashSet<&str>, HashSet<&str>) {
        (
            self.here().flat_map(Tenant::route_keys).collect(),
            self.here().flat_map(Tenant::script_keys).collect(),
        )
    }

    /// Whether there is a module or a script of this key, `namespace/name`, run by a route or not.
    pub(crate) fn has_module(&self, key: &str) -> bool {
        let found =
            key.split_once('/').and_then(|(namespace, name)| Some((self.tenants.get(namespace)?, name)));
        found.is_some_and(|(tenant, name)| tenant.has_module(key, name))
    }

    /// The keys of routes that have a service, each with its service's, `namespace/name`.
    pub(crate) fn services_of_routes(&self) -> HashMap<Arc<str>, Arc<str>> {
        self.here().flat_map(Tenant::services_of_routes).collect()
    }

    /// The scripts that routes run.
    pub(crate) fn scripts(&self) -> Vec<Arc<Script>> {
        self.here().flat_map(Tenant::built_scripts).cloned().collect()
    }

    fn by_slot(&self) -> Box<[Option<Arc<Script>>]> {
        let mut slots = vec![None; self.slots.scripts.bound() as usize];
        for script in self.here().flat_map(Tenant::built_scripts) {
            slots[script.slot as usize] = Some(script.clone());
        }
        slots.into()
    }

    /// What wants to be run by itself, as of the last pass.
    pub(crate) fn planned(&self) -> Vec<Planned> {
        let implicit = self.defaults.default_namespace;
        let served = |name: &str, tenant: &Tenant| {
            !tenant.is_elsewhere() && (tenant.is_written() || implicit && name == DEFAULT_NAMESPACE)
        };
        let tenants = self.tenants.iter().filter(|(name, tenant)| served(name, tenant));
        tenants.flat_map(|(_, tenant)| tenant.planned()).collect()
    }

    /// What is stored and cannot be used, as of the last pass.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.problems.list()
    }

    /// Makes a snapshot of the resources as they are, or none if it would say the same as the one before.
    pub(crate) fn build(
        &mut self,
        revision: Revision,
        generation: u64,
        addresses: &dyn Addresses,
    ) -> Option<Arc<Snapshot>> {
        let moved = std::mem::replace(&mut self.addresses, addresses.version()) != addresses.version();
        let mut changed = self.drop_gone();
        let (mut names, mut namespaces) = (Vec::new(), Vec::new());
        for (name, tenant) in &mut self.tenants {
            if tenant.is_elsewhere() {
                self.problems.forget(name);
                continue;
            }
            let implicit = name == DEFAULT_NAMESPACE && self.defaults.default_namespace;
            if !implicit && !tenant.is_written() {
                let why = "there are resources of a namespace that does not exist".to_owned();
                self.problems.note(Kind::Namespace, name, name, Some(&why));
                continue;
            }
            self.problems.note(Kind::Namespace, name, name, None);
            let (built, new) =
                tenant.build(&self.defaults, addresses, moved, &mut self.slots, &mut self.problems);
            changed |= new;
            names.push(built.name.clone());
            namespaces.push(built);
        }
        if self.domains.take_dirty() {
            changed = true;
            for (namespace, name, why) in self.domains.faults() {
                self.problems.note(Kind::Domain, namespace, name, why);
            }
        }
        if let Some(last) = &self.last
            && !changed
            && last.namespaces.len() == namespaces.len()
        {
            return None;
        }
        let default = self.defaults.default_namespace.then_some(DEFAULT_NAMESPACE);
        let snapshot = Arc::new(Snapshot {
            revision,
            generation,
            settings: self.defaults.settings.clone(),
            domains: self.domains.table(&names, default),
            namespaces,
            route_slots: self.slots.routes.bound(),
            service_slots: self.slots.services.bound(),
            scripts: self.by_slot(),
        });
        self.last = Some(snapshot.clone());
        Some(snapshot)
    }

    /// Forgets namespaces of which nothing is left.
    fn drop_gone(&mut self) -> bool {
        let implicit = self.defaults.default_namespace;
        let gone =
            self.tenants.extract_if(.., |name, t| t.is_gone() && !(implicit && name == DEFAULT_NAMESPACE));
        let mut any = false;
        for (name, tenant) in gone {
            self.problems.note(Kind::Namespace, &name, &name, None);
            tenant.release(&mut self.slots);
            any = true;
        }
        any
    }
}
