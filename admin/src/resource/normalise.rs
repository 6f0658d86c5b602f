//! The spellings of DGate's two versions, brought to one: snake_case keys become camelCase, milliseconds become
//! durations, a raw payload becomes base64, what only the gateway sets is dropped. Keys it does not know stay as they
//! are, for the schema to refuse.

use super::{Module, budget};
use crate::change::Kind;
use crate::invalid::Invalid;
use serde_json::{Map, Value};

/// Version 2's spelling and ours.
const ALIASES: [(Kind, &str, &str); 14] = [
    (Kind::Service, "retry_timeout", "retryTimeout"),
    (Kind::Service, "connect_timeout", "connectTimeout"),
    (Kind::Service, "request_timeout", "requestTimeout"),
    (Kind::Service, "tls_skip_verify", "tlsSkipVerify"),
    (Kind::Service, "http2_only", "http2Only"),
    (Kind::Service, "hide_dgate_headers", "hideDGateHeaders"),
    (Kind::Service, "hideDgateHeaders", "hideDGateHeaders"),
    (Kind::Service, "disable_query_params", "disableQueryParams"),
    (Kind::Route, "preserve_host", "preserveHost"),
    (Kind::Route, "strip_path", "stripPath"),
    (Kind::Route, "max_body_bytes", "maxBodyBytes"),
    (Kind::Route, "allow_encoded_slash", "allowEncodedSlash"),
    (Kind::Module, "module_type", "moduleType"),
    (Kind::Module, "payload_raw", "payloadRaw"),
];

/// Version 2's integer milliseconds.
const MILLISECONDS: [(&str, &str); 6] = [
    ("retry_timeout_ms", "retryTimeout"),
    ("retryTimeoutMs", "retryTimeout"),
    ("connect_timeout_ms", "connectTimeout"),
    ("connectTimeoutMs", "connectTimeout"),
    ("request_timeout_ms", "requestTimeout"),
    ("requestTimeoutMs", "requestTimeout"),
];

/// What answers of DGate carry and nobody can set.
const READ_ONLY: [&str; 4] = ["createdAt", "updatedAt", "created_at", "updated_at"];

/// Moves a value to its new key; two spellings of one key are a fault.
fn rename(object: &mut Map<String, Value>, from: &str, to: &str, faults: &mut Vec<Invalid>) {
    if let Some(value) = object.remove(from) {
        if object.contains_key(to) {
            faults.push(Invalid::new(from, format!("says the same as '{to}': leave one of them out")));
        } else {
            object.insert(to.to_owned(), value);
        }
    }
}

pub(crate) fn normalise(kind: Kind, object: &mut Map<String, Value>, faults: &mut Vec<Invalid>) {
    for (_, from, to) in ALIASES.into_iter().filter(|(of, ..)| *of == kind) {
        rename(object, from, to, faults);
    }
    match kind {
        Kind::Service => milliseconds(object, faults),
        Kind::Module => {
            raw_payload(object, faults);
            if let Some(Value::Object(limits)) = object.get_mut("limits") {
                budget::normalise(limits, faults);
            }
        }
        Kind::Secret | Kind::Document => READ_ONLY.iter().for_each(|name| drop(object.remove(*name))),
        Kind::Namespace | Kind::Route | Kind::Domain | Kind::Collection => {}
    }
    // Clients of both versions write null for "not given"; data may be null itself.
    object.retain(|name, value| !value.is_null() || name == "data" || name == "schema");
}

fn milliseconds(object: &mut Map<String, Value>, faults: &mut Vec<Invalid>) {
    for (from, to) in MILLISECONDS {
        match object.get_mut(from) {
            None => continue,
            Some(Value::Null) => {
                object.remove(from);
                continue;
            }
            Some(value) => match value.as_u64() {
                Some(ms) => *value = Value::String(format!("{ms}ms")),
                None => {
                    faults.push(Invalid::new(from, "must be a whole number of milliseconds, 0 or more"));
                    object.remove(from);
                    continue;
                }
            },
        }
        rename(object, from, to, faults);
    }
}

fn raw_payload(object: &mut Map<String, Value>, faults: &mut Vec<Invalid>) {
    match object.get_mut("payloadRaw") {
        None | Some(Value::Null) => {}
        Some(Value::String(source)) => {
            let encoded = Module::encode(source);
            object.insert("payloadRaw".into(), Value::String(encoded));
            rename(object, "payloadRaw", "payload", faults);
        }
        Some(_) => {
            faults.push(Invalid::new("payloadRaw", "must be a string"));
            object.remove("payloadRaw");
            // The fault is said; that 'payload' is missing too would only confuse.
            object.entry("payload").or_insert_with(|| Value::String(Module::encode("0")));
        }
    }
}
