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

/// The process can do its work: the database answers, and there is room to write.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<NoContent, Problem> {
    if app.db.disk_is_full() || app.disk.is_full() {
        return Err(Problem::disk_full());
    }
    if !app.db.answers().await {
        return Err(Problem::unavailable("the database does not answer"));
    }
    Ok(NoContent)
}
