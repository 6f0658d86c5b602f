//! Resources as users write them, and the way in: strict JSON, known keys of both DGate versions, the JSON Schema of the
//! struct, the rules of the resource itself, and the rules among resources. Everything that is wrong is said at once.
//! Nothing here resolves, compiles into a snapshot, or knows HTTP.

mod budget;
mod collection;
mod document;
mod document_schema;
mod domain;
mod fault;
mod hidden;
mod javascript;
mod module;
mod name;
mod namespace;
mod normalise;
mod parse;
mod response;
mod route;
mod rules;
mod scene;
mod secret;
mod selection;
mod service;
mod size;
mod stages;
mod strict_json;
mod tag;
mod timespan;
mod url;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use collection::{Collection, CollectionType, Visibility};
pub use document::Document;
pub use document_schema::{DocumentSchema, compile as compile_document_schema};
pub use domain::Domain;
pub use hidden::Hidden;
pub use javascript::{Lookup, ModuleChecker};
pub use module::{Module, ModuleType};
pub use name::{MAX_ID, MAX_NAME, is_name};
pub use namespace::{DEFAULT as DEFAULT_NAMESPACE, Namespace};
pub use parse::{Parsed, parse, public_form, schema_of};
pub(crate) use response::check_field;
pub use response::{Response, Values};
pub use route::Route;
pub use rules::ResourceRules;
pub use secret::Secret;
pub(crate) use selection::{ALL, Selection};
pub use service::Service;
pub use size::parse_size;
pub(crate) use stages::{Known, running};
pub use strict_json::parse as parse_json;
pub(crate) use tag::NodeTags;
pub use tag::check_node_tag;
pub use timespan::Timespan;
pub use url::{UpstreamUrl, parse as parse_url};

use crate::change::{Key, Kind};
use crate::invalid::Invalid;

/// What the eight structs have in common. The stored value of a resource is its serialised form.
pub trait Resource: serde::Serialize + serde::de::DeserializeOwned + schemars::JsonSchema {
    /// Which kind it is.
    const KIND: Kind;

    /// What names it.
    fn key(&self) -> Key;

    /// Pushes every fault that the resource has by itself.
    fn check(&self, faults: &mut Vec<Invalid>);

    /// Whether a fault may only be there because fields that are `wrong` in form were left out for the check.
    fn is_doubtful(_fault: &Invalid, _wrong: &[String]) -> bool {
        false
    }

    /// Brings a checked resource into its canonical form.
    fn settle(&mut self) {}
}
