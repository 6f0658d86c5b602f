//! What must hold among resources, checked for every operation while it is applied: references lead somewhere, nothing
//! that is referred to goes away, documents satisfy their collection's schema, secrets are written once. It sees the
//! state and the operation and nothing else, so that every node comes to the same answer.

use super::document_schema::{self, DocumentSchema};
use super::tag::{self, Tag};
use super::{Collection, Document, Route, Selection, name, namespace};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use crate::store::{Rules, StateView};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Compiled schemas that are kept.
const SCHEMAS_KEPT: usize = 32;
/// Referring resources that an answer names.
const NAMED: usize = 5;

/// The rules among resources. The schemas it keeps only save time.
#[derive(Debug, Default)]
pub struct ResourceRules {
    schemas: Mutex<VecDeque<(Value, Arc<DocumentSchema>)>>,
}

impl Rules for ResourceRules {
    fn check(&self, view: &dyn StateView, op: &Op) -> Vec<Invalid> {
        let mut faults = Vec::new();
        match op {
            Op::Put { key, value } => self.put(view, key, value, &mut faults),
            Op::Delete { key } => delete(view, key, &mut faults),
            Op::MarkRun(_) => {}
            Op::Cache { namespace, .. } => {
                let own = name::key(Kind::Namespace, namespace, namespace);
                if namespace != namespace::DEFAULT && view.get(&own).is_none() {
                    faults.push(Invalid::new("", format!("there is no namespace '{namespace}'")));
                }
            }
            Op::DeleteDocuments { namespace, collection } => {
                if view.get(&name::key(Kind::Collection, namespace, collection)).is_none() {
                    faults.push(absent("collection", Kind::Collection, collection, namespace));
                }
            }
        }
        faults
    }
}

fn absent(at: &str, kind: Kind, name: &str, namespace: &str) -> Invalid {
    Invalid::new(at, format!("there is no {} '{name}' in namespace '{namespace}'", kind.name()))
}

/// A stored or proposed value; what cannot be read as its kind refers to nothing.
fn typed<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

impl ResourceRules {
    fn put(&self, view: &dyn StateView, key: &Key, value: &Value, faults: &mut Vec<Invalid>) {
        if key.kind == Kind::Namespace {
            return;
        }
        let own = Key {
            kind: Kind::Namespace,
            namespace: key.namespace.clone(),
            collection: None,
            name: key.namespace.clone(),
        };
        if key.namespace != namespace::DEFAULT && view.get(&own).is_none() {
            faults.push(Invalid::new("namespace", format!("there is no namespace '{}'", key.namespace)));
            return;
        }
        match key.kind {
            Kind::Route => match typed::<Route>(value) {
                Some(route) => references(view, &route, faults),
                None => faults.push(Invalid::new("", "cannot be read as a route")),
            },
            Kind::Collection => self.collection(view, key, value, faults),
            Kind::Document => self.document(view, key, value, faults),
            Kind::Secret if view.get(key).is_some_and(|stored| stored != *value) => {
                faults.push(Invalid::new("name", "this secret exists and is written once: delete it first"));
            }
            Kind::Namespace | Kind::Service | Kind::Module | Kind::Domain | Kind::Secret => {}
        }
    }

    /// A new schema must accept the documents that are there.
    fn collection(&self, view: &dyn StateView, key: &Key, value: &Value, faults: &mut Vec<Invalid>) {
        let Some(new) = typed::<Collection>(value) else {
            faults.push(Invalid::new("", "cannot be read as a collection"));
            return;
        };
        let same = view.get(key).is_some_and(|stored| stored.get("schema") == Some(&new.schema));
        if same || view.count(Kind::Document, &key.namespace, Some(&key.name)) == 0 {
            return;
        }
        let schema = match self.schema(&new.schema) {
            Ok(schema) => schema,
            Err(fault) => {
                faults.push(fault);
                return;
            }
        };
        let refused: Vec<String> = view
            .list(Kind::Document, Some(&key.namespace))
            .into_iter()
            .filter(|(document, _)| document.collection.as_deref() == Some(&key.name))
            .filter(|(_, stored)| !stored.get("data").is_some_and(|data| schema.accepts(data)))
            .map(|(document, _)| document.name)
            .collect();
        if !refused.is_empty() {
            let why = format!("does not accept documents that are there: {}", named(&refused));
            faults.push(Invalid::new("schema", why));
        }
    }

