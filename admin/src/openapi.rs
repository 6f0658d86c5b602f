//! The OpenAPI 3.1 document of the admin API, made of the table of endpoints and the resources' own schemas. It holds
//! nothing that either of them does not say.

use crate::api::table::{Endpoint, Shape, endpoints};
use crate::change::Kind;
use crate::resource::schema_of;
use serde_json::{Map, Value, json};

/// The document.
pub fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints() {
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let operations = paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        operations[method] = operation(&endpoint);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate admin API",
            "version": version,
            "description": "Accepts the calls of DGate 1 and 2. Keys are camelCase; snake_case is read as well.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas(), "securitySchemes": {
            "basic": { "type": "http", "scheme": "basic" },
            "key": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
        } },
        "security": [{}, { "basic": [] }, { "key": [] }],
    })
}

/// `Route` for `route`.
fn component(kind: Kind) -> String {
    let name = kind.name();
    format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..])
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for kind in Kind::ALL {
        let mut schema = schema_of(kind);
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
        }
        schemas.insert(component(kind), schema);
    }
    schemas.insert("Fault".into(), json!({
        "type": "object",
        "required": ["at", "why"],
        "properties": {
            "at": { "type": "string", "description": "Path of the field; empty for the resource as a whole." },
            "why": { "type": "string" },
        },
    }));
    schemas.insert("LogEntry".into(), log_entry());
    schemas.insert("Profile".into(), profile());
    schemas.insert(
        "Refusal".into(),
        json!({
            "type": "object",
            "required": ["success", "error", "status"],
            "properties": {
                "success": { "const": false },
                "error": { "type": "string" },
                "status": { "type": "integer" },
                "status_code": { "type": "integer" },
                "errors": { "type": "array", "items": { "type": "string" } },
                "faults": { "type": "array", "items": reference("Fault") },
            },
        }),
    );
    schemas
}

/// See `module_log::Entry`, and the lines of a stream that are no entries in `api::insight`.
fn log_entry() -> Value {
    let optional = json!({ "type": ["string", "null"] });
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": {
            "seq": { "type": "integer", "description": "Grows with every entry of the node." },
            "at": { "type": "string", "format": "date-time" },
            "level": { "enum": ["debug", "info", "warn", "error"] },
            "kind": { "enum": ["console", "error", "limit", "scheduled", "heartbeat", "skipped"],
                "description": "The last two are only in streams: `seq` is the newest entry's, `count` is how many \
                                were gone before they could be sent." },
            "what": { "type": "string", "description": "Stable name, such as `module_error`." },
            "source": { "type": ["string", "null"], "description": "The imported module that wrote it." },
            "function": optional,
            "route": optional,
            "request_id": optional,
            "shard": { "type": ["integer", "null"] },
            "text": text,
            "stack": { "type": "array", "items": text },
            "count": { "type": "integer" },
        },
    })
}

/// See `profile::show`.
fn profile() -> Value {
    let (number, integer) = (json!({ "type": "number" }), json!({ "type": "integer" }));
    let mut phase = json!({
        "type": "object",
        "description": "Of one phase: total, tax, module, connect, first_byte, transfer or wait; all but the total \
            together are the total.",
        "properties": {
            "count": integer,
            "stddev_us": number,
            "points": { "type": "array", "description": "Microseconds, share of all that are not longer, their number.",
                "items": { "type": "array", "items": number } },
            "histogram": { "type": "string", "description": "HdrHistogram V2, compressed, base64; nanoseconds." },
        },
    });
    for figure in ["mean_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "p99_99_us", "max_us"] {
        phase["properties"][figure] = number.clone();
    }
    let optional = json!({ "type": ["number", "null"] });
    json!({
        "type": "object",
        "properties": {
            "by": { "enum": ["node", "shard", "route", "service", "module"] },
            "now_ms": integer,
            "from_ms": integer,
            "to_ms": integer,
            "seconds": { "type": "number", "description": "What rates are per second of." },
            "shards": integer,
            "rows_total": integer,
            "rows_refused": { "type": "integer", "description": "Exchanges that found no room for a row \
                of their own, and are in the one with the key `others`; of all kinds of rows together." },
            "rows": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "key": { "type": "string", "description": "`namespace/name`, or a shard's number; `others`: all that \
                        found no room for a row; empty: the node, or what matched no route." },
                    "count": integer,
                    "requests_per_second": optional,
                    "errors": { "type": ["integer", "null"], "description": "Answers of 500 and above; of a module: \
                        failed calls." },
                    "errors_per_second": optional,
                    "phases": { "type": "object", "additionalProperties": phase },
                },
            } },
        },
    })
}

