//! From JSON to a checked resource in its canonical form, and back to what may be shown. All faults of the value are
//! collected; a value that passes can be stored as it is.

use super::{
    Collection, Document, Domain, Module, Namespace, Resource, Route, Secret, Service, fault, normalise,
    timespan,
};
use crate::change::{Key, Kind, Op};
use crate::invalid::Invalid;
use serde_json::Value;
use std::sync::OnceLock;

/// A resource that is right by itself.
#[derive(Clone, PartialEq)]
pub struct Parsed {
    /// What names it.
    pub key: Key,
    /// Canonical JSON: camelCase, defaults filled in, secrets included.
    pub value: Value,
}

impl Parsed {
    /// The operation that writes it.
    pub fn into_put(self) -> Op {
        Op::Put { key: self.key, value: self.value }
    }
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parsed").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Parses a resource of a kind. Errors: every fault of the value.
pub fn parse(kind: Kind, value: Value) -> Result<Parsed, Vec<Invalid>> {
    match kind {
        Kind::Namespace => typed::<Namespace>(value),
        Kind::Service => typed::<Service>(value),
        Kind::Route => typed::<Route>(value),
        Kind::Module => typed::<Module>(value),
        Kind::Domain => typed::<Domain>(value),
        Kind::Collection => typed::<Collection>(value),
        Kind::Document => typed::<Document>(value),
        Kind::Secret => typed::<Secret>(value),
    }
}

/// The JSON Schema of a kind as it is written, for documentation.
pub fn schema_of(kind: Kind) -> Value {
    fn of<R: Resource>() -> Value {
        generator().into_root_schema_for::<R>().to_value()
    }
    match kind {
        Kind::Namespace => of::<Namespace>(),
        Kind::Service => of::<Service>(),
        Kind::Route => of::<Route>(),
        Kind::Module => of::<Module>(),
        Kind::Domain => of::<Domain>(),
        Kind::Collection => of::<Collection>(),
        Kind::Document => of::<Document>(),
        Kind::Secret => of::<Secret>(),
    }
}

/// What an answer may show of a stored resource: everything but secrets, certificates and their keys.
pub fn public_form(kind: Kind, mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        match kind {
            Kind::Secret => drop(object.remove("data")),
            Kind::Domain => {
                object.remove("cert");
                object.remove("key");
            }
            _ => {}
        }
    }
    value
}

fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator()
}

/// One validator per kind, made when it is first needed.
fn validator(kind: Kind) -> &'static jsonschema::Validator {
    static ALL: [OnceLock<jsonschema::Validator>; 8] = [const { OnceLock::new() }; 8];
    ALL[kind as usize].get_or_init(|| {
        jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_format(timespan::FORMAT, |text: &str| text.parse::<timespan::Timespan>().is_ok())
            .build(&schema_of(kind))
            .expect("the schema that schemars derives is valid")
    })
}

fn typed<R: Resource>(mut value: Value) -> Result<Parsed, Vec<Invalid>> {
    let Some(object) = value.as_object_mut() else {
        return Err(vec![Invalid::new("", format!("a {} is a JSON object", R::KIND.name()))]);
    };
    let mut faults = Vec::new();
    normalise::normalise(R::KIND, object, &mut faults);
    faults.extend(fault::faults_of(validator(R::KIND), &value, ""));
    if !faults.is_empty() {
        also_check::<R>(value, &mut faults);
        return Err(faults);
    }
    match serde_json::from_value::<R>(value) {
        Ok(mut resource) => {
            resource.check(&mut faults);
            if faults.is_empty() {
                resource.settle();
                let value =
                    serde_json::to_value(&resource).expect("resources have string keys and finite numbers");
                return Ok(Parsed { key: resource.key(), value });
            }
        }
        // serde's own message may repeat the value.
        Err(_) => {
            let why = format!("cannot be read as a {}: numbers must be whole and in range", R::KIND.name());
            faults.push(Invalid::new("", why));
        }
    }
    Err(faults)
}

/// Runs the resource's own checks on what is left without the fields that are wrong in form already, so that whoever
/// mends those does not meet the next faults only then.
fn also_check<R: Resource>(mut value: Value, faults: &mut Vec<Invalid>) {
    let field_of = |at: &str| at.split(['.', '[']).next().unwrap_or_default().to_owned();
    let wrong: Vec<String> = faults.iter().map(|fault| field_of(&fault.at)).collect();
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !wrong.contains(name));
    }
    // Without a required field there is nothing to check.
    if let Ok(resource) = serde_json::from_value::<R>(value) {
        let mut more = Vec::new();
        resource.check(&mut more);
        faults.extend(
            more.into_iter()
                .filter(|fault| !wrong.contains(&field_of(&fault.at)) && !R::is_doubtful(fault, &wrong)),
        );
    }
}
