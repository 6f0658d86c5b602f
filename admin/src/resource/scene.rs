//! The modules and routes of one namespace as they are, or as they would be, with what is found out about them on the
//! way: what a module reaches, whether its graph works, what it offers. Everything is found out once.

use super::javascript::{Lookup, ModuleChecker, TOLD};
use super::stages::Known;
use super::{Module, Route};
use crate::change::{Key, Kind, Op};
use crate::schedule::jobs_of;
use serde::de::{Deserialize as _, DeserializeOwned};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use tidegate_js::{Diagnostic, Functions};

/// Most modules of one graph.
const MAX_GRAPH: usize = 256;

/// Modules and routes of one namespace.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) modules: BTreeMap<String, Module>,
    pub(super) routes: BTreeMap<String, Route>,
}

impl Scene {
    pub(super) fn of(lookup: Lookup<'_>, namespace: &str) -> Self {
        fn all<T: DeserializeOwned>(rows: Vec<(Key, Value)>) -> BTreeMap<String, T> {
            rows.into_iter()
                .filter_map(|(key, value)| Some((key.name, T::deserialize(value).ok()?)))
                .collect()
        }
        Self { modules: all(lookup(Kind::Module, namespace)), routes: all(lookup(Kind::Route, namespace)) }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Put { key, value } if key.kind == Kind::Module => {
                if let Ok(module) = Module::deserialize(value) {
                    self.modules.insert(key.name.clone(), module);
                }
            }
            Op::Put { key, value } if key.kind == Kind::Route => {
                if let Ok(route) = Route::deserialize(value) {
                    self.routes.insert(key.name.clone(), route);
                }
            }
            Op::Delete { key } if key.kind == Kind::Module => drop(self.modules.remove(&key.name)),
            Op::Delete { key } if key.kind == Kind::Route => drop(self.routes.remove(&key.name)),
            _ => {}
        }
    }
}

/// What is wrong with the graph of an entry.
pub(super) enum Broken {
    /// A module that it imports, directly or not, is not there.
    Missing(String),
    /// It does not compile or link.
    Wrong(Vec<Diagnostic>),
}

impl Broken {
    /// What is told about it.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        let (missing, wrong) = match self {
            Self::Missing(why) => (Some(why.clone()), &[][..]),
            Self::Wrong(found) => (None, &found[..]),
        };
        missing.into_iter().chain(wrong.iter().take(TOLD).map(ToString::to_string))
    }
}

/// A scene with what was found out about it.
pub(super) struct Sight<'a> {
    checker: &'a ModuleChecker,
    pub(super) scene: &'a Scene,
    reaches: RefCell<HashMap<String, Rc<Vec<String>>>>,
    graphs: RefCell<HashMap<String, Rc<Result<Functions, Broken>>>>,
}

impl<'a> Sight<'a> {
    /// Nothing is known yet.
    pub(super) fn new(checker: &'a ModuleChecker, scene: &'a Scene) -> Self {
        Self { checker, scene, reaches: RefCell::default(), graphs: RefCell::default() }
    }

    /// The modules that an entry reaches, itself first, whether they are there or not.
    pub(super) fn reach(&self, entry: &str) -> Rc<Vec<String>> {
        if let Some(known) = self.reaches.borrow().get(entry) {
            return known.clone();
        }
        let (mut names, mut at) = (vec![entry.to_owned()], 0);
        while let Some(name) = names.get(at).cloned() {
            at += 1;
            let module = self.scene.modules.get(&name);
            let Some(Ok(compiled)) = module.map(|module| self.checker.compile(&name, module)) else {
                continue;
            };
            for import in &compiled.imports {
                if !names.contains(import) && names.len() <= MAX_GRAPH {
                    names.push(import.clone());
                }
            }
        }
        let names = Rc::new(names);
        self.reaches.borrow_mut().insert(entry.to_owned(), names.clone());
        names
    }

    /// Everything that may run where a route lists a module: what it reaches, and what its canaries do.
    pub(super) fn runs(&self, module: &str) -> Vec<String> {
        let canaries = self.canaries(module);
        let all = std::iter::once(module).chain(canaries.iter().map(String::as_str));
        all.flat_map(|entry| self.reach(entry).to_vec()).collect()
    }

    /// What an entry offers, if its graph works.
    pub(super) fn graph(&self, entry: &str) -> Rc<Result<Functions, Broken>> {
        if let Some(known) = self.graphs.borrow().get(entry) {
            return known.clone();
        }
        let graph = Rc::new(self.link(entry));
        self.graphs.borrow_mut().insert(entry.to_owned(), graph.clone());
        graph
    }

    fn link(&self, entry: &str) -> Result<Functions, Broken> {
        let names = self.reach(entry);
        if names.len() > MAX_GRAPH {
            return Err(Broken::Missing(format!("more than {MAX_GRAPH} modules are imported")));
        }
        let mut codes = Vec::with_capacity(names.len());
        for name in names.iter() {
            let Some(module) = self.scene.modules.get(name) else {
                return Err(Broken::Missing(format!("there is no module '{name}', which '{entry}' imports")));
            };
            let compiled = self.checker.compile(name, module);
            codes.push(compiled.map_err(|found| Broken::Wrong(found.to_vec()))?.code());
        }
        // What a module may reach it may reach with everything that it imports; a list that is refused is told by the
        // module's own rules.
        let module = self.scene.modules.get(entry);
        let grants = module.and_then(|module| module.grants().ok()).unwrap_or_default();
        let examined = tidegate_js::examine_graph(&codes, &grants).map_err(Broken::Wrong)?;
        jobs_of(&examined).map_err(Broken::Wrong)?;
        Ok(examined.functions)
    }
}

impl Known for Sight<'_> {
    fn imports(&self, importer: &str, module: &str) -> bool {
        self.reach(importer)[1..].iter().any(|name| name == module)
    }

    fn functions(&self, module: &str) -> Functions {
        self.graph(module).as_ref().as_ref().map_or_else(|_| Functions::default(), |functions| *functions)
    }

    fn canaries(&self, module: &str) -> Vec<String> {
        let module = self.scene.modules.get(module);
        module.map(Module::canaries).unwrap_or_default().into_iter().map(|(_, canary)| canary).collect()
    }
}