fn json_content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

/// The content of a body or an answer; `None` for nothing.
fn content(shape: Shape, answered: bool) -> Option<Value> {
    let envelope = |data: Value, counted: bool| {
        if !answered {
            return data;
        }
        let mut properties = json!({ "success": { "const": true }, "status_code": { "type": "integer" },
            "data": data });
        if counted {
            properties["count"] = json!({ "type": "integer" });
        }
        json!({ "type": "object", "required": ["success", "status_code"], "properties": properties })
    };
    Some(match shape {
        Shape::Nothing => return None,
        Shape::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Shape::Entries => {
            let entry = reference("LogEntry");
            let mut content = json_content(envelope(json!({ "type": "array", "items": entry }), true));
            content["application/x-ndjson"] = json!({ "schema": entry });
            content
        }
        Shape::Profile => {
            let mut content = json_content(envelope(reference("Profile"), false));
            content["application/x-ndjson"] = json!({ "schema": {
                "type": "object",
                "required": ["kind"],
                "properties": {
                    "kind": { "enum": ["progress", "profile"] },
                    "seconds": { "type": "number" },
                    "of": { "type": "number" },
                    "count": { "type": "integer" },
                    "data": reference("Profile"),
                },
            } });
            content
        }
        Shape::Plain => json_content(json!({ "type": "object" })),
        Shape::Empty => json_content(envelope(json!({ "type": "null" }), false)),
        Shape::Any => json_content(envelope(json!({}), false)),
        Shape::One(kind) => json_content(envelope(shown(kind, answered), false)),
        Shape::Many(kind) => {
            json_content(envelope(json!({ "type": "array", "items": shown(kind, answered) }), true))
        }
        Shape::Named => json_content(json!({
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "type": "string" }, "namespace": { "type": "string" } },
        })),
        Shape::Address => json_content(json!({
            "type": "object",
            "required": ["addr"],
            "properties": { "addr": { "type": "string", "description": "`host:port`" } },
        })),
    })
}

/// What is only written is not required of an answer.
fn shown(kind: Kind, answered: bool) -> Value {
    match kind {
        Kind::Secret if answered => json!({
            "type": "object",
            "required": ["name", "namespace"],
            "properties": { "name": { "type": "string" }, "namespace": { "type": "string" },
                "tags": { "type": "array", "items": { "type": "string" } } },
        }),
        kind => reference(&component(kind)),
    }
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(endpoint.query.iter().map(|(name, required)| {
        json!({ "name": name, "in": "query", "required": required, "schema": { "type": "string" } })
    }));
    let mut done = json!({ "description": "Done" });
    if let Some(content) = content(endpoint.answer, true) {
        done["content"] = content;
    }
    let refused = json!({ "description": "Refused", "content": json_content(reference("Refusal")) });
    let mut responses = Map::new();
    responses.insert(endpoint.status.as_str().to_owned(), done);
    responses.insert("default".into(), refused);
    let mut operation = json!({
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "operationId": operation_id(endpoint),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(content) = content(endpoint.body, false) {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// `put_api_v1_route_namespace_name`: unique because method and path are.
fn operation_id(endpoint: &Endpoint) -> String {
    let words = endpoint.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut id = endpoint.method.as_str().to_ascii_lowercase();
    for word in words {
        id.push('_');
        id.push_str(word);
    }
    id
}
