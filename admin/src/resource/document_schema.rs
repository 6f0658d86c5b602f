//! The JSON Schema of a collection, compiled. Patterns run in a linear engine, nothing is ever fetched, and what a
//! document breaks is told without its data.

use super::fault;
use crate::invalid::Invalid;
use serde_json::Value;

/// Largest schema, bytes of its compact text.
const MAX_SCHEMA: usize = 256 << 10;
/// Largest compiled pattern, bytes.
const PATTERN_SIZE: usize = 1 << 20;

/// A schema that documents are checked against.
#[derive(Debug)]
pub struct DocumentSchema(jsonschema::Validator);

impl DocumentSchema {
    /// Every fault of a document's data, with paths below `base`.
    pub fn faults(&self, data: &Value, base: &str) -> Vec<Invalid> {
        fault::faults_of(&self.0, data, base)
    }

    /// Whether the data satisfies it.
    pub fn accepts(&self, data: &Value) -> bool {
        self.0.is_valid(data)
    }
}

/// Compiles a schema. Errors: one fault at `schema`.
pub fn compile(schema: &Value) -> Result<DocumentSchema, Invalid> {
    let refuse = |why: &str| Err(Invalid::new("schema", why));
    if schema.to_string().len() > MAX_SCHEMA {
        return refuse("is larger than 256 KiB");
    }
    if remote_reference(schema) {
        return refuse("refers to another document: only '#…' references within the schema are followed");
    }
    if let Err(error) = jsonschema::meta::validate(schema) {
        let at = error.instance_path().as_str().replace('/', ".");
        return Err(Invalid::new(format!("schema{at}"), "is not valid in a JSON Schema of this draft"));
    }
    jsonschema::options()
        .offline()
        .with_pattern_options(jsonschema::PatternOptions::regex().size_limit(PATTERN_SIZE))
        .build(schema)
        .map(DocumentSchema)
        .map_err(|error| {
            let at = error.instance_path().as_str().replace('/', ".");
            let why = match error.kind() {
                jsonschema::error::ValidationErrorKind::Format { .. } => {
                    "has a pattern we cannot use: no look-around, no back-references"
                }
                _ => "cannot be compiled as a JSON Schema: look for references that lead nowhere",
            };
            Invalid::new(format!("schema{at}"), why)
        })
}

/// Whether any `$ref` leads outside. References inside `enum`, `const` and `default` are data, but refusing those too
/// costs nobody anything.
fn remote_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(name, value)| match value {
            Value::String(target) if name == "$ref" || name == "$dynamicRef" => target.contains("://"),
            value => remote_reference(value),
        }),
        Value::Array(items) => items.iter().any(remote_reference),
        _ => false,
    }
}
