//! The runtimes that a shard has loaded, by slot, and what their calls came to. A runtime that another replaced is kept
//! until the last exchange lets go of it, so that no call is left out of the numbers.

use std::rc::Rc;
use std::sync::Arc;
use tidegate_js::{Calls, Histogram, Runtime};
use tidegate_snapshot::{FunctionReport, Script, ScriptNow, ScriptReport, TimesReport};

/// A script and the engine that runs it.
pub struct Engine {
    /// What it runs.
    pub script: Arc<Script>,
    /// The engine.
    pub runtime: Rc<Runtime>,
}

/// One script's runtime.
struct Loaded {
    engine: Rc<Engine>,
    /// What was reported already: calls, failures, CPU nanoseconds.
    reported: (u64, u64, u64),
}

/// All of them.
#[derive(Default)]
pub struct Shelf {
    slots: Vec<Option<Loaded>>,
    /// Replaced, and perhaps still in use.
    retired: Vec<Loaded>,
    /// Last words of those that are gone.
    last: Vec<ScriptReport>,
}

impl Shelf {
    /// The runtime of exactly this script.
    pub fn get(&self, script: &Arc<Script>) -> Option<&Rc<Engine>> {
        let loaded = self.slots.get(script.slot as usize)?.as_ref()?;
        Arc::ptr_eq(&loaded.engine.script, script).then_some(&loaded.engine)
    }

    /// Puts a runtime into its script's slot.
    pub fn put(&mut self, engine: Rc<Engine>) {
        let at = engine.script.slot as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        let loaded = Loaded { engine, reported: (0, 0, 0) };
        if let Some(before) = self.slots[at].replace(loaded) {
            self.retire(before);
        }
    }

    /// What has become of the scripts that are loaded: those that were changed, each with the number of contexts that
    /// its calls have needed so far. `scripts` are the new ones by slot.
    pub fn changed(&self, scripts: &[Option<Arc<Script>>]) -> Vec<(Arc<Script>, u32)> {
        let loaded = self.slots.iter().flatten().map(|loaded| &loaded.engine);
        let changed = loaded.filter_map(|engine| {
            let now = successor(&engine.script, scripts).filter(|now| !Arc::ptr_eq(now, &engine.script))?;
            Some((now.clone(), engine.runtime.stats().contexts))
        });
        changed.collect()
    }

    /// Drops the runtimes of scripts that are gone.
    pub fn retain(&mut self, scripts: &[Option<Arc<Script>>]) {
        for at in 0..self.slots.len() {
            let gone = self.slots[at].take_if(|l| successor(&l.engine.script, scripts).is_none());
            if let Some(gone) = gone {
                self.retire(gone);
            }
        }
        self.slots.truncate(scripts.len());
    }

    fn retire(&mut self, mut loaded: Loaded) {
        if Rc::strong_count(&loaded.engine) > 1 || Rc::strong_count(&loaded.engine.runtime) > 1 {
            self.retired.push(loaded);
        } else if let Some(mut report) = loaded.report() {
            report.now = None;
            self.last.push(report);
        }
    }

    /// What was counted since the last time.
    pub fn report(&mut self) -> Vec<ScriptReport> {
        for loaded in std::mem::take(&mut self.retired) {
            self.retire(loaded);
        }
        let mut reports = std::mem::take(&mut self.last);
        let retired = self.retired.iter_mut().filter_map(Loaded::report);
        reports.extend(retired.map(|report| ScriptReport { now: None, ..report }));
        reports.extend(self.slots.iter_mut().flatten().filter_map(Loaded::report));
        reports
    }
}

/// What a script is now; `None`: it is gone, and another may have its slot.
fn successor<'a>(script: &Script, scripts: &'a [Option<Arc<Script>>]) -> Option<&'a Arc<Script>> {
    let now = scripts.get(script.slot as usize)?.as_ref()?;
    Arc::ptr_eq(&now.key, &script.key).then_some(now)
}

impl Loaded {
    fn report(&mut self) -> Option<ScriptReport> {
        let stats = self.engine.runtime.stats();
        let now = (stats.calls, stats.failures.iter().sum(), stats.cpu_ns);
        let mut functions = Vec::new();
        self.engine.runtime.take_calls(&mut |function, calls| functions.push(of(function.name(), calls)));
        if now == self.reported && functions.is_empty() {
            return None;
        }
        let before = std::mem::replace(&mut self.reported, now);
        Some(ScriptReport {
            key: self.engine.script.key.clone(),
            calls: now.0 - before.0,
            failures: now.1 - before.1,
            cpu_ns: now.2 - before.2,
            now: Some(ScriptNow {
                memory_bytes: stats.memory_bytes as u64,
                contexts: stats.contexts,
                leased: stats.leased,
            }),
            functions,
        })
    }
}

fn of(function: &'static str, calls: &Calls) -> FunctionReport {
    let times = |histogram: &Histogram| TimesReport {
        filled: histogram.filled().collect(),
        sum_ns: histogram.sum_ns(),
        max_ns: histogram.max_ns(),
    };
    FunctionReport {
        function,
        outcomes: calls.outcomes().map(|(outcome, count)| (outcome.name(), count)).collect(),
        cpu: times(&calls.cpu),
        wall: times(&calls.wall),
    }
}
