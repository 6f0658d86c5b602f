//! Whether modules compile and fit together: the one place where the control plane asks the engine. It takes
//! milliseconds and runs top-level code in a scratch runtime, so it is called off the async threads, and never while a
//! change is applied: two builds may disagree about a module, but not about the state.

use super::{Module, ModuleType, Route};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use serde::de::{Deserialize as _, DeserializeOwned};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_js::{Compiled, Diagnostic, Language};

/// Most modules of one graph.
const MAX_GRAPH: usize = 256;
/// Compilations that are kept.
const KEPT: usize = 1024;
/// Bytes of the sources of those; what is made of a source is a few times larger.
const KEPT_BYTES: usize = 32 << 20;
/// Diagnostics that one answer carries.
const TOLD: usize = 20;

type Compilation = Result<Arc<Compiled>, Arc<Vec<Diagnostic>>>;

/// Compiles modules and remembers what it compiled.
#[derive(Default)]
pub struct ModuleChecker {
    kept: Mutex<HashMap<(String, Language), (String, Compilation)>>,
}

impl std::fmt::Debug for ModuleChecker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ModuleChecker")
    }
}

/// Reads the stored resources of a kind in a namespace.
pub type Lookup<'a> = &'a dyn Fn(Kind, &str) -> Vec<(Key, Value)>;

/// Modules and routes of one namespace.
#[derive(Clone)]
struct Scene {
    modules: BTreeMap<String, Module>,
    routes: BTreeMap<String, Route>,
}

impl Scene {
    fn of(lookup: Lookup<'_>, namespace: &str) -> Self {
        fn all<T: DeserializeOwned>(rows: Vec<(Key, Value)>) -> BTreeMap<String, T> {
            rows.into_iter()
                .filter_map(|(key, value)| Some((key.name, T::deserialize(value).ok()?)))
                .collect()
        }
        Self { modules: all(lookup(Kind::Module, namespace)), routes: all(lookup(Kind::Route, namespace)) }
    }

