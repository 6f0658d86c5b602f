//! The answer that a route gives by itself, as it was written, and what a configured header field may be. Nothing is
//! computed for a request here: the text is the answer, to every request the same.

use crate::invalid::Invalid;
use http::{HeaderName, HeaderValue};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Longest body in bytes.
pub(crate) const MAX_BODY: usize = 64 << 10;
/// Most header fields.
const MAX_HEADERS: usize = 64;
/// Longest name and value of all fields together, in bytes.
const MAX_HEADER_BYTES: usize = 8 << 10;

/// Fields that a configured header must not be: they frame the message or belong to the connection
/// (RFC 9110 section 7.6.1, RFC 9112 section 6).
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields that have one value (RFC 9110 sections 8.3, 8.7, 8.8, 10.2.2, 10.2.3 and 14.4, RFC 9111 section 5): with more
/// of them a message says nothing certain (RFC 9110 section 5.3).
const SINGLE: [&str; 9] = [
    "age",
    "content-location",
    "content-range",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "location",
    "retry-after",
];

/// The value of a header field, or several, each of which stands in a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Values {
    /// One.
    One(String),
    /// So many, in this order: `["a=1", "b=2"]`.
    Many(Vec<String>),
}

impl Values {
    /// All of them.
    pub(crate) fn all(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// By hand like what reads it, so that what is wrong is said of the value and not of all forms that it might have had.
impl JsonSchema for Values {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E>(self, value: &str) -> Result<Values, E> {
                Ok(Values::One(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(Values::Many(values))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Status, header fields and body of an answer that needs neither service nor module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Response {
    /// Status code, 200 to 599.
    // Not in the schema: what breaks it there hides the other faults of the response.
    #[serde(default = "ok")]
    pub status: u16,
    /// Header fields by name, each with a value or a list of values. `Content-Type` is `text/plain; charset=utf-8` where there is a body and none is given.
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
    /// The body; at most 65536 bytes, none with 204, 205 and 304.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn ok() -> u16 {
    200
}

/// Why a pair cannot be a configured header field.
pub(crate) fn check_field(name: &str, value: &str) -> Result<(), &'static str> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no header name")?;
    if FRAMING.contains(&name.as_str()) {
        return Err("frames the message: the gateway alone sets it");
    }
    HeaderValue::from_str(value).map_err(|_| "has a value that no header can carry")?;
    Ok(())
}

impl Response {
    /// Pushes every fault, with paths below `at`.
    pub(super) fn check(&self, at: &str, faults: &mut Vec<Invalid>) {
        if !(200..=599).contains(&self.status) {
            faults.push(Invalid::new(format!("{at}.status"), "must be from 200 to 599"));
        }
        let body = self.body.as_deref().unwrap_or_default();
        if body.len() > MAX_BODY {
            let why = format!("is longer than {MAX_BODY} bytes: let a service or a module answer");
            faults.push(Invalid::new(format!("{at}.body"), why));
        }
        // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
        if matches!(self.status, 204 | 205 | 304) && !body.is_empty() {
            let why = format!("a response of status {} has no body: leave it out", self.status);
            faults.push(Invalid::new(format!("{at}.body"), why));
        }
        let lines = || self.headers.iter().flat_map(|(name, of)| of.all().iter().map(move |it| (name, it)));
        if lines().count() > MAX_HEADERS {
            faults.push(Invalid::new(format!("{at}.headers"), format!("has more than {MAX_HEADERS} fields")));
        }
        if lines().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_HEADER_BYTES {
            let why = format!("has more than {MAX_HEADER_BYTES} bytes of names and values");
            faults.push(Invalid::new(format!("{at}.headers"), why));
        }
        for (index, (name, values)) in self.headers.iter().enumerate() {
            let is_repeated = self.headers.keys().take(index).any(|before| before.eq_ignore_ascii_case(name));
            check_values(&format!("{at}.headers.{name}"), name, values, is_repeated, faults);
        }
    }
}

fn check_values(at: &str, name: &str, values: &Values, is_repeated: bool, faults: &mut Vec<Invalid>) {
    let is_single = SINGLE.iter().any(|single| single.eq_ignore_ascii_case(name));
    let of_all = match values.all() {
        _ if is_repeated => Some("this field stands twice: names differ in more than case"),
        [] => Some("has no value: leave it out"),
        [_, _, ..] if is_single => Some("has one value in a message, and not several"),
        _ => None,
    };
    faults.extend(of_all.map(|why| Invalid::new(at, why)));
    for (index, value) in values.all().iter().enumerate() {
        let at = match values {
            Values::One(_) => at.to_owned(),
            Values::Many(_) => format!("{at}[{index}]"),
        };
        let why = match check_field(name, value) {
            Err(why) => why,
            // RFC 9110 section 6.6.1: when the message was made.
            Ok(()) if name.eq_ignore_ascii_case("date") => "is the time of each answer: the gateway sets it",
            // RFC 9110 section 5.5: it would be taken away where it is read.
            Ok(()) if value.trim_matches([' ', '\t']).len() != value.len() => {
                "has a value with white space around it"
            }
            Ok(()) => continue,
        };
        faults.push(Invalid::new(at, why));
    }
}
