//! Documents for the shards: reads of LMDB on the shard's own thread, answered as the stored JSON text. It parses and
//! allocates nothing but the answer, and never writes.

use super::environment::Store;
use super::error::StoreError;
use super::view::View;
use crate::change::{Key, Kind};
use crate::resource::Secret;
use tidegate_snapshot::{DocumentQuery, DocumentReader};

/// What there is no resource for.
const NOTHING: &str = "null";

impl DocumentReader for Store {
    fn read(&self, namespace: &str, query: &DocumentQuery) -> Result<String, String> {
        let answer = self.view().and_then(|view| answer(&view, namespace, query));
        answer.map_err(|e| format!("the documents cannot be read: {e}"))
    }

    fn secret(&self, namespace: &str, name: &str) -> Result<Option<String>, String> {
        let key = Key {
            kind: Kind::Secret,
            namespace: namespace.to_owned(),
            collection: None,
            name: name.to_owned(),
        };
        let text = self.view().and_then(|view| view.get_text(&key));
        let text = text.map_err(|e| format!("the secret cannot be read: {e}"))?;
        // What goes wrong here must not quote the text.
        let read = |text: String| {
            let secret: Result<Secret, _> = serde_json::from_str(&text);
            secret
                .map(|secret| secret.data.expose().clone())
                .map_err(|_| "the stored secret cannot be read".to_owned())
        };
        text.map(read).transpose()
    }
}

fn answer(view: &View<'_>, namespace: &str, query: &DocumentQuery) -> Result<String, StoreError> {
    let key = |kind, collection: Option<&String>, name: &String| Key {
        kind,
        namespace: namespace.to_owned(),
        collection: collection.cloned(),
        name: name.clone(),
    };
    let one = |key| Ok(view.get_text(&key)?.unwrap_or_else(|| NOTHING.to_owned()));
    match query {
        DocumentQuery::Collection { name } => one(key(Kind::Collection, None, name)),
        DocumentQuery::Document { collection, id } => one(key(Kind::Document, Some(collection), id)),
        DocumentQuery::Documents { collection, limit, offset } => {
            let page = view.documents(namespace, collection, *limit as usize, *offset as usize)?;
            let mut text = String::from("[");
            for (at, (_, document)) in page.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(document);
            }
            text.push(']');
            Ok(text)
        }
    }
}
