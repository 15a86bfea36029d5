//! `/v1/admin/master-keys` and an account's data key: the life of keys, for operators.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Problem;
use super::admin::known;
use super::answer::{Answer, Made};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::routes::{Described, Reply};
use crate::accounts::Security;
use crate::app::App;
use crate::faults;
use crate::ids::AccountId;
use crate::vault::KeyringError;
use crate::vault::rotation::{Rotated, RotationError, Status};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retirement {
    below: u32,
}

/// Where the master keys stand after a change: 200. The change is safe to repeat by itself.
pub(super) struct Changed(Status);

impl IntoResponse for Changed {
    fn into_response(self) -> Response {
        Body(self.0).into_response()
    }
}

impl Reply for Changed {
    fn describe(described: &mut Described) {
        let schema = described.reference::<Status>();
        described.answers(StatusCode::OK, "Where the master keys stand", vec![("application/json", schema)]);
        described.refuses(&Problem::conflict(""));
    }
}

/// Where the master keys stand.
pub(super) async fn show(State(app): State<Arc<App>>, _: Operator<Security>) -> Result<Answer<Status>, Problem> {
    Ok(Answer(app.rotation.status().await?))
}

/// Adds a master key, unless the newest has not wrapped everything yet. The hosts wrap with it by themselves.
pub(super) async fn rotate(State(app): State<Arc<App>>, operator: Operator<Security>) -> Result<Changed, Problem> {
    Ok(Changed(faults::duty("rotation", app.rotation.begin(operator.actor())).await?))
}

/// Removes the master keys below a version.
pub(super) async fn retire(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    Json(retirement): Json<Retirement>,
) -> Result<Changed, Problem> {
    let retired = app.rotation.retire(retirement.below, operator.actor());
    Ok(Changed(faults::duty("rotation", retired).await?))
}

/// Gives an account's data key another version. It seals here at once, and on every host within a second.
pub(super) async fn rotate_data_key(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<AccountId>,
    once: MayRepeat,
) -> Result<Made<Rotated>, Problem> {
    known(&app, id).await?;
    let rotation = app.rotation.rotate_data_key(id, operator.actor(), once.by(&app, operator.key, &()));
    let rotated = faults::duty("rotation", rotation).await?;
    app.callers.forget();
    Ok(Made(rotated))
}

impl From<RotationError> for Problem {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Db(error) => Self::from(error),
            RotationError::NotInUse { .. } => Self::invalid("/below", error.to_string()),
            RotationError::Needed { .. }
            | RotationError::AddedElsewhere(_)
            | RotationError::Keyring(KeyringError::Fixed) => Self::conflict(error.to_string()),
            RotationError::Keyring(_) | RotationError::OtherMaster { .. } | RotationError::Lacking { .. } => {
                tracing::error!(%error, "the keys are not as they should be");
                // It names files and versions, which an operator may know, and never a key.
                Self::unavailable(error.to_string())
            }
        }
    }
}
