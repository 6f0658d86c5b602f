//! Whether modules compile and fit together: the one place where the control plane asks the engine. It takes
//! milliseconds and runs top-level code in a scratch runtime, so it is called off the async threads, and never while a
//! change is applied: two builds may disagree about a module, but not about the state.

use super::scene::{Broken, Scene, Sight};
use super::selection::{Selection, all as selections};
use super::stages::{self, Known as _};
use super::tag::{self, Tag};
use super::{Module, ModuleType};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tidegate_js::{Compiled, Diagnostic, Language};

/// Compilations that are kept.
const KEPT: usize = 1024;
/// Bytes of the sources of those; what is made of a source is a few times larger.
const KEPT_BYTES: usize = 32 << 20;
/// Diagnostics that one answer carries.
pub(super) const TOLD: usize = 20;

pub(super) type Compilation = Result<Arc<Compiled>, Arc<Vec<Diagnostic>>>;

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

/// The key of an operation on a module or a route.
fn touched(op: &Op) -> Option<&Key> {
    match op {
        Op::Put { key, .. } | Op::Delete { key } if matches!(key.kind, Kind::Module | Kind::Route) => {
            Some(key)
        }
        _ => None,
    }
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
        let (before, after) = (Sight::new(self, before), Sight::new(self, &after));
        let changed = |kind: Kind| -> BTreeSet<&str> {
            ops.iter()
                .filter_map(|op| touched(op))
                .filter(|key| key.kind == kind)
                .map(|key| &*key.name)
                .collect()
        };
        let (modules, routes) = (changed(Kind::Module), changed(Kind::Route));
        for name in &modules {
            if let Some(Err(found)) = after.scene.modules.get(*name).map(|module| self.compile(name, module))
            {
                faults.extend(found.iter().take(TOLD).map(|one| Invalid::new("payload", one.to_string())));
            }
        }
        self.check_canaries(after.scene, &modules, faults);
        if !faults.is_empty() {
            return;
        }
        self.check_routes(&before, &after, &modules, &routes, faults);
        if faults.is_empty() {
            self.check_importers(&before, &after, &modules, faults);
        }
    }

    fn check_routes(
        &self,
        before: &Sight<'_>,
        after: &Sight<'_>,
        modules: &BTreeSet<&str>,
        routes: &BTreeSet<&str>,
        faults: &mut Vec<Invalid>,
    ) {
        // Many routes may run the same modules: what is wrong with those is told once.
        let mut seen = BTreeSet::new();
        for (name, route) in &after.scene.routes {
            let own = routes.contains(name.as_str());
            let list = selections(&route.modules);
            let touches =
                |one: &Selection| before.runs(&one.module()).iter().any(|m| modules.contains(m.as_str()));
            if !own && (modules.is_empty() || !list.iter().any(touches)) {
                continue;
            }
            let found = pipeline(after, &list);
            let earlier =
                || before.scene.routes.get(name).map(|route| pipeline(before, &selections(&route.modules)));
            if found.is_empty() || (!own && earlier().is_some_and(|earlier| !earlier.is_empty())) {
                continue;
            }
            for (index, why) in found {
                let (at, who) = match own {
                    true => (format!("modules[{index}]"), String::new()),
                    false => ("payload".into(), format!("route '{name}' would break: ")),
                };
                if own || seen.insert(why.clone()) {
                    faults.push(Invalid::new(at, format!("{who}{why}")));
                }
            }
        }
    }

    fn check_importers(
        &self,
        before: &Sight<'_>,
        after: &Sight<'_>,
        modules: &BTreeSet<&str>,
        faults: &mut Vec<Invalid>,
    ) {
        for name in after.scene.modules.keys() {
            let own = modules.contains(name.as_str());
            if !own && !after.reach(name).iter().any(|module| modules.contains(module.as_str())) {
                continue;
            }
            match &*after.graph(name) {
                Ok(_) | Err(Broken::Missing(_)) => {}
                Err(_) if !own && before.graph(name).is_err() => {}
                Err(broken) => {
                    let who = if own { String::new() } else { format!("module '{name}' would break: ") };
                    faults
                        .extend(broken.sentences().map(|why| Invalid::new("payload", format!("{who}{why}"))));
                }
            }
        }
    }

    /// Modules that take a part of a written module's calls must be there.
    fn check_canaries(&self, after: &Scene, modules: &BTreeSet<&str>, faults: &mut Vec<Invalid>) {
        let written = modules.iter().filter_map(|name| after.modules.get(*name));
        for (index, canary) in written.flat_map(|module| module.tags.iter().enumerate()) {
            if let Ok(Tag::Canary(_, module)) = tag::parse(canary)
                && !after.modules.contains_key(module)
            {
                faults.push(Invalid::new(format!("tags[{index}]"), format!("there is no module '{module}'")));
            }
        }
    }

    /// Compiles a module, or finds what it was compiled to.
    pub(super) fn compile(&self, name: &str, module: &Module) -> Compilation {
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
}

/// What is wrong with the list of a route: index into it, and a sentence.
fn pipeline(sight: &Sight<'_>, list: &[Selection]) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    for (index, one) in list.iter().enumerate() {
        let module = one.module();
        let canaries = sight.canaries(&module);
        for module in std::iter::once(&module).chain(&canaries) {
            if !sight.scene.modules.contains_key(module) {
                // That a module is named which is not there is for the rules to say.
                return Vec::new();
            }
            if let Err(broken) = &*sight.graph(module) {
                faults.extend(broken.sentences().map(|why| (index, why)));
            }
        }
    }
    if faults.is_empty() { stages::faults(list, sight) } else { faults }
}
