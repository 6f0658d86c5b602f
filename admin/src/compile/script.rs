//! Modules and the graphs that routes run. A module is compiled when a route needs it and only when its source or
//! language changed; a graph is a new script only when one of its modules is a new compilation, or its permissions or
//! limits are others.

use super::slots::Slots;
use crate::resource::{self, Budget, ModuleType};
use crate::schedule::{Job, Planned, jobs_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_js::{Function, Grants, Language};
use tidegate_snapshot::{ModuleCode, ModuleLimits, Script, ScriptFunctions};

/// Most modules of one graph.
const MAX_GRAPH: usize = 256;

/// A module of a namespace.
pub(super) struct ModuleEntry {
    text: Arc<str>,
    source: Result<(String, Language), String>,
    powers: Result<Powers, String>,
    compiled: Option<Result<Arc<Compilation>, String>>,
}

/// What a module and all that it imports may reach and use.
#[derive(Clone)]
struct Powers {
    permissions: Arc<[Box<str>]>,
    grants: Grants,
    budget: Budget,
    canaries: Vec<(u32, String)>,
}

impl Powers {
    fn of(module: &resource::Module) -> Result<Self, String> {
        let wrong =
            |faults: Vec<(usize, String)>| faults.into_iter().map(|(_, why)| why).next().unwrap_or_default();
        Ok(Self {
            permissions: module.permissions().into(),
            grants: module.grants().map_err(wrong)?,
            budget: module.limits.clone().unwrap_or_default(),
            canaries: module.canaries(),
        })
    }
}

/// A module that compiled.
pub(super) struct Compilation {
    code: tidegate_js::ModuleCode,
    imports: Vec<String>,
    functions: tidegate_js::Functions,
    may_have_jobs: bool,
}

impl ModuleEntry {
    /// Reads a stored text. What `before` compiled is kept if source and language are the same.
    pub(super) fn of(text: &str, before: Option<Self>) -> Self {
        let module = serde_json::from_str::<resource::Module>(text).map_err(|e| e.to_string());
        let powers = module.as_ref().map_err(String::clone).and_then(Powers::of);
        let source = module.and_then(|module| {
            let language = match module.module_type {
                ModuleType::Typescript => Language::TypeScript,
                ModuleType::Javascript => Language::JavaScript,
            };
            Ok((module.source()?, language))
        });
        let compiled = before.filter(|before| before.source == source).and_then(|before| before.compiled);
        Self { text: text.into(), source, powers, compiled }
    }

    /// Whether this is the stored text.
    pub(super) fn is(&self, text: &str) -> bool {
        *self.text == *text
    }

    /// The modules that take a part of its calls: parts per million, and which.
    pub(super) fn canaries(&self) -> &[(u32, String)] {
        self.powers.as_ref().map_or(&[], |powers| &powers.canaries)
    }

    /// Whether it has to be built although no route lists it, to know its jobs.
    pub(super) fn may_have_jobs(&self) -> bool {
        self.source.as_ref().is_ok_and(|(source, _)| mentions_jobs(source))
    }

    fn compile(&mut self, name: &str) -> Result<Arc<Compilation>, String> {
        let Self { source, compiled, .. } = self;
        compiled
            .get_or_insert_with(|| {
                let (source, language) = source.as_ref().map_err(String::clone)?;
                let compiled = tidegate_js::compile(name, source, *language).map_err(|diagnostics| {
                    diagnostics.first().map_or_else(|| "does not compile".into(), ToString::to_string)
                })?;
                let may_have_jobs = mentions_jobs(source);
                Ok(Arc::new(Compilation {
                    may_have_jobs,
                    code: compiled.code(),
                    functions: compiled.functions,
                    imports: compiled.imports,
                }))
            })
            .clone()
    }
}

/// What runs by itself has to be seen in the module's own text, so that not every library has to be evaluated to know:
/// behind `export *` it does not count.
fn mentions_jobs(source: &str) -> bool {
    source.contains("scheduled")
}

/// The script of an entry module.
pub(super) struct ScriptEntry {
    pub(super) key: Arc<str>,
    slot: u32,
    graph: Vec<Arc<Compilation>>,
    pub(super) built: Result<Arc<Script>, String>,
    /// What it wants to be run by itself.
    jobs: Arc<[Job]>,
    /// What is wrong with a script that is run all the same.
    pub(super) complaint: Option<String>,
}

impl ScriptEntry {
    /// A script that is not built yet.
    pub(super) fn new(namespace: &str, entry: &str, slots: &mut Slots) -> Self {
        Self {
            key: format!("{namespace}/{entry}").into(),
            slot: slots.take(),
            graph: Vec::new(),
            built: Err(String::new()),
            jobs: Arc::default(),
            complaint: None,
        }
    }

    /// Itself with its jobs, if it has any.
    pub(super) fn planned(&self) -> Option<Planned> {
        let script = self.built.as_ref().ok().filter(|_| !self.jobs.is_empty())?;
        Some(Planned { script: script.clone(), jobs: self.jobs.clone() })
    }

    /// Gives its slot back.
    pub(super) fn release(self, slots: &mut Slots) {
        slots.give_back(self.slot);
    }

    /// Brings `built` up to date with the namespace's modules.
    pub(super) fn build(
        &mut self,
        namespace: &Arc<str>,
        entry: &str,
        modules: &mut BTreeMap<String, ModuleEntry>,
        defaults: ModuleLimits,
    ) {
        let found = closure(entry, modules).and_then(|graph| Ok((graph, powers(entry, modules)?)));
        let (graph, Powers { permissions, grants, budget, .. }) = match found {
            Ok(found) => found,
            Err(why) => {
                (self.graph, self.built, self.jobs) = (Vec::new(), Err(why), Arc::default());
                return;
            }
        };
        let limits = budget.over(defaults);
        let same = graph.len() == self.graph.len()
            && graph.iter().zip(&self.graph).all(|(now, before)| Arc::ptr_eq(now, before));
        if let Ok(built) = &self.built
            && same
            && built.limits == limits
            && built.permissions == permissions
        {
            return;
        }
        let codes: Vec<tidegate_js::ModuleCode> = graph.iter().map(|module| module.code.clone()).collect();
        // What fails here fails again on a shard, which answers 500: better than a route that is not there, whose
        // requests would go to a broader one.
        let examined = tidegate_js::examine_graph(&codes, &grants);
        let functions = examined.as_ref().map_or(graph[0].functions, |examined| examined.functions);
        let jobs = examined.and_then(|examined| match graph[0].may_have_jobs {
            true => jobs_of(&examined),
            false => Ok(Vec::new()),
        });
        self.complaint = jobs.as_ref().err().and_then(|found| found.first()).map(ToString::to_string);
        self.jobs = jobs.unwrap_or_default().into();
        self.built = Ok(Arc::new(Script {
            slot: self.slot,
            key: self.key.clone(),
            namespace: namespace.clone(),
            modules: codes
                .into_iter()
                .map(|code| ModuleCode {
                    name: code.name,
                    bytecode: code.bytecode,
                    source_map: code.source_map,
                })
                .collect(),
            functions: ScriptFunctions {
                fetch_upstream: functions.has(Function::FetchUpstream),
                request_modifier: functions.has(Function::RequestModifier),
                response_modifier: functions.has(Function::ResponseModifier),
                request_handler: functions.has(Function::RequestHandler),
                error_handler: functions.has(Function::ErrorHandler),
            },
            limits,
            permissions,
        }));
        self.graph = graph;
    }
}

/// The names of all that an entry imports, directly or not. What cannot be compiled imports nothing.
pub(super) fn imported(entry: &str, modules: &mut BTreeMap<String, ModuleEntry>) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![entry.to_owned()]);
    while let Some(name) = next.pop() {
        let Some(Ok(compiled)) = modules.get_mut(&name).map(|module| module.compile(&name)) else { continue };
        for import in &compiled.imports {
            if found.len() <= MAX_GRAPH && found.insert(import.clone()) {
                next.push(import.clone());
            }
        }
    }
    found
}

/// What the entry may reach and use.
fn powers(entry: &str, modules: &BTreeMap<String, ModuleEntry>) -> Result<Powers, String> {
    let module = modules.get(entry).ok_or_else(|| format!("there is no module '{entry}'"))?;
    module.powers.clone().map_err(|why| format!("module '{entry}': {why}"))
}

/// The entry and all that it imports, directly or not, in the order in which they are found.
fn closure(
    entry: &str,
    modules: &mut BTreeMap<String, ModuleEntry>,
) -> Result<Vec<Arc<Compilation>>, String> {
    let (mut names, mut graph) = (vec![entry.to_owned()], Vec::new());
    while let Some(name) = names.get(graph.len()).cloned() {
        let module = modules.get_mut(&name).ok_or_else(|| format!("there is no module '{name}'"))?;
        let compiled = module.compile(&name).map_err(|why| format!("module '{name}': {why}"))?;
        for import in &compiled.imports {
            if !names.contains(import) {
                names.push(import.clone());
            }
        }
        if names.len() > MAX_GRAPH {
            return Err(format!("more than {MAX_GRAPH} modules are imported"));
        }
        graph.push(compiled);
    }
    Ok(graph)
}
