//! Everything that the API says no with, and what each is on the wire: `success`, `error`, `status`, and for broken
//! rules `errors` (sentences, for DGate's clients) and `faults` (path and sentence). Never a value that was sent.

use super::answer::json_response;
use crate::invalid::Invalid;
use crate::raft::ClusterError;
use crate::store::StoreError;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// A request that was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request itself cannot be read.
    BadRequest(String),
    /// What it wants to write breaks rules.
    Invalid(Vec<Invalid>),
    /// What it wants contradicts the state.
    Conflict(Vec<Invalid>),
    /// Credentials are missing or wrong.
    Unauthorized(HeaderValue),
    /// It may not.
    Forbidden(String),
    /// There is no such thing.
    NotFound(String),
    /// The path knows other methods.
    MethodNotAllowed,
    /// `If-Match` named another state.
    PreconditionFailed,
    /// The body is too large.
    TooLarge(usize),
    /// The body is of a type that is not read.
    MediaType,
    /// The `Host` is none of ours.
    Misdirected,
    /// The leader does it.
    Redirect(String),
    /// The cluster or the node cannot now.
    Unavailable(String),
    /// There is no room.
    NoRoom(String),
    /// Stored, but not yet run by every core.
    NotLive(String),
    /// The storage failed; the sentence is for the log.
    Internal(String),
}

impl Refusal {
    fn parts(self) -> (StatusCode, String, Vec<Invalid>) {
        let alone = |status, error: String| (status, error, Vec::new());
        match self {
            Self::BadRequest(why) => alone(StatusCode::BAD_REQUEST, why),
            Self::Invalid(faults) => (StatusCode::BAD_REQUEST, summary(&faults), faults),
            Self::Conflict(faults) => (StatusCode::CONFLICT, summary(&faults), faults),
            Self::Unauthorized(_) => {
                alone(StatusCode::UNAUTHORIZED, "credentials are missing or wrong".into())
            }
            Self::Forbidden(why) => alone(StatusCode::FORBIDDEN, why),
            Self::NotFound(why) => alone(StatusCode::NOT_FOUND, why),
            Self::MethodNotAllowed => {
                alone(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods: see Allow".into())
            }
            Self::PreconditionFailed => {
                let why = "it was changed since: the ETag is another one now, read it again";
                alone(StatusCode::PRECONDITION_FAILED, why.into())
            }
            Self::TooLarge(limit) => {
                alone(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {limit} bytes"))
            }
            Self::MediaType => {
                alone(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be JSON (application/json)".into())
            }
            Self::Misdirected => {
                let why = "this Host is not one of the admin API: call it by address, by 'localhost', or by a \
                           configured host name";
                alone(StatusCode::MISDIRECTED_REQUEST, why.into())
            }
            Self::Redirect(to) => {
                alone(StatusCode::TEMPORARY_REDIRECT, format!("the leader does this: {to}"))
            }
            Self::Unavailable(why) => alone(StatusCode::SERVICE_UNAVAILABLE, why),
            Self::NoRoom(why) => alone(StatusCode::INSUFFICIENT_STORAGE, why),
            Self::NotLive(why) => alone(StatusCode::GATEWAY_TIMEOUT, why),
            Self::Internal(_) => {
                alone(StatusCode::INTERNAL_SERVER_ERROR, "the node failed: its log says why".into())
            }
        }
    }
}

/// All faults in one line, for clients that show only `error`.
fn summary(faults: &[Invalid]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Internal(why) = &self {
            tracing::error!(error = %why, "an admin request failed");
        }
        let (location, challenge) = match &self {
            Self::Redirect(to) => (HeaderValue::from_str(to).ok(), None),
            Self::Unauthorized(challenge) => (None, Some(challenge.clone())),
            _ => (None, None),
        };
        let (status, error, faults) = self.parts();
        let mut body = json!({ "success": false, "error": error, "status": status.as_u16(),
            "status_code": status.as_u16() });
        if !faults.is_empty() {
            body["errors"] = faults.iter().map(ToString::to_string).collect();
            body["faults"] = faults.iter().map(|fault| json!({ "at": fault.at, "why": fault.why })).collect();
        }
        let mut response = json_response(status, &body);
        for (name, value) in [(header::LOCATION, location), (header::WWW_AUTHENTICATE, challenge)] {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { why } => Self::NoRoom(why),
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<ClusterError> for Refusal {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::NotLeader { .. } | ClusterError::NoLeader | ClusterError::Stopped => {
                Self::Unavailable(error.to_string())
            }
            ClusterError::NoRoom { .. } => Self::NoRoom(error.to_string()),
            ClusterError::TooLarge { limit, .. } => Self::TooLarge(limit),
            ClusterError::Membership { .. } | ClusterError::Config { .. } | ClusterError::Message { .. } => {
                Self::BadRequest(error.to_string())
            }
            ClusterError::Storage { .. } | ClusterError::Identity { .. } => Self::Internal(error.to_string()),
        }
    }
}
