//! The shard's script runtimes: one engine per script, made when a request first wants it and made again when the script
//! was changed, then before requests meet it (`prepare`). They are counted and bounded here; nothing is run here.

use super::host::{Lender, ScriptHost};
use super::loaded::{Engine, Shelf};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_js::{Cause, Failure, Grants, Limits, ModuleCode, Runtime};
use tidegate_snapshot::{Script, ScriptReport};

/// The shard's runtimes, one per script, by slot.
pub struct Scripts {
    /// What their hosts share.
    pub(super) lender: Rc<Lender>,
    contexts: u32,
    pub(super) runtimes: RefCell<Shelf>,
}

impl Scripts {
    /// Without any runtime yet.
    pub fn new(lender: Rc<Lender>, contexts: u32) -> Self {
        Self { lender, contexts, runtimes: RefCell::default() }
    }

    /// The engine of a script, made when it is first wanted here.
    pub(super) fn engine(&self, script: &Arc<Script>) -> Result<Rc<Engine>, Failure> {
        if let Some(engine) = self.runtimes.borrow().get(script) {
            return Ok(engine.clone());
        }
        let engine = self.make(script)?;
        self.runtimes.borrow_mut().put(engine.clone());
        Ok(engine)
    }

    /// An engine that is on no shelf yet: the script's top-level code has run once in it.
    pub(super) fn make(&self, script: &Arc<Script>) -> Result<Rc<Engine>, Failure> {
        let modules: Vec<ModuleCode> = script
            .modules
            .iter()
            .map(|module| ModuleCode {
                name: module.name.clone(),
                bytecode: module.bytecode.clone(),
                source_map: module.source_map.clone(),
            })
            .collect();
        let limits = Limits {
            cpu_ms: script.limits.cpu_ms,
            memory_bytes: script.limits.memory_bytes,
            stack_bytes: script.limits.stack_bytes,
            contexts: self.contexts,
            fetches: script.limits.fetches,
            timers: script.limits.timers,
            pending: script.limits.pending,
            ..Limits::default()
        };
        let host = ScriptHost::new(self.lender.clone(), script);
        let permissions = Grants::parse(&script.permissions).map_err(|_| Failure {
            cause: Cause::Internal,
            message: "a permission is unknown".into(),
            stack: String::new(),
        })?;
        let runtime = Runtime::new(&modules, limits, permissions, Rc::new(host))?;
        Ok(Rc::new(Engine { script: script.clone(), runtime }))
    }

    /// What was counted since the last time.
    pub fn report(&self) -> Vec<ScriptReport> {
        self.runtimes.borrow_mut().report()
    }
}