    fn apply(&mut self, op: &Op) {
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

/// The key of an operation on a module or a route.
fn touched(op: &Op) -> Option<&Key> {
    match op {
        Op::Put { key, .. } | Op::Delete { key } if matches!(key.kind, Kind::Module | Kind::Route) => {
            Some(key)
        }
        _ => None,
    }
}

/// What is wrong with the graph of an entry.
enum Broken {
    /// A module that it imports, directly or not, is not there.
    Missing(String),
    /// It does not compile or link.
    Wrong(Vec<Diagnostic>),
}

impl ModuleChecker {
    /// Every fault that `ops` bring among the modules and routes of the state: a module that does not compile, and a
    /// route or an importing module that worked and would no longer. A module may be written before those it imports,
    /// as long as no route needs it.
    pub fn check(&self, lookup: Lookup<'_>, ops: &[Op]) -> Vec<Invalid> {
        let mut faults = Vec::new();
        let namespaces: BTreeSet<&str> = ops.iter().filter_map(touched).map(|key| &*key.namespace).collect();
        for namespace in namespaces {
            let ops: Vec<&Op> =
                ops.iter().filter(|op| touched(op).is_some_and(|key| key.namespace == namespace)).collect();
            self.check_namespace(&Scene::of(lookup, namespace), &ops, &mut faults);
        }
        // A deletion has no fields to point at.
        if ops.iter().all(|op| matches!(op, Op::Delete { .. })) {
            faults.iter_mut().for_each(|fault| fault.at.clear());
        }
        faults.dedup();
        faults
    }

    fn check_namespace(&self, before: &Scene, ops: &[&Op], faults: &mut Vec<Invalid>) {
        let mut after = before.clone();
        ops.iter().for_each(|op| after.apply(op));
        let changed = |kind: Kind| -> BTreeSet<&str> {
            ops.iter()
                .filter_map(|op| touched(op))
                .filter(|key| key.kind == kind)
                .map(|key| &*key.name)
                .collect()
        };
        let (modules, routes) = (changed(Kind::Module), changed(Kind::Route));
        for name in &modules {
            if let Some(Err(found)) = after.modules.get(*name).map(|module| self.compile(name, module)) {
                faults.extend(found.iter().take(TOLD).map(|one| Invalid::new("payload", one.to_string())));
            }
        }
        if !faults.is_empty() {
            return;
        }
        self.check_routes(before, &after, &modules, &routes, faults);
        if faults.is_empty() {
            self.check_importers(before, &after, &modules, faults);
        }
    }

    fn check_routes(
        &self,
        before: &Scene,
        after: &Scene,
        modules: &BTreeSet<&str>,
        routes: &BTreeSet<&str>,
        faults: &mut Vec<Invalid>,
    ) {
        let mut seen = BTreeSet::new();
        for (name, route) in &after.routes {
            let Some(entry) = route.modules.first() else { continue };
            let own = routes.contains(name.as_str());
            if !after.modules.contains_key(entry) {
                // That a route names a module which is not there is for the rules to say.
                continue;
            }
            let affected =
                own || self.reach(before, entry).iter().any(|module| modules.contains(module.as_str()));
            if !affected || !seen.insert((entry, own)) {
                continue;
            }
            match self.graph(after, entry) {
                Ok(()) => {}
                Err(_) if !own && self.graph(before, entry).is_err() => {}
                Err(broken) => {
                    let at = if own { "modules[0]" } else { "payload" };
                    let who = if own { String::new() } else { format!("route '{name}' would break: ") };
                    tell(at, &who, broken, faults);
                }
            }
        }
    }

    fn check_importers(
        &self,
        before: &Scene,
        after: &Scene,
        modules: &BTreeSet<&str>,
        faults: &mut Vec<Invalid>,
    ) {
        for name in after.modules.keys() {
            let own = modules.contains(name.as_str());
            if !own && !self.reach(after, name).iter().any(|module| modules.contains(module.as_str())) {
                continue;
            }
            match self.graph(after, name) {
                Ok(()) | Err(Broken::Missing(_)) => {}
                Err(_) if !own && self.graph(before, name).is_err() => {}
                Err(broken) => {
                    let who = if own { String::new() } else { format!("module '{name}' would break: ") };
                    tell("payload", &who, broken, faults);
                }
            }
        }
    }

    fn compile(&self, name: &str, module: &Module) -> Compilation {
        let language = match module.module_type {
            ModuleType::Typescript => Language::TypeScript,
            ModuleType::Javascript => Language::JavaScript,
        };
        let wrong = |message: String| {
            Arc::new(vec![Diagnostic { module: name.to_owned(), line: 1, column: 1, message }])
        };
        let source = module.source().map_err(wrong)?;
        let key = (name.to_owned(), language);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, compiled)) = kept.get(&key)
            && *known == source
        {
            return compiled.clone();
        }
        drop(kept);
        let compiled = tidegate_js::compile(name, &source, language).map(Arc::new).map_err(Arc::new);
        kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = kept.values().map(|(source, _)| source.len()).sum();
        if kept.len() >= KEPT || bytes + source.len() > KEPT_BYTES {
            kept.clear();
        }
        kept.insert(key, (source, compiled.clone()));
        compiled
    }

    /// The modules that an entry reaches, itself first, whether they are there or not.
    fn reach(&self, scene: &Scene, entry: &str) -> Vec<String> {
        let (mut names, mut at) = (vec![entry.to_owned()], 0);
        while let Some(name) = names.get(at).cloned() {
            at += 1;
            let Some(Ok(compiled)) = scene.modules.get(&name).map(|module| self.compile(&name, module))
            else {
                continue;
            };
            for import in &compiled.imports {
                if !names.contains(import) && names.len() <= MAX_GRAPH {
                    names.push(import.clone());
                }
            }
        }
        names
    }

    fn graph(&self, scene: &Scene, entry: &str) -> Result<(), Broken> {
        let names = self.reach(scene, entry);
        if names.len() > MAX_GRAPH {
            return Err(Broken::Missing(format!("more than {MAX_GRAPH} modules are imported")));
        }
        let mut codes = Vec::with_capacity(names.len());
        for name in &names {
            let Some(module) = scene.modules.get(name) else {
                return Err(Broken::Missing(format!("there is no module '{name}', which '{entry}' imports")));
            };
            codes.push(self.compile(name, module).map_err(|found| Broken::Wrong(found.to_vec()))?.code());
        }
        // What a module may reach it may reach with everything that it imports; a list that is refused is told by the
        // module's own rules.
        let grants = scene.modules.get(entry).and_then(|module| module.grants().ok()).unwrap_or_default();
        tidegate_js::check_graph(&codes, &grants).map(drop).map_err(Broken::Wrong)
    }
}

fn tell(at: &str, who: &str, broken: Broken, faults: &mut Vec<Invalid>) {
    match broken {
        Broken::Missing(why) => faults.push(Invalid::new(at, format!("{who}{why}"))),
        Broken::Wrong(found) => {
            faults.extend(found.iter().take(TOLD).map(|one| Invalid::new(at, format!("{who}{one}"))));
        }
    }
}
