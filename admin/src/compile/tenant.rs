//! One namespace while it is compiled: its stored resources, what each was built to, and the whole. A pass touches only
//! what changed since the last one.

use super::Defaults;
use super::endpoint::Addresses;
use super::problems::Problems;
use super::route::{self, RouteEntry};
use super::script::{ModuleEntry, ScriptEntry};
use super::service::{self, ServiceEntry};
use super::slots::AllSlots;
use crate::change::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_snapshot::{Namespace, PathTree, Route, Script, Service};

/// A namespace with all that is in it.
pub(super) struct Tenant {
    name: Arc<str>,
    /// The namespace's own stored text; `None` while it was not written.
    written: Option<Arc<str>>,
    services: BTreeMap<String, ServiceEntry>,
    modules: BTreeMap<String, ModuleEntry>,
    scripts: BTreeMap<String, ScriptEntry>,
    routes: BTreeMap<String, RouteEntry>,
    /// Something in it was written since it was built.
    dirty: bool,
    /// Routes are to be put into a new tree whatever they are.
    regrow: bool,
    built: Option<Arc<Namespace>>,
}

impl Tenant {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            written: None,
            services: BTreeMap::new(),
            modules: BTreeMap::new(),
            scripts: BTreeMap::new(),
            routes: BTreeMap::new(),
            dirty: true,
            regrow: true,
            built: None,
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_gone(&self) -> bool {
        self.written.is_none()
            && self.services.is_empty()
            && self.modules.is_empty()
            && self.routes.is_empty()
    }

    /// Whether the namespace itself was written.
    pub(super) fn is_written(&self) -> bool {
        self.written.is_some()
    }

    fn full_key(&self, name: &str) -> Arc<str> {
        format!("{}/{name}", self.name).into()
    }

    /// Takes a stored resource over; the same text changes nothing.
    pub(super) fn put(&mut self, kind: Kind, name: &str, text: &str, slots: &mut AllSlots) {
        match kind {
            Kind::Namespace => {
                if self.written.as_deref() == Some(text) {
                    return;
                }
                self.written = Some(text.into());
                self.regrow = true;
            }
            Kind::Service => match self.services.get_mut(name) {
                Some(entry) if *entry.text == *text => return,
                Some(entry) => {
                    (entry.text, entry.meaning) = (text.into(), service::Meaning::of(text));
                }
                None => {
                    let entry = ServiceEntry {
                        key: self.full_key(name),
                        slot: slots.services.take(),
                        text: text.into(),
                        meaning: service::Meaning::of(text),
                        built: None,
                    };
                    self.services.insert(name.into(), entry);
                }
            },
            Kind::Module => {
                if self.modules.get(name).is_some_and(|entry| entry.is(text)) {
                    return;
                }
                let before = self.modules.remove(name);
                self.modules.insert(name.into(), ModuleEntry::of(text, before));
            }
            Kind::Route => match self.routes.get_mut(name) {
                Some(entry) if *entry.text == *text => return,
                Some(entry) => {
                    (entry.text, entry.meaning) = (text.into(), route::Meaning::of(text));
                }
                None => {
                    let entry = RouteEntry {
                        key: self.full_key(name),
                        slot: slots.routes.take(),
                        text: text.into(),
                        meaning: route::Meaning::of(text),
                        built: None,
                    };
                    self.routes.insert(name.into(), entry);
                }
            },
            Kind::Domain | Kind::Collection | Kind::Document | Kind::Secret => return,
        }
        self.dirty = true;
    }

    /// Forgets a resource that is gone.
    pub(super) fn remove(&mut self, kind: Kind, name: &str, slots: &mut AllSlots) {
        let known = match kind {
            Kind::Namespace => {
                self.regrow = true;
                self.written.take().is_some()
            }
            Kind::Service => {
                self.services.remove(name).map(|entry| slots.services.give_back(entry.slot)).is_some()
            }
            Kind::Module => self.modules.remove(name).is_some(),
            Kind::Route => {
                let gone = self.routes.remove(name).map(|entry| slots.routes.give_back(entry.slot)).is_some();
                self.regrow |= gone;
                gone
            }
            Kind::Domain | Kind::Collection | Kind::Document | Kind::Secret => false,
        };
        self.dirty |= known;
    }

    /// Gives back the slots of scripts; the rest is gone already.
    pub(super) fn release(self, slots: &mut AllSlots) {
        self.scripts.into_values().for_each(|script| script.release(&mut slots.scripts));
    }

    /// Names and kinds of what it has.
    pub(super) fn contents(&self) -> impl Iterator<Item = (Kind, &str)> {
        fn of<T>(kind: Kind, map: &BTreeMap<String, T>) -> impl Iterator<Item = (Kind, &str)> {
            map.keys().map(move |name| (kind, name.as_str()))
        }
        let own = self.written.iter().map(|_| (Kind::Namespace, &*self.name));
        own.chain(of(Kind::Service, &self.services))
            .chain(of(Kind::Module, &self.modules))
            .chain(of(Kind::Route, &self.routes))
    }

