//! A route as it was written: which requests it takes and what answers them. Patterns are only checked here; they are
//! matched by what the snapshot makes of them.

use super::{Resource, Response, name, selection};
use crate::change::{Key, Kind};
use crate::invalid::Invalid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tidegate_snapshot::PathPattern;

/// Paths and methods, and the service, modules or response that answer them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Unique name within the namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Path patterns: literal segments, `{name}`, `{name:regex}`, a trailing `*` for the rest; at least one.
    #[schemars(length(min = 1, max = 256))]
    pub paths: Vec<String>,
    /// Methods; `["*"]` means any.
    #[schemars(length(min = 1, max = 64))]
    pub methods: Vec<String>,
    /// Send the client's Host upstream.
    #[serde(default)]
    pub preserve_host: bool,
    /// Remove what stands before the pattern's rest.
    #[serde(default)]
    pub strip_path: bool,
    /// Name of the service; a route without one answers through its modules or by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The modules that run, in this order: `NAME[:VERSION][@SHARE%][;by=client|header:NAME|cookie:NAME][;when=CONDITION]`.
    /// Every one runs its `requestModifier`, then every one its `responseModifier`; only one may have a `fetchUpstream`
    /// and one a `requestHandler`; of `errorHandler` the first that answers. Entries of one name are versions of one
    /// module: a request gets the first whose conditions hold and whose share takes it, and no other. A module that an
    /// earlier one imports is its library and does not run by itself.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub modules: Vec<String>,
    /// An answer that the route gives by itself, to every request the same. Neither a service nor modules stand beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// Largest request body in bytes; the gateway's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u64>,
    /// Accept and forward `%2F` in the path.
    #[serde(default)]
    pub allow_encoded_slash: bool,
    /// Labels; `#name:data`, `!name:data`, `?name:a,b` and `?*name:a,b` choose the nodes that run it.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Said of a route that nothing answers.
const NO_ANSWER: &str = "a route needs a service, modules or a response to answer its requests";

/// A token of RFC 9110 section 5.6.2, which is what a method is (section 9.1).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b))
}

impl Resource for Route {
    const KIND: Kind = Kind::Route;

    fn key(&self) -> Key {
        name::key(Self::KIND, &self.namespace, &self.name)
    }

    fn check(&self, faults: &mut Vec<Invalid>) {
        name::check("name", &self.name, faults);
        name::check("namespace", &self.namespace, faults);
        name::check_tags(&self.tags, faults);
        for (at, path) in self.paths.iter().enumerate() {
            if path.len() > 4096 {
                faults.push(Invalid::new(format!("paths[{at}]"), "is longer than 4096 bytes"));
            } else if let Err(error) = path.parse::<PathPattern>() {
                faults.push(Invalid::new(format!("paths[{at}]"), error.to_string()));
            } else if self.paths[..at].contains(path) {
                faults.push(Invalid::new(format!("paths[{at}]"), "this path stands twice"));
            }
        }
        for (at, method) in self.methods.iter().enumerate() {
            let why = match method.as_str() {
                "*" if self.methods.len() > 1 => "'*' means any method and stands alone",
                "*" => continue,
                "CONNECT" => "CONNECT asks for a tunnel, which a gateway does not open",
                method if !is_token(method) => "is not a method: write it like 'GET' or 'PATCH'",
                _ if self.methods[..at].contains(method) => "this method stands twice",
                _ => continue,
            };
            faults.push(Invalid::new(format!("methods[{at}]"), why));
        }
        if let Some(service) = &self.service {
            name::check("service", service, faults);
        } else if self.modules.is_empty() && self.response.is_none() {
            faults.push(Invalid::new("service", NO_ANSWER));
        }
        selection::check("modules", &self.modules, faults);
        if let Some(response) = &self.response {
            response.check("response", faults);
            for (other, is_there) in
                [("service", self.service.is_some()), ("modules", !self.modules.is_empty())]
            {
                if is_there {
                    let why = format!("nothing else answers beside a response: leave it or '{other}' out");
                    faults.push(Invalid::new("response", why));
                }
            }
        }
    }

    fn is_doubtful(fault: &Invalid, wrong: &[String]) -> bool {
        fault.why == NO_ANSWER && wrong.iter().any(|field| field == "modules" || field == "response")
    }
}
