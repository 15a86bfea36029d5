//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::NoContent;

use super::Problem;
use crate::app::App;

/// The process answers.
pub(super) async fn alive() -> NoContent {
    NoContent
}

/// The process can do its work: the database answers.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<NoContent, Problem> {
    if app.db.answers().await {
        return Ok(NoContent);
    }
    Err(Problem::unavailable("the database does not answer"))
}