    /// Keys of its routes.
    pub(super) fn route_keys(&self) -> impl Iterator<Item = &str> {
        self.routes.values().map(|entry| &*entry.key)
    }

    /// Keys of its scripts.
    pub(super) fn script_keys(&self) -> impl Iterator<Item = &str> {
        self.scripts.values().map(|entry| &*entry.key)
    }

    /// Whether it has a module of this name or a script of this key.
    pub(super) fn has_module(&self, key: &str, name: &str) -> bool {
        self.modules.contains_key(name) || self.script_keys().any(|known| known == key)
    }

    /// Its scripts that can be run.
    pub(super) fn built_scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.scripts.values().filter_map(|entry| entry.built.as_ref().ok())
    }

    /// Host names that its services want resolved.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.services.values().filter_map(|entry| entry.meaning.as_ref().ok()).flat_map(|m| m.names())
    }

    /// Brings it up to date; answers what it is now and whether that is new.
    pub(super) fn build(
        &mut self,
        defaults: &Defaults,
        addresses: &dyn Addresses,
        moved: bool,
        slots: &mut AllSlots,
        problems: &mut Problems,
    ) -> (Arc<Namespace>, bool) {
        if let Some(built) = &self.built
            && !self.dirty
            && !moved
        {
            return (built.clone(), false);
        }
        for (name, entry) in &mut self.services {
            entry.build(addresses);
            problems.note(Kind::Service, &self.name, name, entry.meaning.as_ref().err());
        }
        if self.dirty {
            self.build_scripts(defaults, slots, problems);
        }
        let changed = self.build_routes(defaults, problems);
        self.dirty = false;
        match &self.built {
            Some(built) if !changed && !self.regrow => (built.clone(), false),
            _ => {
                self.regrow = false;
                let built = Arc::new(self.grow());
                self.built = Some(built.clone());
                (built, true)
            }
        }
    }

    fn build_scripts(&mut self, defaults: &Defaults, slots: &mut AllSlots, problems: &mut Problems) {
        let meanings = self.routes.values().filter_map(|entry| entry.meaning.as_ref().ok());
        let wanted: BTreeSet<String> = meanings.filter_map(|m| m.entry().map(str::to_owned)).collect();
        for gone in self.scripts.extract_if(.., |entry, _| !wanted.contains(entry)) {
            problems.note(Kind::Module, &self.name, &gone.0, None);
            gone.1.release(&mut slots.scripts);
        }
        for name in wanted {
            let script = self
                .scripts
                .entry(name.clone())
                .or_insert_with(|| ScriptEntry::new(&self.name, &name, &mut slots.scripts));
            script.build(&self.name, &name, &mut self.modules, defaults.module_limits);
            let why = script.built.as_ref().err().or(script.complaint.as_ref());
            problems.note(Kind::Module, &self.name, &name, why);
        }
    }

    fn build_routes(&mut self, defaults: &Defaults, problems: &mut Problems) -> bool {
        let mut changed = false;
        for (name, entry) in &mut self.routes {
            let why = match &entry.meaning {
                Err(why) => Err(why.clone()),
                Ok(meaning) => parts(meaning, &self.services, &self.scripts),
            };
            let (service, script) =
                why.as_ref().map_or((None, None), |(service, script)| (*service, *script));
            changed |= entry.build(&self.name, defaults.max_body_bytes, service, script);
            problems.note(Kind::Route, &self.name, name, why.err().as_ref());
        }
        changed
    }

    /// The tree of all routes, in the order of their names so that ties always fall the same way.
    fn grow(&self) -> Namespace {
        let mut tree: PathTree<Arc<Route>> = PathTree::default();
        for entry in self.routes.values() {
            let (Some(route), Ok(meaning)) = (&entry.built, &entry.meaning) else { continue };
            for pattern in &meaning.patterns {
                tree.insert(pattern, meaning.methods.clone(), route.clone());
            }
        }
        let description = self.written.clone().unwrap_or_else(super::implicit_default);
        Namespace { name: self.name.clone(), description, routes: tree }
    }
}

type Parts<'a> = (Option<&'a Arc<Service>>, Option<&'a Arc<Script>>);

/// The service and the script that a route names.
fn parts<'a>(
    meaning: &route::Meaning,
    services: &'a BTreeMap<String, ServiceEntry>,
    scripts: &'a BTreeMap<String, ScriptEntry>,
) -> Result<Parts<'a>, String> {
    let service = match &meaning.written.service {
        None => None,
        Some(name) => {
            let entry = services.get(name).ok_or_else(|| format!("there is no service '{name}'"))?;
            Some(entry.built.as_ref().ok_or_else(|| format!("service '{name}' cannot be used"))?)
        }
    };
    let script = match meaning.entry() {
        None => None,
        Some(name) => {
            let built = scripts.get(name).map(|entry| &entry.built);
            match built {
                Some(Ok(script)) => Some(script),
                Some(Err(why)) => return Err(why.clone()),
                None => return Err(format!("there is no module '{name}'")),
            }
        }
    };
    Ok((service, script))
}
