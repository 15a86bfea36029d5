//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Problem;
use crate::app::App;

/// The process answers.
pub(super) async fn alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The process can do its work: the database answers.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode, Problem> {
    if app.db.answers().await {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::unavailable("the database does not answer"))
}
