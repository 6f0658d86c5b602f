//! The admin API: both of DGate's styles and our own, over one table of endpoints that is also the OpenAPI document. It
//! reads the store and proposes changes; it never serves a client's request and never shows a secret.

mod answer;
pub mod auth;
mod call;
mod changelog;
mod cluster;
mod documents;
mod guard;
mod health;
mod insight;
mod live;
mod origin;
mod peer;
mod profile;
mod refusal;
mod resources;
mod schedule;
mod state;
pub(crate) mod table;
mod write;

#[cfg(test)]
mod tests;

pub use live::{Live, LiveFuture, NotLive};
pub use state::{ApiSettings, ApiState};

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use call::Call;
use refusal::Refusal;
use table::Endpoint;

/// The admin API as a service. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: the allow list and
/// the log need the peer's address.
pub fn router(state: ApiState) -> Router {
    let mut router = Router::new();
    for endpoint in table::endpoints() {
        router = router.route(&endpoint.path, method_router(&endpoint));
    }
    router
        .fallback(|| async { Refusal::NotFound("there is nothing at this path".into()) })
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed })
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state)
}

fn method_router(endpoint: &Endpoint) -> MethodRouter<ApiState> {
    let filter =
        MethodFilter::try_from(endpoint.method.clone()).expect("the table has standard methods only");
    let serve = endpoint.serve.clone();
    on(
        filter,
        move |axum::extract::State(state): axum::extract::State<ApiState>, request: Request| async move {
            serve(Call::of(state, request).await).await
        },
    )
}
