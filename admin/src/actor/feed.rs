//! From the store to the compiler: the resources that changed since the last time, told by the changelog, or all of them
//! when it does not reach back that far. Blocks on the disk; never on an async thread.

use crate::change::{Key, Kind};
use crate::compile::Compiler;
use crate::store::{Store, StoreError, View};
use std::collections::BTreeSet;

/// How far the compiler was fed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Log index of the last applied entry.
    pub(super) revision: u64,
    /// Applied changes.
    changes: u64,
    /// Something was fed at all.
    started: bool,
}

/// Brings the compiler up to the store's state and answers where that is.
pub(super) fn feed(store: &Store, compiler: &mut Compiler, from: Position) -> Result<Position, StoreError> {
    let view = store.view()?;
    let meta = view.meta()?;
    let to = Position { revision: meta.revision, changes: meta.changes, started: true };
    match changed_keys(&view, from, to)? {
        Some(keys) => {
            for key in keys {
                match view.get_text(&key)? {
                    Some(text) => compiler.put(&key, &text),
                    None => compiler.remove(&key),
                }
            }
        }
        None => {
            let mut all = Vec::new();
            for kind in Kind::ALL.into_iter().filter(|kind| Compiler::wants(*kind)) {
                all.extend(view.list(kind, None)?.into_iter().map(|(key, value)| (key, value.to_string())));
            }
            compiler.reset(&all);
        }
    }
    Ok(to)
}

/// The resources that were touched in between, or `None` if the changelog does not tell all of them.
fn changed_keys(view: &View<'_>, from: Position, to: Position) -> Result<Option<BTreeSet<Key>>, StoreError> {
    // A Raft snapshot may have replaced the state by one with fewer changes and a changelog of its own.
    let count = match to.changes.checked_sub(from.changes) {
        Some(count) if from.started => usize::try_from(count).unwrap_or(usize::MAX),
        _ => return Ok(None),
    };
    let latest = view.latest_changes(count)?;
    let mut keys = BTreeSet::new();
    if latest.len() != count || latest.iter().any(|change| change.index <= from.revision) {
        return Ok(None);
    }
    for change in latest {
        if change.ops_total != change.ops.len() {
            return Ok(None);
        }
        for op in change.ops.into_iter().filter(|op| Compiler::wants(op.kind)) {
            let Some(name) = op.name else { return Ok(None) };
            keys.insert(Key { kind: op.kind, namespace: op.namespace, collection: None, name });
        }
    }
    Ok(Some(keys))
}
