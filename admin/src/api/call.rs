//! One request to an endpoint, taken apart: parameters of the path, the query, the fields, and a body that is read as
//! strict JSON under a cap. It knows nothing of resources.

use super::refusal::Refusal;
use super::state::{ApiState, Inner};
use crate::resource::{DEFAULT_NAMESPACE, parse_json};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Query, RawPathParams, Request};
use http::{HeaderMap, Uri, header};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// Largest body in bytes, also of a module or a document.
pub(crate) const MAX_BODY: usize = 16 << 20;

/// A request that passed the guard.
pub(crate) struct Call {
    pub(crate) state: ApiState,
    pub(crate) headers: HeaderMap,
    pub(crate) uri: Uri,
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    /// Only locked to make the call shareable while handlers wait; nobody else reads it.
    body: Mutex<Body>,
}

impl Call {
    pub(crate) async fn of(state: ApiState, request: Request) -> Self {
        let (mut parts, body) = request.into_parts();
        // A parameter that is not UTF-8 reads as absent, and absent parameters name nothing.
        let params = RawPathParams::from_request_parts(&mut parts, &()).await.map_or_else(
            |_| Vec::new(),
            |params| params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        );
        let query = Query::try_from_uri(&parts.uri).map_or_else(|_| Vec::new(), |Query(pairs)| pairs);
        Self { state, headers: parts.headers, uri: parts.uri, params, query, body: Mutex::new(body) }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.state.inner
    }

    /// A parameter of the path; empty when it cannot be read.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// A parameter of the query that is not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| &**value)
            .filter(|v| !v.is_empty())
    }

    /// A number of the query.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, Refusal> {
        self.query(name).map_or(Ok(default), |text| {
            text.parse()
                .map_err(|_| Refusal::BadRequest(format!("'{name}' must be a whole number, 0 or more")))
        })
    }

    /// The namespace of the query, or the default one where there is one.
    pub(crate) fn namespace(&self) -> Result<&str, Refusal> {
        match self.query("namespace") {
            Some(namespace) => Ok(namespace),
            None if self.inner().settings.default_namespace => Ok(DEFAULT_NAMESPACE),
            None => Err(Refusal::BadRequest("'namespace' is missing: there is no default one here".into())),
        }
    }

    /// The body as JSON. `curl -d` without a content type says that it sends a form, and DGate's scripts rely on that:
    /// such a body is read as JSON too. What pages of other origins send was refused by the guard.
    pub(crate) async fn json(&mut self) -> Result<Value, Refusal> {
        if let Some(kind) = self.headers.get(header::CONTENT_TYPE) {
            let kind =
                kind.to_str().unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
            let known = ["application/json", "text/json", "application/x-www-form-urlencoded", ""];
            let json = known.contains(&&*kind) || kind.starts_with("application/") && kind.ends_with("+json");
            if !json {
                return Err(Refusal::MediaType);
            }
        }
        let declared = self.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        if declared.is_some_and(|bytes: usize| bytes > MAX_BODY) {
            return Err(Refusal::TooLarge(MAX_BODY));
        }
        // The only other way to fail is a client that goes away, who reads no answer.
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        let bytes = to_bytes(body, MAX_BODY).await.map_err(|_| Refusal::TooLarge(MAX_BODY))?;
        parse_json(&bytes).map_err(Refusal::BadRequest)
    }
}
