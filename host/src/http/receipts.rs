//! `/v1/runs/{id}/receipt`: what a run did and cost, signed; and the key that verifies it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::body::PathId;
use super::routes::{Described, Reply};
use crate::accounts::ReadBilling;
use crate::app::App;
use crate::db::DbError;
use crate::ids::RunId;
use crate::receipts::{Jwks, Signed};

/// The receipt of a run.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    PathId(run): PathId<RunId>,
) -> Result<SignedReceipt, Problem> {
    let receipt = app.runs.receipt(&caller.account, run).await?;
    let receipt =
        receipt.ok_or_else(|| Problem::conflict("the run is not settled yet; it has a receipt once it is"))?;
    Ok(SignedReceipt(app.receipts.sign(&receipt).map_err(DbError::corrupt)?))
}

/// The key that verifies the operator's receipts. Anybody may have it.
pub(super) async fn keys(State(app): State<Arc<App>>) -> Answer<Jwks> {
    Answer(app.receipts.public().jwks())
}

/// A receipt, unless the run goes on.
pub(super) struct SignedReceipt(Signed);

impl axum::response::IntoResponse for SignedReceipt {
    fn into_response(self) -> axum::response::Response {
        Answer(self.0).into_response()
    }
}

impl Reply for SignedReceipt {
    fn describe(described: &mut Described) {
        let schema = described.reference::<Signed>();
        described.answers(StatusCode::OK, "The receipt, signed", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
    }
}
