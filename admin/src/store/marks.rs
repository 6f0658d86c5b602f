//! Runs of jobs that the cluster runs once, one record for each job: when the last one was due, who began it, and how it
//! ended. It is part of the state like any resource, but no resource: no API writes it and no changelog tells of it.

use super::environment::Store;
use super::error::StoreError;
use super::record::Totals;
use super::tables::{Tables, WriteTxn};
use super::view::View;
use crate::change::{Key, Kind, RunMark};
use crate::invalid::Invalid;
use heed::RoTxn;
use serde::{Deserialize, Serialize};

/// The number of these records on disk, beside those of the kinds: never renumber.
const TAG: u8 = 9;
/// LMDB's limit for a key, bytes.
const MAX_KEY: usize = 511;

/// The last run of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastRun {
    /// The times it was due by.
    pub(crate) times: String,
    /// When it was due, milliseconds since the epoch.
    pub(crate) due_ms: u64,
    /// The node that began it.
    pub(crate) node: u64,
    /// When that node began it, by its clock.
    pub(crate) began_ms: u64,
    /// How it ended; `None` while it runs, and for ever if its node did not live to say.
    pub(crate) outcome: Option<String>,
    /// When it ended.
    pub(crate) ended_ms: Option<u64>,
}

/// Tag, namespace, module: what all records of a module begin with.
fn prefix(module: &Key) -> Vec<u8> {
    let mut bytes = vec![TAG];
    for part in [&module.namespace, &module.name] {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn key(module: &Key, index: u16) -> Vec<u8> {
    let mut bytes = prefix(module);
    bytes.extend_from_slice(index.to_string().as_bytes());
    bytes
}

fn read(tables: &Tables, txn: &RoTxn, key: &[u8]) -> Result<Option<LastRun>, StoreError> {
    let Some(bytes) = tables.state.get(txn, key)? else { return Ok(None) };
    serde_json::from_slice(bytes).map(Some).map_err(|_| StoreError::corrupt("the record of a scheduled run"))
}

/// Records that a run begins or how it ended. The inner error says that it must not begin: it has already, here or on
/// another node.
pub(super) fn put(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    mark: &RunMark,
    at_ms: u64,
) -> Result<Result<(), Invalid>, StoreError> {
    let RunMark { module, index, times, due_ms, node, outcome } = mark;
    let refuse = |why: &str| Ok(Err(Invalid::new("", why)));
    if module.kind != Kind::Module || tables.text(txn, module)?.is_none() {
        return refuse("the module does not exist any more");
    }
    let key = key(module, *index);
    if key.len() > MAX_KEY {
        return refuse("the module's name is too long for a record of its runs");
    }
    let before = read(tables, txn, &key)?;
    let record = match (before, outcome) {
        // Other times may be earlier ones.
        (Some(before), None) if before.times == *times && before.due_ms >= *due_ms => {
            return refuse("this run has begun already");
        }
        (_, None) => LastRun {
            times: times.clone(),
            due_ms: *due_ms,
            node: *node,
            began_ms: at_ms,
            outcome: None,
            ended_ms: None,
        },
        (Some(before), Some(outcome)) if before.due_ms == *due_ms && before.node == *node => {
            LastRun { outcome: Some(outcome.clone()), ended_ms: Some(at_ms), ..before }
        }
        (_, Some(_)) => return refuse("a later run has begun"),
    };
    tables.put_state(txn, totals, &key, &super::changes::to_json(&record))?;
    Ok(Ok(()))
}

/// Forgets the runs of a module that is deleted.
pub(super) fn forget(
    tables: &Tables,
    txn: &mut WriteTxn,
    totals: &mut Totals,
    module: &Key,
) -> Result<(), StoreError> {
    let mut doomed = Vec::new();
    for row in tables.state.prefix_iter(txn, &prefix(module))? {
        doomed.push(row?.0.to_vec());
    }
    for key in doomed {
        tables.delete_state(txn, totals, &key)?;
    }
    Ok(())
}

impl View<'_> {
    /// The last run of a job of a module.
    pub(crate) fn last_run(&self, module: &Key, index: u16) -> Result<Option<LastRun>, StoreError> {
        self.within(|tables, txn| read(tables, txn, &key(module, index)))
    }
}

impl Store {
    /// The same, of the state as it is now.
    pub(crate) fn last_run(&self, module: &Key, index: u16) -> Result<Option<LastRun>, StoreError> {
        self.view()?.last_run(module, index)
    }
}
