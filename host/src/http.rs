//! The API. Every route is on this page.

mod accounts;
mod admin;
mod agents;
mod api_keys;
mod auth;
mod body;
mod credits;
mod deployments;
mod health;
mod logs;
mod observe;
mod once;
mod page;
mod problem;
mod runs;
mod unread;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::{delete, get, post, put};
pub use problem::Problem;

use crate::app::App;

/// Bytes of a JSON body besides a run's input.
const BODY_BYTES: usize = 256 << 10;

/// The routes, over the app that they share.
pub fn router(app: Arc<App>) -> Router {
    let input_bytes = usize::try_from(app.config.host_run_limits().input_bytes).unwrap_or(usize::MAX);
    Router::new()
        .route("/v1/account", get(accounts::show))
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/{id}", delete(api_keys::revoke))
        .route("/v1/agents", get(agents::list))
        .route("/v1/agents/{name}", get(agents::show).delete(agents::delete))
        // The body of an upload is read within the account's own limit, by its handler.
        .route("/v1/agents/{name}", put(agents::upload).layer(DefaultBodyLimit::disable()))
        .route("/v1/deployments", get(deployments::list))
        .route("/v1/deployments/{name}", get(deployments::show).put(deployments::put).delete(deployments::delete))
        .route(
            "/v1/deployments/{name}/runs",
            post(runs::create).layer(DefaultBodyLimit::max(input_bytes.saturating_add(BODY_BYTES))),
        )
        .route("/v1/runs", get(runs::list))
        .route("/v1/runs/{id}", get(runs::show))
        .route("/v1/runs/{id}/input", get(runs::input))
        .route("/v1/runs/{id}/cancel", post(runs::cancel))
        .route("/v1/runs/{id}/logs", get(logs::show))
        .route("/v1/credits", get(credits::show))
        .route("/v1/credits/transactions", get(credits::transactions))
        .route("/v1/admin/accounts", get(admin::list).post(admin::create))
        .route("/v1/admin/accounts/{id}", get(admin::show).patch(admin::update))
        .route("/v1/admin/accounts/{id}/grants", post(admin::grant))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(|| async { Problem::not_found("route") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(from_fn(observe::request))
        .with_state(app)
}
