//! A secret as it was written: a value that is stored and used, and never shown.

use super::{Hidden, Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that is written once; to change it, delete it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    /// Unique name within the namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The value; answers leave it out.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub data: Hidden<String>,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Resource for Secret {
    const KIND: Kind = Kind::Secret;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
    }
}
