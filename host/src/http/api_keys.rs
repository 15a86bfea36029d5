//! `/v1/api-keys`: the account's keys. A secret is shown once, when it is made.

use std::sync::Arc;

use axum::extract::State;
use axum::response::NoContent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Made};
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::Caller;
use crate::app::App;
use crate::clock::Micros;
use crate::db::keys::{self, StoredApiKey};
use crate::ids::ApiKeyId;

#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    created_at: Micros,
    /// The key itself; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApiKey {
    name: String,
}

impl ApiKeyView {
    fn of(key: StoredApiKey) -> Self {
        Self { id: key.id, name: key.name, created_at: key.created_at, api_key: None }
    }
}

/// The account's keys, latest first, without their secrets.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<ApiKeyView>>, Problem> {
    let keys = keys::api_keys(&app.db, caller.account.id, query.after_id()?, query.asked()).await?;
    let views = keys.into_iter().map(ApiKeyView::of).collect();
    Ok(Answer(Page::of(views, query.limit(), |view| view.id.to_string())))
}

/// Makes a key.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    once: MayRepeat,
    Json(new): Json<NewApiKey>,
) -> Result<Made<ApiKeyView>, Problem> {
    let name = checked_name(&new.name)?;
    let account = &caller.account;
    let made = app.accounts.create_api_key(account, name, once.by(&app, account.id, &new)).await?;
    let api_key = Some(made.api_key.expose().to_owned());
    let view = ApiKeyView { id: made.id, name: made.name, created_at: made.created_at, api_key };
    Ok(Made(view))
}

/// Revokes a key, the caller's own too. It holds here at once and on every host within a second.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(key): PathId<ApiKeyId>,
) -> Result<NoContent, Problem> {
    let (account, at) = (caller.account.id, app.clock.now());
    app.db.write(move |tx| Box::pin(keys::revoke_api_key(tx, account, key, at))).await?;
    app.callers.forget();
    Ok(NoContent)
}

/// A label for people: short, and nothing that a terminal would act on.
pub(super) fn checked_name(name: &str) -> Result<&str, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("/name", "a name has 1 to 100 printable characters"));
    }
    Ok(name)
}
