//! A tenant as it was written. The namespace `default` exists without being written.

use super::{Resource, name};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Name of the namespace that always exists.
pub const DEFAULT: &str = "default";

/// A tenant: everything else lives in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Namespace {
    /// Unique name.
    pub name: String,
    /// Labels; `#name:data`, `!name:data`, `?name:a,b` and `?*name:a,b` choose the nodes that run it.
    #[serde(default)]
    pub tags: Vec<String>,
}

impl Namespace {
    /// The namespace that exists although nobody wrote it.
    pub fn implicit() -> Self {
        Self { name: DEFAULT.into(), tags: vec![DEFAULT.into()] }
    }
}

impl Resource for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn key(&self) -> Key {
        Key { kind: Self::KIND, namespace: self.name.clone(), collection: None, name: self.name.clone() }
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check_tags(&self.tags, faults);
    }
}
