//! A collection as it was written: a set of documents and the JSON Schema they satisfy. The schema is compiled to see
//! that it can be; it never fetches anything.

use super::{Resource, document_schema, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who reads the documents over the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Only modules of the namespace; listing them over the admin API is refused.
    #[default]
    Private,
    /// Everybody who may use the admin API.
    Public,
}

/// Where the documents come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CollectionType {
    /// They are written.
    #[default]
    Document,
    /// They are fetched by a module.
    Fetcher,
}

/// A set of documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Collection {
    /// Unique name within the namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// JSON Schema (2020-12 unless it names another draft) that every document satisfies; absent accepts anything.
    #[serde(default = "anything")]
    #[schemars(schema_with = "schema_of_schema")]
    pub schema: Value,
    /// Who reads it.
    #[serde(default)]
    pub visibility: Visibility,
    /// Where its documents come from.
    #[serde(default, rename = "type")]
    pub kind: CollectionType,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
}

fn anything() -> Value {
    Value::Object(serde_json::Map::new())
}

fn schema_of_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["object", "boolean"] })
}

impl Resource for Collection {
    const KIND: Kind = Kind::Collection;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
        if let Err(fault) = document_schema::compile(&self.schema) {
            faults.push(fault);
        }
    }
}
