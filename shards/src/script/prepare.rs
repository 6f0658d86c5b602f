//! Engines of scripts that were changed, made before the snapshot that has them is installed: the first request of a new
//! version does not wait for it. Scripts that nobody called here stay as they are, unloaded. Between two engines the shard
//! turns to its requests, which go on with the old snapshot and its engines.

use super::loaded::Engine;
use super::runtimes::Scripts;
use std::rc::Rc;
use std::sync::Arc;
use tidegate_reactor::{clock, give_way};
use tidegate_snapshot::Script;

/// Time that goes into it for one snapshot, nanoseconds: about thirty engines. What is left over is made when it is called.
const MOST_NS: u64 = 20_000_000;

/// Contexts that an engine begins with at most, where the calls of the version before it needed several at once.
const MOST_CONTEXTS: u32 = 8;

/// Engines that nobody sees yet.
pub struct Prepared(Vec<Rc<Engine>>);

impl Scripts {
    /// Makes engines of what is loaded here and was changed. One whose top-level code fails is left to its first call,
    /// which is told.
    pub async fn prepare(&self, scripts: &[Option<Arc<Script>>]) -> Prepared {
        let changed = self.runtimes.borrow().changed(scripts);
        let (mut made, mut spent) = (Vec::with_capacity(changed.len()), 0);
        for (script, contexts) in changed {
            if let Some(engine) = timed(&mut spent, || self.make(&script).ok()).await {
                made.push((engine, contexts.min(MOST_CONTEXTS)));
            }
            if spent >= MOST_NS {
                break;
            }
        }
        // A second one for each before a third for any.
        for count in 2..=MOST_CONTEXTS {
            for (engine, contexts) in &made {
                if *contexts >= count && spent < MOST_NS {
                    timed(&mut spent, || engine.runtime.warm()).await;
                }
            }
        }
        Prepared(made.into_iter().map(|(engine, _)| engine).collect())
    }

    /// Puts them where requests find them, and drops the runtimes of scripts that are gone. No turn of the loop may lie
    /// between this and the installation of the snapshot: a request that has the old one would make the old engine anew.
    pub fn install(&self, prepared: Prepared, scripts: &[Option<Arc<Script>>]) {
        let mut shelf = self.runtimes.borrow_mut();
        shelf.retain(scripts);
        prepared.0.into_iter().for_each(|engine| shelf.put(engine));
    }
}

/// Does a piece of work, adds what it took to `spent`, and lets others have their turn.
async fn timed<R>(spent: &mut u64, work: impl FnOnce() -> R) -> R {
    let began = clock::precise_ns();
    let result = work();
    *spent += clock::precise_ns() - began;
    give_way().await;
    result
}
