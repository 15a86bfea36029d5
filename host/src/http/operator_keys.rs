//! `/v1/admin/keys`: the keys of operators, each for a role.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::{Reason, Why};
use super::answer::{Answer, Deleted, Made};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Admin, Role, Security};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::operator_keys::{self, StoredOperatorKey};
use crate::ids::OperatorKeyId;

/// Characters of a key's name.
const NAME_LENGTH: usize = 100;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOperatorKey {
    /// Whose it is, or what for.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    role: Role,
    reason: Reason,
}

/// A key of an operator.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperatorKeyView {
    id: OperatorKeyId,
    name: String,
    role: Role,
    created_at: Micros,
    /// Since when it works no longer.
    revoked_at: Option<Micros>,
}

/// A key of an operator that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedOperatorKey {
    #[serde(flatten)]
    key: OperatorKeyView,
    /// The key itself, which only this answer shows.
    operator_key: String,
}

impl From<StoredOperatorKey> for OperatorKeyView {
    fn from(stored: StoredOperatorKey) -> Self {
        let StoredOperatorKey { id, name, role, created_at, revoked_at } = stored;
        Self { id, name, role, created_at, revoked_at }
    }
}

/// The keys of operators, latest first, those that were revoked too: the audit names them.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<OperatorKeyView>>, Problem> {
    let found = operator_keys::list(&app.db, page.after_id()?, page.asked()).await?;
    let views = found.into_iter().map(OperatorKeyView::from).collect();
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// Makes a key for an operator. It is shown once.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    Json(new): Json<NewOperatorKey>,
) -> Result<Made<CreatedOperatorKey>, Problem> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > NAME_LENGTH || name.chars().any(char::is_control) {
        let detail = format!("a key's name is one line of 1 to {NAME_LENGTH} characters");
        return Err(Problem::invalid("/name", detail));
    }
    let because = operator.because(new.reason);
    let (key, secret) = app.accounts.create_operator_key(name, new.role, Some(&because)).await?;
    Ok(Made(CreatedOperatorKey { key: key.into(), operator_key: secret.expose().to_owned() }))
}

/// Revokes a key of an operator, on every host at once.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    PathId(id): PathId<OperatorKeyId>,
    Json(why): Json<Why>,
) -> Result<Deleted, Problem> {
    match app.accounts.revoke_operator_key(id, &operator.because(why.reason)).await {
        Err(DbError::InUse(_)) => Err(Problem::conflict(
            "this is the last key of an admin; make another one first: `aaasp admin keys create`",
        )),
        revoked => Ok(revoked.map(|()| Deleted)?),
    }
}
