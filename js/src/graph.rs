//! The last check before a module graph is accepted: link it and run its top-level code in a scratch runtime that
//! has no exchange and an empty state. Whatever goes wrong there is told with its place in the source.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::failure::Failure;
use crate::grants::Grants;
use crate::host::{ConsoleLevel, Host, Pending, Refused, StateRead, StateWrite};
use crate::jobs::Job;
use crate::limits::Limits;
use crate::module::{Diagnostic, Functions, ModuleCode};
use crate::positions::Positions;
use crate::runtime::Runtime;
use crate::specifier::{Target, bare, target};
use crate::stack::first_frame;

/// Links and evaluates a graph, entry first. Unresolved imports (all of them), missing exports and throwing
/// top-level code are diagnostics. Gives the functions that the entry has.
pub fn check_graph(modules: &[ModuleCode], grants: &Grants) -> Result<Functions, Vec<Diagnostic>> {
    examine_graph(modules, grants).map(|examined| examined.functions)
}

/// What a graph turned out to have.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The functions of the entry.
    pub functions: Functions,
    /// What it wants to be run by itself. Whether the times it names are any is for the caller to say.
    pub jobs: Vec<Job>,
    /// Where the entry exports `scheduled`; the message is empty.
    pub scheduled_at: Diagnostic,
}

/// As [`check_graph`], with the jobs.
pub fn examine_graph(modules: &[ModuleCode], grants: &Grants) -> Result<Examined, Vec<Diagnostic>> {
    let maps: Vec<Positions> = modules.iter().filter_map(|m| Positions::decode(&m.source_map)).collect();
    let Some(entry) = maps.first().filter(|_| maps.len() == modules.len()) else {
        let message = "no modules, or a position map that is not ours".into();
        return Err(vec![Diagnostic { module: String::new(), line: 1, column: 1, message }]);
    };
    let known: HashSet<&str> = modules.iter().map(|m| bare(&m.name)).collect();
    let mut missing = Vec::new();
    for map in &maps {
        for import in &map.imports {
            if let Target::User(name) = target(&import.specifier)
                && !known.contains(name.as_str())
            {
                let message = format!("there is no module '{}'", import.specifier);
                missing.push(Diagnostic {
                    module: map.shown.clone(),
                    line: import.line,
                    column: import.column,
                    message,
                });
            }
        }
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    match Runtime::new(modules, Limits::default(), grants.clone(), Rc::new(Nowhere { start: Instant::now() }))
    {
        Ok(runtime) => {
            let (line, column) = entry.scheduled.unwrap_or((1, 1));
            let scheduled_at =
                Diagnostic { module: entry.shown.clone(), line, column, message: String::new() };
            Ok(Examined { functions: runtime.functions(), jobs: runtime.jobs().to_vec(), scheduled_at })
        }
        Err(failure) => Err(vec![placed(&failure, entry, &maps)]),
    }
}

/// Finds the best place for what failed: its first frame, or the import that asked for what is not there.
fn placed(failure: &Failure, entry: &Positions, maps: &[Positions]) -> Diagnostic {
    let message = failure.message.clone();
    if let Some((module, line, column)) = first_frame(&failure.stack) {
        return Diagnostic { module: module.into(), line, column, message };
    }
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    if let [name, module] = quoted[..] {
        for map in maps {
            for import in map.imports.iter().filter(|i| means(&i.specifier, module)) {
                if let Some((_, line, column)) = import.names.iter().find(|(n, ..)| n == name) {
                    let message = format!("'{}' does not export '{name}'", import.specifier);
                    return Diagnostic { module: map.shown.clone(), line: *line, column: *column, message };
                }
            }
        }
    }
    Diagnostic { module: entry.shown.clone(), line: 1, column: 1, message }
}

/// True if `specifier` leads to what the engine calls `module`.
fn means(specifier: &str, module: &str) -> bool {
    match target(specifier) {
        Target::User(name) => name == bare(module),
        Target::Host(host) => host == module,
        Target::Refused(_) => false,
    }
}

/// The host of a check: it has a clock and randomness, and nothing else.
struct Nowhere {
    start: Instant,
}

impl Host for Nowhere {
    fn now_ms(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_millis() as f64)
    }

    fn monotonic_ms(&self) -> f64 {
        self.start.elapsed().as_secs_f64() * 1000.0
    }

    fn random(&self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            out.fill(0);
        }
    }

    fn sleep(&self, _: u64) -> Pending<()> {
        Box::pin(std::future::pending())
    }

    fn console(&self, _: &str, _: ConsoleLevel, _: &str) {}

    fn read_state(&self, read: StateRead) -> Result<String, Refused> {
        Ok(if matches!(read, StateRead::Documents { .. }) { "[]".into() } else { "null".into() })
    }

    fn write_state(&self, _: StateWrite) -> Pending<Result<String, Refused>> {
        Box::pin(std::future::ready(Err(Refused("state cannot be written while a module is checked".into()))))
    }
}
