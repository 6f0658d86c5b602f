//! Finds modules inside a runtime: user modules of the graph and the prelude's. The graph is fixed; there is no
//! other place to load from, and user modules cannot reach the prelude's internals.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::{Ctx, Error, Module};

use crate::module::ModuleCode;
use crate::positions::Positions;
use crate::prelude;
use crate::specifier::{INTERNAL, Target, bare, target};

/// The modules of a graph by the names the engine knows.
pub(crate) struct Library {
    /// `other` → `other.ts`
    shown: HashMap<String, String>,
    /// `other.ts` → bytecode
    code: HashMap<String, Arc<[u8]>>,
    /// Who imports, what is written there, and what the engine calls that which is meant: the test kit's files know each
    /// other by paths.
    aliases: HashMap<(String, String), String>,
    /// What the engine calls the entry.
    pub(crate) entry: String,
    /// The gateway's modules that the graph imports.
    pub(crate) host_imports: Vec<&'static str>,
    /// Nothing in the graph remembers anything from one call to the next.
    pub(crate) forgets: bool,
}

impl Library {
    pub(crate) fn new(modules: &[ModuleCode], aliases: Vec<(String, String, String)>) -> Option<Rc<Library>> {
        let mut library = Library {
            shown: HashMap::new(),
            code: HashMap::new(),
            aliases: aliases.into_iter().map(|(base, name, meant)| ((base, name), meant)).collect(),
            entry: String::new(),
            host_imports: Vec::new(),
            forgets: true,
        };
        for module in modules {
            let Positions { shown, imports, remembers, .. } = Positions::decode(&module.source_map)?;
            for import in imports {
                if let Target::Host(host) = target(&import.specifier)
                    && !library.host_imports.contains(&host)
                {
                    library.host_imports.push(host);
                }
            }
            library.forgets &= !remembers;
            if library.entry.is_empty() {
                library.entry.clone_from(&shown);
            }
            library.shown.insert(bare(&module.name).to_owned(), shown.clone());
            library.code.insert(shown, module.bytecode.clone());
        }
        (!library.entry.is_empty()).then(|| Rc::new(library))
    }

    /// Loads a module by the engine's name for it.
    pub(crate) fn load<'js>(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Module<'js>> {
        let bytecode = match self.code.get(name) {
            Some(code) => code,
            None => prelude::bytecode(name).ok_or_else(|| Error::new_loading(name))?,
        };
        // SAFETY: the bytes were made by `bytecode::emit` in this process, see `ModuleCode`.
        unsafe { Module::load(ctx.clone(), bytecode) }
    }
}

/// The library as the engine asks it.
pub(crate) struct Shelf(pub(crate) Rc<Library>);

impl Resolver for Shelf {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        let aliases = &self.0.aliases;
        if !aliases.is_empty()
            && let Some(meant) = aliases.get(&(base.to_owned(), name.to_owned()))
        {
            return Ok(meant.clone());
        }
        // The engine gives an empty base when it is Rust that asks.
        if base.is_empty() && self.0.code.contains_key(name) {
            return Ok(name.to_owned());
        }
        let ours = base.is_empty()
            || base.starts_with(INTERNAL)
            || base == "tidegate"
            || base.starts_with("tidegate/");
        if ours && prelude::bytecode(name).is_some() {
            return Ok(name.to_owned());
        }
        match target(name) {
            Target::Host(host) => Ok(host.to_owned()),
            Target::User(user) => match self.0.shown.get(&user) {
                Some(shown) => Ok(shown.clone()),
                None => Err(Error::new_resolving_message(base, name, format!("there is no module '{name}'"))),
            },
            Target::Refused(why) => Err(Error::new_resolving_message(base, name, why)),
        }
    }
}

impl Loader for Shelf {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js>> {
        self.0.load(ctx, name)
    }
}
