//! `/v1/privacy`: what the owner of an account says about its data.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Deleted};
use super::auth::May;
use super::body::Json;
use crate::accounts::{Account, DecideOnData, KnowMyself, Restriction};
use crate::app::App;
use crate::clock::Micros;
use crate::db::DbError;
use crate::db::consents::ConsentPurpose;
use crate::db::holds::HoldOn;
use crate::db::restrictions::RestrictedBy;

/// Characters of a reason.
const REASON_LENGTH: usize = 500;

/// What the owner of an account says about its data.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PrivacyView {
    /// Who asked for the data to be kept and not worked with. Empty when nobody did.
    restrictions: Vec<RestrictionView>,
    /// The law asks to keep what is there of the account for now: nothing goes by its age, and no deletion begins. Why is
    /// not said. Null when it does not.
    hold: Option<HoldOn>,
    /// Since when the account's use is left out of what is analysed; null when it is not.
    objected_at: Option<Micros>,
    /// What was said yes to. Nothing is, until it is said.
    consents: Vec<ConsentPurpose>,
}

/// A restriction. It holds for as long as there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RestrictionView {
    /// Who asked for it, and lifts it.
    by: RestrictedBy,
    since: Micros,
    /// Why, if the account's owner said so.
    reason: Option<String>,
}

impl From<Restriction> for RestrictionView {
    fn from(Restriction { by, reason, since }: Restriction) -> Self {
        Self { by, since, reason }
    }
}

/// A restriction to ask for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRestriction {
    /// Why; nobody has to say so.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// All of it.
pub(super) async fn show(State(app): State<Arc<App>>, caller: May<KnowMyself>) -> Result<Answer<PrivacyView>, Problem> {
    view(&app, &caller.account).await.map(Answer)
}

/// It holds from now on: no run starts on any host, and those that run or wait are cancelled.
pub(super) async fn restrict(
    State(app): State<Arc<App>>,
    caller: May<DecideOnData>,
    Json(new): Json<NewRestriction>,
) -> Result<Answer<PrivacyView>, Problem> {
    let reason = new.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| reason.chars().count() > REASON_LENGTH) {
        return Err(Problem::invalid("/reason", format!("a reason has {REASON_LENGTH} characters at most")));
    }
    app.accounts.restrict((&caller.account, caller.key.id), reason).await?;
    app.callers.forget();
    view(&app, &caller.account).await.map(Answer)
}

/// What an operator restricted stays so.
pub(super) async fn lift_restriction(
    State(app): State<Arc<App>>,
    caller: May<DecideOnData>,
) -> Result<Deleted, Problem> {
    match app.accounts.lift_restriction((&caller.account, caller.key.id)).await {
        Err(DbError::Missing(_)) => {
            let detail = "the account's owner has not restricted it; what an operator did, an operator lifts";
            return Err(Problem::conflict(detail));
        }
        lifted => lifted?,
    }
    app.callers.forget();
    Ok(Deleted)
}

/// What is analysed from now on leaves the account out.
pub(super) async fn object(
    State(app): State<Arc<App>>,
    caller: May<DecideOnData>,
) -> Result<Answer<PrivacyView>, Problem> {
    app.accounts.object((&caller.account, caller.key.id)).await?;
    view(&app, &caller.account).await.map(Answer)
}

/// The account's use may be analysed again.
pub(super) async fn withdraw_objection(
    State(app): State<Arc<App>>,
    caller: May<DecideOnData>,
) -> Result<Deleted, Problem> {
    app.accounts.withdraw_objection((&caller.account, caller.key.id)).await?;
    Ok(Deleted)
}

pub(super) async fn view(app: &App, account: &Account) -> Result<PrivacyView, Problem> {
    let restrictions = app.accounts.restrictions(account).await?;
    Ok(PrivacyView {
        restrictions: restrictions.into_iter().map(RestrictionView::from).collect(),
        hold: app.accounts.hold_on(account.id).await?,
        objected_at: app.accounts.objects_to_analysis(account.id).await?,
        consents: app.accounts.consents(account.id).await?,
    })
}
