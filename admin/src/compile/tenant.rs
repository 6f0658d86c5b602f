//! One namespace while it is compiled: its stored resources, what each was built to, and the whole. A pass touches only
//! what changed since the last one.

use super::Defaults;
use super::endpoint::Addresses;
use super::problems::Problems;
use super::route::{self, RouteEntry};
use super::script::{ModuleEntry, ScriptEntry, imported};
use super::service::{self, ServiceEntry};
use super::shelf::{Shelf, listed};
use super::slots::AllSlots;
use crate::change::Kind;
use crate::resource::Selection;
use crate::schedule::Planned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_snapshot::{Namespace, PathTree, Pipeline, Route, Script, Service};

/// A namespace with all that is in it.
pub(super) struct Tenant {
    name: Arc<str>,
    /// The namespace's own stored text; `None` while it was not written.
    written: Option<Arc<str>>,
    services: BTreeMap<String, ServiceEntry>,
    modules: BTreeMap<String, ModuleEntry>,
    scripts: BTreeMap<String, ScriptEntry>,
    routes: BTreeMap<String, RouteEntry>,
    /// What each module of a list with several imports, directly or not, as of the last pass.
    imports: BTreeMap<String, BTreeSet<String>>,
    /// Resources whose tags choose other nodes.
    elsewhere: BTreeSet<(Kind, String)>,
    /// Something in it was written since it was built.
    dirty: bool,
    /// A module was: what routes make of theirs may be another thing.
    modules_moved: bool,
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
            imports: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            dirty: true,
            modules_moved: true,
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
            && self.elsewhere.is_empty()
    }

    /// Whether the namespace's own tags choose other nodes: nothing of it runs here.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.contains(&(Kind::Namespace, self.name.to_string()))
    }

    /// Takes note of a stored resource whose tags choose other nodes.
    pub(super) fn put_elsewhere(&mut self, kind: Kind, name: &str, slots: &mut AllSlots) {
        if !self.elsewhere.contains(&(kind, name.to_owned())) {
            self.remove(kind, name, slots);
            self.elsewhere.insert((kind, name.to_owned()));
            self.dirty = true;
            self.modules_moved |= kind == Kind::Module;
        }
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
        self.dirty |= self.elsewhere.remove(&(kind, name.to_owned()));
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
                self.modules_moved = true;
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
        self.dirty |= self.elsewhere.remove(&(kind, name.to_owned()));
        let known = match kind {
            Kind::Namespace => {
                self.regrow = true;
                self.written.take().is_some()
            }
            Kind::Service => {
                self.services.remove(name).map(|entry| slots.services.give_back(entry.slot)).is_some()
            }
            Kind::Module => {
                self.modules_moved = true;
                self.modules.remove(name).is_some()
            }
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
            .chain(self.elsewhere.iter().map(|(kind, name)| (*kind, name.as_str())))
    }

    /// Keys of its routes.
    pub(super) fn route_keys(&self) -> impl Iterator<Item = &str> {
        self.routes.values().map(|entry| &*entry.key)
    }

    /// Keys of its routes that have a service, with the service's.
    pub(super) fn services_of_routes(&self) -> impl Iterator<Item = (Arc<str>, Arc<str>)> {
        self.routes.values().filter_map(|entry| {
            let service = entry.built.as_ref()?.service.as_ref()?;
            Some((entry.key.clone(), service.key.clone()))
        })
    }

    /// Keys of its scripts.
    pub(super) fn script_keys(&self) -> impl Iterator<Item = &str> {
        self.scripts.values().map(|entry| &*entry.key)
    }

    /// Whether it has a module of this name or a script of this key.
    pub(super) fn has_module(&self, key: &str, name: &str) -> bool {
        self.modules.contains_key(name)
            || self.elsewhere.contains(&(Kind::Module, name.to_owned()))
            || self.script_keys().any(|known| known == key)
    }

    /// Its scripts that can be run.
    pub(super) fn built_scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.scripts.values().filter_map(|entry| entry.built.as_ref().ok())
    }

    /// Its scripts that want to be run by themselves, as of the last pass.
    pub(super) fn planned(&self) -> impl Iterator<Item = Planned> {
        self.scripts.values().filter_map(ScriptEntry::planned)
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
        if self.modules_moved {
            self.imports.clear();
        }
        let mut wanted = BTreeSet::new();
        for meaning in self.routes.values_mut().filter_map(|entry| entry.meaning.as_mut().ok()) {
            let Ok(list) = &meaning.list else { continue };
            if self.modules_moved || meaning.wants.is_none() {
                for module in list.iter().filter(|_| list.len() > 1).map(Selection::module) {
                    if !self.imports.contains_key(&module) {
                        let imports = imported(&module, &mut self.modules);
                        self.imports.insert(module, imports);
                    }
                }
                meaning.wants = Some(listed(list, &self.modules, &self.imports));
            }
            for name in meaning.wants.iter().flatten() {
                if !wanted.contains(name) {
                    wanted.insert(name.clone());
                }
            }
        }
        let alone = self.modules.iter().filter(|(_, module)| module.may_have_jobs());
        wanted.extend(alone.map(|(name, _)| name.clone()));
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
        let shelf = Shelf {
            modules: &self.modules,
            scripts: &self.scripts,
            imports: &self.imports,
            elsewhere: &self.elsewhere,
        };
        for (name, entry) in &mut self.routes {
            let why = match &mut entry.meaning {
                Err(why) => Err(why.clone()),
                Ok(meaning) => {
                    if self.modules_moved || meaning.pipeline.is_none() {
                        meaning.arrange(&self.name, &shelf);
                    }
                    parts(meaning, &self.services, &shelf)
                }
            };
            let (parts, why) = match why {
                Ok(parts) => (parts, None),
                Err(why) => ((None, None), Some(why)),
            };
            changed |= entry.build(&self.name, defaults.max_body_bytes, parts.0, parts.1);
            problems.note(Kind::Route, &self.name, name, why.as_ref());
        }
        self.modules_moved = false;
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

type Parts<'a> = (Option<&'a Arc<Service>>, Option<Arc<Pipeline>>);

/// The service and the modules that a route names.
fn parts<'a>(
    meaning: &route::Meaning,
    services: &'a BTreeMap<String, ServiceEntry>,
    shelf: &Shelf<'_>,
) -> Result<Parts<'a>, String> {
    let service = match &meaning.written.service {
        None => None,
        Some(name) if shelf.elsewhere.contains(&(Kind::Service, name.clone())) => {
            return Err(format!("service '{name}' is not on this node: its tags choose others"));
        }
        Some(name) => {
            let entry = services.get(name).ok_or_else(|| format!("there is no service '{name}'"))?;
            Some(entry.built.as_ref().ok_or_else(|| format!("service '{name}' cannot be used"))?)
        }
    };
    let pipeline = match &meaning.pipeline {
        None => None,
        Some(pipeline) => pipeline.as_ref().map_err(String::clone)?.clone(),
    };
    Ok((service, pipeline))
}
