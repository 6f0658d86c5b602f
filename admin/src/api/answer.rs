//! What the API says yes with: one envelope that the clients of both DGate versions read.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

/// A JSON body with its headers. Answers are never kept by caches and never guessed to be something else.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Something done.
pub(crate) struct Answer {
    status: StatusCode,
    members: Map<String, Value>,
    etag: Option<String>,
}

impl Answer {
    /// An answer without data yet.
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, members: Map::new(), etag: None }
    }

    /// One thing.
    pub(crate) fn one(status: StatusCode, data: Value) -> Self {
        Self::new(status).with("data", data)
    }

    /// Many things, counted.
    pub(crate) fn list(status: StatusCode, data: Vec<Value>) -> Self {
        Self::new(status).with("count", data.len().into()).with("data", data.into())
    }

    /// Adds a member of the envelope.
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.into(), value);
        self
    }

    /// Adds the tag that `If-Match` names (RFC 9110 section 8.8.3).
    pub(crate) fn tagged(mut self, etag: String) -> Self {
        self.etag = Some(etag);
        self
    }

    /// The response.
    pub(crate) fn into_response(mut self) -> Response {
        if self.status == StatusCode::NO_CONTENT {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = self.status;
            return response;
        }
        self.members.insert("success".into(), true.into());
        self.members.insert("status_code".into(), self.status.as_u16().into());
        let mut response = json_response(self.status, &Value::Object(self.members));
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}
