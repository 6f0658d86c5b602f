//! What every request passes first, in this order: the allow list, browsers of other origins, credentials, and whether
//! this node takes writes at all. Refusals are logged without what was shown.

use super::refusal::Refusal;
use super::state::ApiState;
use super::{origin, peer};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method};
use std::net::SocketAddr;

/// Paths that show nothing but whether the node is well: probes have no credentials.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/health"];

/// Says which node answered.
const NODE: HeaderName = HeaderName::from_static("x-tidegate-node");

pub(crate) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let settings = &state.inner.settings;
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let client = peer::address(connection, request.headers(), settings.x_forwarded_for_depth);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match admit(&state, &request, client) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let response = refusal.into_response();
            tracing::warn!(client = ?client, %method, path, status = response.status().as_u16(), "admin request refused");
            response
        }
    };
    let status = response.status().as_u16();
    if is_read(&method) {
        tracing::debug!(client = ?client, %method, path, status, "admin request");
    } else {
        tracing::info!(client = ?client, %method, path, status, "admin request");
    }
    response.headers_mut().insert(NODE, HeaderValue::from(state.inner.cluster.status().node_id));
    response
}

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn admit(state: &ApiState, request: &Request, client: Option<std::net::IpAddr>) -> Result<(), Refusal> {
    let settings = &state.inner.settings;
    if !peer::allowed(&settings.allow_list, client) {
        return Err(Refusal::Forbidden("this address may not call the admin API".into()));
    }
    origin::check(settings, request.headers(), request.uri())?;
    let open = is_read(request.method()) && OPEN.contains(&request.uri().path());
    if !open && !settings.auth.admits(request.headers(), request.uri()) {
        return Err(Refusal::Unauthorized(settings.auth.challenge()));
    }
    if settings.watch_only && !is_read(request.method()) {
        return Err(Refusal::Forbidden("this node only watches (watch_only): it takes no writes".into()));
    }
    Ok(())
}
