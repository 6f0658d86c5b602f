//! JSON Schema errors as [`Invalid`]s: a path as people write it (`urls[0]`, `schema.type`) and a sentence that says
//! which rule was broken and never what the value was, because the value may be a secret.

use crate::invalid::Invalid;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Broken};
use serde_json::Value;

/// Most faults that one value is told about.
const MAX_FAULTS: usize = 100;

/// All faults of `value`, with their paths below `base`.
pub(crate) fn faults_of(validator: &jsonschema::Validator, value: &Value, base: &str) -> Vec<Invalid> {
    let mut faults = Vec::new();
    for error in validator.iter_errors(value) {
        describe(&error, base, &mut faults);
        if faults.len() >= MAX_FAULTS {
            faults.truncate(MAX_FAULTS);
            break;
        }
    }
    faults
}

/// A JSON pointer as a path below `base`.
fn path(base: &str, pointer: &str) -> String {
    let mut path = base.to_owned();
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
            path.push_str(&format!("[{name}]"));
        } else {
            path = below(&path, &name);
        }
    }
    path
}

fn below(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}

fn describe(error: &ValidationError<'_>, base: &str, faults: &mut Vec<Invalid>) {
    let at = path(base, error.instance_path().as_str());
    let mut push = |why: String| faults.push(Invalid::new(at.clone(), why));
    match error.kind() {
        Broken::AdditionalProperties { unexpected } | Broken::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                faults.push(Invalid::new(below(&at, name), "is not a known field"));
            }
        }
        Broken::Required { property } => {
            faults.push(Invalid::new(below(&at, property.as_str().unwrap_or("")), "is missing"));
        }
        Broken::Type { kind } => push(format!("must be {}", types(kind))),
        Broken::Enum { options } => push(format!("must be one of {}", list(options))),
        Broken::Constant { expected_value } => push(format!("must be {expected_value}")),
        Broken::Minimum { limit } => push(format!("must be at least {limit}")),
        Broken::Maximum { limit } => push(format!("must be at most {limit}")),
        Broken::ExclusiveMinimum { limit } => push(format!("must be more than {limit}")),
        Broken::ExclusiveMaximum { limit } => push(format!("must be less than {limit}")),
        Broken::MultipleOf { multiple_of } => push(format!("must be a multiple of {multiple_of}")),
        Broken::MinLength { limit: 1 } => push("must not be empty".into()),
        Broken::MinLength { limit } => push(format!("must have at least {limit} characters")),
        Broken::MaxLength { limit } => push(format!("must have at most {limit} characters")),
        Broken::MinItems { limit: 1 } => push("needs at least one entry".into()),
        Broken::MinItems { limit } => push(format!("needs at least {limit} entries")),
        Broken::MaxItems { limit } => push(format!("has more than {limit} entries")),
        Broken::AdditionalItems { limit } => push(format!("has more than {limit} entries")),
        Broken::MinProperties { limit } => push(format!("needs at least {limit} fields")),
        Broken::MaxProperties { limit } => push(format!("has more than {limit} fields")),
        Broken::Pattern { pattern } => push(format!("does not match the pattern {pattern}")),
        Broken::Format { format } if format == super::timespan::FORMAT => {
            push(super::timespan::WANTED.into())
        }
        Broken::Format { format } => push(format!("is not in the format '{format}'")),
        Broken::UniqueItems => push("has the same entry twice".into()),
        Broken::Contains => push("lacks an entry that the schema asks for".into()),
        Broken::PropertyNames { .. } => push("has a field whose name the schema refuses".into()),
        Broken::UnevaluatedItems { .. } => push("has entries that the schema does not know".into()),
        Broken::FalseSchema => push("is not accepted by the schema".into()),
        Broken::Not { .. } => push("is what the schema excludes".into()),
        Broken::AnyOf { .. } | Broken::OneOfNotValid { .. } => push("fits none of the schema's forms".into()),
        Broken::OneOfMultipleValid { .. } => push("fits more than one of the schema's forms".into()),
        Broken::ContentEncoding { content_encoding } => push(format!("is not encoded as {content_encoding}")),
        Broken::ContentMediaType { content_media_type } => push(format!("is not {content_media_type}")),
        Broken::FromUtf8 { .. } => push("is not UTF-8 text".into()),
        Broken::BacktrackLimitExceeded { .. } | Broken::RegexEngineFailure { .. } => {
            push("could not be compared with the schema's pattern".into());
        }
        Broken::Custom { .. } | Broken::Referencing(_) => {
            push("could not be checked against the schema".into())
        }
    }
}

fn types(kind: &TypeKind) -> String {
    let article = |name: String| match name.as_str() {
        "null" => name,
        "array" | "object" | "integer" => format!("an {name}"),
        _ => format!("a {name}"),
    };
    match kind {
        TypeKind::Single(one) => article(one.to_string()),
        TypeKind::Multiple(many) => {
            many.iter().map(|one| article(one.to_string())).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn list(options: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"));
    options
        .as_array()
        .map_or_else(|| text(options), |all| all.iter().map(text).collect::<Vec<_>>().join(", "))
}