    fn document(&self, view: &dyn StateView, key: &Key, value: &Value, faults: &mut Vec<Invalid>) {
        let name = key.collection.as_deref().unwrap_or_default();
        let stored = view.get(&name::key(Kind::Collection, &key.namespace, name));
        let Some(collection) = stored.as_ref().and_then(typed::<Collection>) else {
            faults.push(absent("collection", Kind::Collection, name, &key.namespace));
            return;
        };
        match (self.schema(&collection.schema), typed::<Document>(value)) {
            (Ok(schema), Some(document)) => faults.extend(schema.faults(&document.data, "data")),
            (Ok(_), None) => faults.push(Invalid::new("", "cannot be read as a document")),
            (Err(fault), _) => faults.push(Invalid::new("collection", format!("its {fault}"))),
        }
    }

    fn schema(&self, schema: &Value) -> Result<Arc<DocumentSchema>, Invalid> {
        let mut kept = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = kept.iter().find(|(known, _)| known == schema) {
            return Ok(compiled.clone());
        }
        let compiled = Arc::new(document_schema::compile(schema)?);
        if kept.len() >= SCHEMAS_KEPT {
            kept.pop_front();
        }
        kept.push_back((schema.clone(), compiled.clone()));
        Ok(compiled)
    }
}

fn references(view: &dyn StateView, route: &Route, faults: &mut Vec<Invalid>) {
    let namespace = &route.namespace;
    if let Some(service) = &route.service
        && view.get(&name::key(Kind::Service, namespace, service)).is_none()
    {
        faults.push(absent("service", Kind::Service, service, namespace));
    }
    for (at, entry) in route.modules.iter().enumerate() {
        let module = module_of(entry);
        if view.get(&name::key(Kind::Module, namespace, &module)).is_none() {
            faults.push(absent(&format!("modules[{at}]"), Kind::Module, &module, namespace));
        }
    }
}

/// The module that an entry of a route's list names. What was stored by another build and cannot be read names itself.
fn module_of(entry: &str) -> String {
    entry.parse().map_or_else(|_| entry.to_owned(), |selection: Selection| selection.module())
}

fn delete(view: &dyn StateView, key: &Key, faults: &mut Vec<Invalid>) {
    let what = key.kind.name();
    match key.kind {
        Kind::Namespace if view.any_in_namespace(&key.name) => {
            let left: Vec<String> = Kind::ALL
                .into_iter()
                .filter(|kind| *kind != Kind::Namespace)
                .flat_map(|kind| {
                    view.list(kind, Some(&key.name))
                        .into_iter()
                        .take(NAMED + 1)
                        .map(move |(k, _)| (kind, k.name))
                })
                .map(|(kind, name)| format!("{} {name}", kind.name()))
                .collect();
            faults.push(Invalid::new("", format!("the namespace is not empty: {}", named(&left))));
        }
        Kind::Service | Kind::Module => {
            let users: Vec<String> = view
                .list(Kind::Route, Some(&key.namespace))
                .into_iter()
                .filter(|(_, value)| {
                    typed::<Route>(value).is_some_and(|route| match key.kind {
                        Kind::Service => route.service.as_ref() == Some(&key.name),
                        _ => route.modules.iter().any(|entry| module_of(entry) == key.name),
                    })
                })
                .map(|(route, _)| route.name)
                .collect();
            if !users.is_empty() {
                faults.push(Invalid::new("", format!("the {what} is used by routes: {}", named(&users))));
            }
            if key.kind == Kind::Module {
                canary(view, key, faults);
            }
        }
        Kind::Collection => {
            let documents = view.count(Kind::Document, &key.namespace, Some(&key.name));
            if documents > 0 {
                let why = format!("the collection has documents ({documents}): delete them first");
                faults.push(Invalid::new("", why));
            }
        }
        Kind::Namespace | Kind::Route | Kind::Domain | Kind::Document | Kind::Secret => {}
    }
}

/// A module that takes a part of another one's calls stays.
fn canary(view: &dyn StateView, key: &Key, faults: &mut Vec<Invalid>) {
    let users: Vec<String> = view
        .list(Kind::Module, Some(&key.namespace))
        .into_iter()
        .filter(|(user, value)| user.name != key.name && names_canary(value, &key.name))
        .map(|(user, _)| user.name)
        .collect();
    if !users.is_empty() {
        faults.push(Invalid::new("", format!("the module is the canary of modules: {}", named(&users))));
    }
}

/// Whether a stored module's tags name a canary. The rest of the module is not read.
fn names_canary(value: &Value, name: &str) -> bool {
    let tags = value.get("tags").and_then(Value::as_array);
    tags.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|tag| matches!(tag::parse(tag), Ok(Tag::Canary(_, module)) if module == name))
}

/// The first few names, and how many more there are.
fn named(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
