//! What modules write: checked like an API call, proposed, and answered when every shard runs the result. What a
//! module says about its namespace is overruled.

use super::node::Node;
use super::reply::reply;
use crate::api::Live;
use crate::change::{Change, Key, Kind, Op, Outcome};
use crate::invalid::Invalid;
use crate::raft::Cluster;
use crate::resource;
use serde_json::Value;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tidegate_mailbox::QueueWriter;
use tidegate_snapshot::{DocumentWrite, ToShard};
use tokio::sync::Semaphore;

/// Writes of modules under way at once; one more is refused.
const AT_ONCE: usize = 256;

/// Carries out the writes of modules.
#[derive(Clone)]
pub(super) struct Writes {
    cluster: Cluster,
    node: Arc<Node>,
    room: Arc<Semaphore>,
}

impl Writes {
    pub(super) fn new(cluster: Cluster, node: Arc<Node>) -> Self {
        Self { cluster, node, room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Begins a write; its answer goes to `shard`.
    pub(super) fn begin(
        &self,
        shard: QueueWriter<ToShard>,
        ticket: u64,
        namespace: Arc<str>,
        write: DocumentWrite,
    ) {
        let this = self.clone();
        tokio::spawn(async move {
            let outcome = match this.room.try_acquire() {
                Ok(_room) => this.write(&namespace, write).await,
                Err(_) => Err("too many writes are under way: try again".into()),
            };
            reply(&shard, ToShard::Written { ticket, outcome }).await;
        });
    }

    async fn write(&self, namespace: &str, write: DocumentWrite) -> Result<String, String> {
        let op = operation(namespace, write)?;
        let key = match &op {
            Op::Put { key, .. } => Some(key.clone()),
            Op::Delete { .. } | Op::DeleteDocuments { .. } | Op::MarkRun(_) | Op::Cache { .. } => None,
        };
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
        let outcome =
            self.cluster.propose(Change { ops: vec![op], at_ms }).await.map_err(|e| e.to_string())?;
        match outcome {
            Outcome::Rejected { faults } => Err(sentence(&faults)),
            Outcome::Applied { index, .. } => {
                self.node.committed(index).await.map_err(|e| e.to_string())?;
                let Some(key) = key else { return Ok("null".into()) };
                let store = self.cluster.store().clone();
                let read = tokio::task::spawn_blocking(move || store.view()?.get_text(&key));
                let text = read.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
                // Another write may have deleted it since.
                Ok(text.unwrap_or_else(|| "null".into()))
            }
        }
    }
}

fn sentence(faults: &[Invalid]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The operation that a module asks for. Errors: a sentence for its author.
fn operation(namespace: &str, write: DocumentWrite) -> Result<Op, String> {
    let key = |kind, collection: Option<String>, name| Key {
        kind,
        namespace: namespace.to_owned(),
        collection,
        name,
    };
    let (kind, mut value) = match write {
        DocumentWrite::DeleteCollection { name } => {
            return Ok(Op::Delete { key: key(Kind::Collection, None, name) });
        }
        DocumentWrite::DeleteDocument { collection, id } => {
            return Ok(Op::Delete { key: key(Kind::Document, Some(collection), id) });
        }
        DocumentWrite::PutCollection { collection } => {
            (Kind::Collection, resource::parse_json(collection.as_bytes())?)
        }
        DocumentWrite::PutDocument { collection, id, data } => {
            let data = resource::parse_json(data.as_bytes())?;
            (Kind::Document, serde_json::json!({ "id": id, "collection": collection, "data": data }))
        }
    };
    match value.as_object_mut() {
        // Modules write into their own namespace, whatever they say.
        Some(fields) => fields.insert("namespace".into(), Value::from(namespace)),
        None => return Err(format!("a {} is a JSON object", kind.name())),
    };
    resource::parse(kind, value).map(resource::Parsed::into_put).map_err(|faults| sentence(&faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_write_into_their_own_namespace() {
        let document = DocumentWrite::PutDocument {
            collection: "c".into(),
            id: "i".into(),
            data: r#"{"namespace":"other"}"#.into(),
        };
        let collection =
            DocumentWrite::PutCollection { collection: r#"{"name":"c","namespace":"other"}"#.into() };
        for write in [document, collection] {
            let Ok(Op::Put { key, value }) = operation("mine", write) else { panic!("a put") };
            assert_eq!((key.namespace.as_str(), &value["namespace"]), ("mine", &Value::from("mine")));
        }
    }

    #[test]
    fn what_cannot_be_written_is_said_in_a_sentence() {
        let document = |data: &str| DocumentWrite::PutDocument {
            collection: "c".into(),
            id: "i".into(),
            data: data.into(),
        };
        for write in [
            document("{"),
            document("{\"a\":1,\"a\":2}"),
            DocumentWrite::PutCollection { collection: "[]".into() },
            DocumentWrite::PutCollection { collection: r#"{"name":"c","visibility":"secret"}"#.into() },
            DocumentWrite::PutDocument { collection: "c".into(), id: String::new(), data: "1".into() },
        ] {
            assert!(operation("mine", write).is_err_and(|why| !why.is_empty()));
        }
    }
}
