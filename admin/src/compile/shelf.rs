//! What is known about a namespace's modules when its routes are put together: which are here, what they import, what
//! they offer, and who takes a part of their calls.

use super::pipeline::{Modules, Presence};
use super::script::{ModuleEntry, ScriptEntry};
use crate::change::Kind;
use crate::resource::{Known, Selection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidegate_js::{Function, Functions};
use tidegate_snapshot::Script;

/// The modules and scripts of a namespace.
pub(super) struct Shelf<'a> {
    pub(super) modules: &'a BTreeMap<String, ModuleEntry>,
    pub(super) scripts: &'a BTreeMap<String, ScriptEntry>,
    /// Of every module that stands in a list with others.
    pub(super) imports: &'a BTreeMap<String, BTreeSet<String>>,
    pub(super) elsewhere: &'a BTreeSet<(Kind, String)>,
}

impl<'a> Shelf<'a> {
    /// The script of a module. Errors: what is wrong with it.
    pub(super) fn script(&self, module: &str) -> Result<&'a Arc<Script>, String> {
        match self.scripts.get(module) {
            Some(entry) => entry.built.as_ref().map_err(String::clone),
            None => Err(format!("there is no module '{module}'")),
        }
    }
}

impl Known for Shelf<'_> {
    fn imports(&self, importer: &str, module: &str) -> bool {
        self.imports.get(importer).is_some_and(|names| names.contains(module))
    }

    fn functions(&self, module: &str) -> Functions {
        let script = self.scripts.get(module).and_then(|entry| entry.built.as_ref().ok());
        let Some(has) = script.map(|script| script.functions) else { return Functions::default() };
        let all = [
            (has.fetch_upstream, Function::FetchUpstream),
            (has.request_modifier, Function::RequestModifier),
            (has.response_modifier, Function::ResponseModifier),
            (has.request_handler, Function::RequestHandler),
            (has.error_handler, Function::ErrorHandler),
        ];
        all.into_iter().filter(|(has, _)| *has).map(|(_, function)| function).collect()
    }

    fn canaries(&self, module: &str) -> Vec<String> {
        self.shares(module).into_iter().map(|(_, canary)| canary).collect()
    }
}

impl Modules for Shelf<'_> {
    fn presence(&self, module: &str) -> Presence {
        if self.modules.contains_key(module) {
            Presence::Here
        } else if self.elsewhere.contains(&(Kind::Module, module.to_owned())) {
            Presence::Elsewhere
        } else {
            Presence::Nowhere
        }
    }

    fn shares(&self, module: &str) -> Vec<(u32, String)> {
        self.modules.get(module).map_or(Vec::new(), |entry| entry.canaries().to_vec())
    }
}

/// The modules of a list that want a script: those that are here and that no earlier one of another name imports, and
/// the canaries of these.
pub(super) fn listed(
    list: &[Selection],
    modules: &BTreeMap<String, ModuleEntry>,
    imports: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for (index, one) in list.iter().enumerate() {
        let name = one.module();
        let mut earlier = list[..index].iter().filter(|other| other.name != one.name);
        if earlier.any(|other| imports.get(&other.module()).is_some_and(|names| names.contains(&name))) {
            continue;
        }
        let canaries = modules.get(&name).map_or(&[][..], ModuleEntry::canaries);
        wanted.extend(canaries.iter().map(|(_, canary)| canary.clone()));
        wanted.insert(name);
    }
    wanted.retain(|name| modules.contains_key(name));
    wanted
}
