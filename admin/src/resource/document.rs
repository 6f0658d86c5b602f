//! A document as the store keeps it. Its data is the user's: it never appears in an error or a log.

use super::{Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// JSON data under an id.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// Unique within the collection: 1 to 200 bytes without control characters.
    pub id: String,
    /// Its namespace.
    pub namespace: String,
    /// Its collection.
    pub collection: String,
    /// What the collection's schema accepts.
    #[schemars(schema_with = "any")]
    pub data: Value,
    /// When it was written first, RFC 3339; set by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When it was written last, RFC 3339; set by the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
}

fn any(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({})
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("id", &self.id)
            .field("namespace", &self.namespace)
            .field("collection", &self.collection)
            .finish_non_exhaustive()
    }
}

impl Resource for Document {
    const KIND: Kind = Kind::Document;

    fn key(&self) -> Key {
        Key {
            kind: Self::KIND,
            namespace: self.namespace.clone(),
            collection: Some(self.collection.clone()),
            name: self.id.clone(),
        }
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check_id("id", &self.id, faults);
        name::check("namespace", &self.namespace, faults);
        name::check("collection", &self.collection, faults);
    }

    fn settle(&mut self) {
        (self.created_at, self.updated_at) = (None, None);
    }
}
