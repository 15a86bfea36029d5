//! `/v1/admin/holds`: that what is there of an account is kept, as the law asks.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::acts::{Reason, Why};
use super::admin::opened;
use super::answer::{Answer, Changed, Made};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Hold, Security};
use crate::app::App;
use crate::clock::Micros;
use crate::db::holds::{self, StoredHold};
use crate::ids::{AccountId, HoldId};

/// A hold to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHold {
    /// When it ends by itself; when it is lifted, if that is not said.
    until: Option<Micros>,
    reason: Reason,
}

/// A hold: a duty to keep what is there of an account for now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldView {
    id: HoldId,
    account: AccountId,
    /// Why, which the account is not told.
    reason: String,
    created_at: Micros,
    /// When it ends by itself; null when it is to be lifted.
    until: Option<Micros>,
    /// When it ended; null while it holds.
    ended_at: Option<Micros>,
    /// Why it was lifted.
    lift_reason: Option<String>,
}

impl From<Hold> for HoldView {
    fn from(Hold { stored, reason, lift_reason }: Hold) -> Self {
        let StoredHold { id, account, at, expires_at, ended_at, .. } = stored;
        Self { id, account, reason, created_at: at, until: expires_at, ended_at, lift_reason }
    }
}

/// From now on nothing of the account goes by its age, and its erasure does not begin.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<AccountId>,
    Json(new): Json<NewHold>,
) -> Result<Made<HoldView>, Problem> {
    if new.until.is_some_and(|until| until <= app.clock.now()) {
        return Err(Problem::invalid("/until", "a hold ends later than now"));
    }
    let account = opened(&app, id).await?;
    let hold = app.accounts.set_hold(&account, new.until, &operator.because(new.reason)).await?;
    Ok(Made(view(&app, known(&app, hold).await?).await?))
}

/// Holds, latest first, those that have ended too.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Security>,
    QueryOf(page): QueryOf<PageQuery>,
) -> Result<Answer<Page<HoldView>>, Problem> {
    let mut views = Vec::new();
    for stored in holds::list(&app.db, page.after_id()?, page.asked()).await? {
        views.push(view(&app, stored).await?);
    }
    Ok(Answer(Page::of(views, page.limit(), |view| view.id.to_string())))
}

/// What was kept by it alone goes from now on as if there had been none: what is too old, and an account whose
/// deletion is due.
pub(super) async fn lift(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<HoldId>,
    Json(why): Json<Why>,
) -> Result<Changed<HoldView>, Problem> {
    let stored = known(&app, id).await?;
    let account = app.accounts.load(stored.account).await?.ok_or_else(|| Problem::not_found("account"))?;
    if !app.accounts.lift_hold(&account, id, &operator.because(why.reason)).await? {
        return Err(Problem::conflict("the hold has ended"));
    }
    Ok(Changed(view(&app, known(&app, id).await?).await?))
}

async fn known(app: &App, id: HoldId) -> Result<StoredHold, Problem> {
    holds::get(&app.db, id).await?.ok_or_else(|| Problem::not_found("hold"))
}

async fn view(app: &App, stored: StoredHold) -> Result<HoldView, Problem> {
    Ok(app.accounts.hold(stored).await?.into())
}
