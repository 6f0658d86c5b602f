//! From a command to the request it means: method, target and body. Pure, so that tests can name every request without
//! a network. The paths are version 2's, `/api/v1/KIND/NAMESPACE/NAME`, because a name in the path needs no body on
//! DELETE, which proxies drop; a document's are version 1's, where a body is the data whatever it looks like.

use crate::command::Action;
use crate::failure::Failure;
use crate::field::{Field, FieldType, Kind};
use crate::properties;
use serde_json::{Map, Value};

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) body: Option<Value>,
    /// For messages: "create".
    pub(crate) verb: &'static str,
    /// For messages: "route default/api".
    pub(crate) what: String,
    /// The name of the one resource it is about; empty when it is about many.
    pub(crate) name: String,
}

impl Request {
    pub(crate) fn get(target: &str, verb: &'static str, what: &str) -> Self {
        Self {
            method: "GET",
            target: target.into(),
            body: None,
            verb,
            what: what.into(),
            name: String::new(),
        }
    }
}

/// The keys an action takes.
pub(crate) fn allowed(kind: &Kind, action: Action) -> Vec<Field> {
    let named = |keys: &[&str]| -> Vec<Field> {
        kind.fields.iter().filter(|field| keys.contains(&field.key)).copied().collect()
    };
    match action {
        Action::Create => kind.fields.to_vec(),
        Action::Get | Action::Delete => named(&[kind.identity(), "namespace", "collection"]),
        Action::List => {
            let mut fields = named(&["namespace", "collection"]);
            if kind.collected() {
                fields.push(
                    Field::new("limit", FieldType::Integer, "at most so many", "limit=10").default("100"),
                );
                fields.push(
                    Field::new("offset", FieldType::Integer, "leave out the first", "offset=100")
                        .default("0"),
                );
            }
            fields
        }
    }
}

/// The keys an action cannot do without.
pub(crate) fn required(kind: &Kind, action: Action) -> Vec<Field> {
    let mut fields = allowed(kind, action);
    fields.retain(|field| field.required);
    fields
}

/// The request of a command's words.
pub(crate) fn build(
    kind: &'static Kind,
    action: Action,
    words: &[String],
    all: bool,
) -> Result<Request, Failure> {
    let properties = properties::parse(kind, &allowed(kind, action), words)?;
    if all {
        return delete_all(kind, &properties);
    }
    properties::require(kind, action.name(), &required(kind, action), &properties)?;
    if action == Action::List {
        let target = format!("/api/v1/{}{}", kind.name, query(&properties));
        return Ok(Request::get(&target, "list", &format!("every {}", kind.name)));
    }
    let (target, path) = resource_path(kind, &properties)?;
    let name = text(&properties, kind.identity())?.unwrap_or_default().into();
    let (method, body, verb) = match action {
        Action::Create => ("PUT", Some(body(kind, properties)), "create"),
        Action::Delete => ("DELETE", None, "delete"),
        Action::Get | Action::List => ("GET", None, "show"),
    };
    Ok(Request { method, target, body, verb, what: format!("{} {path}", kind.name), name })
}

/// Target of one resource, and its name for people.
fn resource_path(kind: &Kind, properties: &Map<String, Value>) -> Result<(String, String), Failure> {
    let part = |key: &str, default: &'static str| -> Result<String, Failure> {
        Ok(text(properties, key)?.unwrap_or(default).to_owned())
    };
    let (name, namespace) = (part(kind.identity(), "")?, part("namespace", "default")?);
    let base = format!("/api/v1/{}", kind.name);
    let one = segment(&name)?;
    if kind.collected() {
        let collection = part("collection", "")?;
        let place = format!("collection={}&namespace={}", segment(&collection)?, segment(&namespace)?);
        Ok((format!("{base}/{one}?{place}"), format!("{namespace}/{collection}/{name}")))
    } else if kind.namespaced() {
        Ok((format!("{base}/{}/{one}", segment(&namespace)?), format!("{namespace}/{name}")))
    } else {
        Ok((format!("{base}/{one}"), name))
    }
}

/// A document's body is its data; of every other kind the body is the resource.
fn body(kind: &Kind, mut properties: Map<String, Value>) -> Value {
    if kind.collected() { properties.remove("data").unwrap_or_default() } else { Value::Object(properties) }
}

fn delete_all(kind: &Kind, properties: &Map<String, Value>) -> Result<Request, Failure> {
    if properties.contains_key(kind.identity()) {
        return Err(Failure::usage(format!("--all and {}= contradict each other", kind.identity()))
            .hint("keep one of them"));
    }
    let collection = text(properties, "collection")?.ok_or_else(|| {
        Failure::usage("--all needs a collection, so that it never means more than you meant")
            .hint("add collection=NAME")
    })?;
    let namespace = text(properties, "namespace")?.unwrap_or("default");
    Ok(Request {
        method: "DELETE",
        target: format!(
            "/api/v1/{}?collection={}&namespace={}",
            kind.name,
            segment(collection)?,
            segment(namespace)?
        ),
        body: None,
        verb: "delete",
        what: format!("every {} of {namespace}/{collection}", kind.name),
        name: String::new(),
    })
}

/// A query of the properties; empty for none.
pub(crate) fn query(properties: &Map<String, Value>) -> String {
    let mut query = String::new();
    for (key, value) in properties {
        query.push(if query.is_empty() { '?' } else { '&' });
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        query.push_str(&format!("{key}={}", encode(&text)));
    }
    query
}

fn text<'a>(properties: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Failure> {
    match properties.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Failure::usage(format!("{key} must be a string")).at(format!("{key}:={other}"))),
    }
}

/// One segment of a path.
pub(crate) fn segment(part: &str) -> Result<String, Failure> {
    // A dot segment would be another resource's path once somebody on the way normalises it.
    if part.is_empty() || part == "." || part == ".." {
        return Err(Failure::usage(format!("{part:?} cannot be a name")).hint("give it letters or digits"));
    }
    Ok(encode(part))
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
