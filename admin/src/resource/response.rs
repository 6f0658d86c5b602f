//! The answer that a route gives by itself, as it was written, and what a configured header field may be. Nothing is
//! computed for a request here: the text is the answer, to every request the same.

use crate::invalid::Invalid;
use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// Status, header fields and body of an answer that needs neither service nor module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Response {
    /// Status code, 200 to 599.
    // Not in the schema: what breaks it there hides the other faults of the response.
    #[serde(default = "ok")]
    pub status: u16,
    /// Header fields by name. `Content-Type` is `text/plain; charset=utf-8` where there is a body and none is given.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
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
        if self.headers.len() > MAX_HEADERS {
            faults.push(Invalid::new(format!("{at}.headers"), format!("has more than {MAX_HEADERS} fields")));
        }
        if self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_HEADER_BYTES
        {
            let why = format!("has more than {MAX_HEADER_BYTES} bytes of names and values");
            faults.push(Invalid::new(format!("{at}.headers"), why));
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let is_repeated = self.headers.keys().take(index).any(|before| before.eq_ignore_ascii_case(name));
            let why = match check_field(name, value) {
                Err(why) => why,
                // RFC 9110 section 6.6.1: when the message was made.
                Ok(()) if name.eq_ignore_ascii_case("date") => {
                    "is the time of each answer: the gateway sets it"
                }
                // RFC 9110 section 5.5: it would be taken away where it is read.
                Ok(()) if value.trim_matches([' ', '\t']).len() != value.len() => {
                    "has a value with white space around it"
                }
                Ok(()) if is_repeated => "this field stands twice: names differ in more than case",
                Ok(()) => continue,
            };
            faults.push(Invalid::new(format!("{at}.headers.{name}"), why));
        }
    }
}
