//! `/v1/admin`: what an operator does: make accounts, give credits, suspend.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::accounts::AccountView;
use super::acts::{Reason, Why};
use super::answer::{Answer, Made};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Account, Admin, Anyone, Billing, Opening, Security, Status};
use crate::app::App;
use crate::audit::Act;
use crate::config::{Change, DEFAULT_PLAN};
use crate::db::ledger;
use crate::ids::{AccountId, GrantId};
use crate::ledger::Microcredits;
use crate::names::Name;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccount {
    email: String,
    plan: Option<String>,
    /// Where its data is to stay; the plan's region, or else the host's, unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Name>,
    #[serde(default)]
    grant_microcredits: Microcredits,
    reason: Reason,
}

#[derive(Serialize, ToSchema)]
pub(super) struct OpenedView {
    account: AccountId,
    api_key: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminAccountView {
    #[serde(flatten)]
    account: AccountView,
    available_microcredits: Microcredits,
    held_microcredits: Microcredits,
    debt_microcredits: Microcredits,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountChange {
    status: NewStatus,
    reason: Reason,
}

/// The statuses that an operator gives.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum NewStatus {
    Active,
    Restricted,
    Suspended,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewGrant {
    amount_microcredits: Microcredits,
    reason: Reason,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Granted {
    id: GrantId,
    amount_microcredits: Microcredits,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// What the file says otherwise than before.
    changes: Vec<Change>,
}

/// The accounts that this host serves, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _: Operator<Anyone>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<AdminAccountView>>, Problem> {
    let mut views = Vec::new();
    for account in app.accounts.list(query.after_id()?, query.asked()).await? {
        views.push((account.id, view(&app, &account).await?));
    }
    let page = Page::of(views, query.limit(), |(id, _)| id.to_string());
    Ok(Answer(page.map(|(_, view)| view)))
}

/// Makes an account with its first key, which is shown once, and an optional grant.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    once: MayRepeat,
    Json(new): Json<NewAccount>,
) -> Result<Made<OpenedView>, Problem> {
    let email = checked_email(&new.email)?;
    let plan = new.plan.as_deref().unwrap_or(DEFAULT_PLAN);
    if !app.config.now().values.plans.contains_key(plan) {
        return Err(Problem::invalid("/plan", format!("there is no plan `{plan}`")));
    }
    if new.grant_microcredits != Microcredits::ZERO {
        checked_grant("/grant_microcredits", new.grant_microcredits)?;
    }
    let because = operator.because(new.reason.clone());
    let region = region_of(&app, plan, new.region.as_ref())?;
    let opening =
        Opening { email, plan, region: region.as_ref(), grant: new.grant_microcredits, because: Some(&because) };
    let opened = app.accounts.open(&opening, once.by(&app, operator.key, &new)).await?;
    let api_key = opened.api_key.expose().to_owned();
    Ok(Made(OpenedView { account: opened.account, api_key }))
}

/// One account.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    _: Operator<Anyone>,
    PathId(id): PathId<AccountId>,
) -> Result<Answer<AdminAccountView>, Problem> {
    let account = known(&app, id).await?;
    view(&app, &account).await.map(Answer)
}

/// Suspends an account, or makes it active again. It holds here at once and on every host within a second.
pub(super) async fn update(
    State(app): State<Arc<App>>,
    operator: Operator<Security>,
    PathId(id): PathId<AccountId>,
    Json(change): Json<AccountChange>,
) -> Result<Answer<AdminAccountView>, Problem> {
    let status = match change.status {
        NewStatus::Active => Status::Active,
        NewStatus::Restricted => Status::Restricted,
        NewStatus::Suspended => Status::Suspended,
    };
    let because = operator.because(change.reason);
    let account = opened(&app, id).await?;
    app.accounts.set_status(&account, status, &because).await?;
    app.callers.forget();
    let account = app.accounts.load(id).await?.ok_or_else(|| Problem::not_found("account"))?;
    view(&app, &account).await.map(Answer)
}

/// Gives credits to an account.
pub(super) async fn grant(
    State(app): State<Arc<App>>,
    operator: Operator<Billing>,
    PathId(id): PathId<AccountId>,
    once: MayRepeat,
    Json(new): Json<NewGrant>,
) -> Result<Made<Granted>, Problem> {
    checked_grant("/amount_microcredits", new.amount_microcredits)?;
    let because = operator.because(new.reason.clone());
    let account = opened(&app, id).await?;
    let once = once.by(&app, operator.key, &new);
    let grant = app.accounts.grant(&account, new.amount_microcredits, &because, once).await?;
    Ok(Made(Granted { id: grant, amount_microcredits: new.amount_microcredits }))
}

/// Reads the operator's file of this host again.
pub(super) async fn reload(
    State(app): State<Arc<App>>,
    operator: Operator<Admin>,
    Json(why): Json<Why>,
) -> Result<Answer<Reloaded>, Problem> {
    let changes = app.reload().map_err(|error| Problem::invalid("", error.to_string()))?;
    // A file with a mistake changed nothing.
    app.accounts.note_act(operator.actor(), Act::Reload, &why.reason.alone()).await?;
    Ok(Answer(Reloaded { changes }))
}

/// The region of an account that is opened here.
pub(super) fn region_of(app: &App, plan: &str, asked: Option<&Name>) -> Result<Option<Name>, Problem> {
    app.config.now().region_of(plan, asked).map_err(|error| Problem::invalid("/region", error.to_string()))
}

/// An account that operators are shown: of one that is closed only its erasure.
pub(super) async fn known(app: &App, id: AccountId) -> Result<Account, Problem> {
    let account = app.accounts.load(id).await?.filter(|account| account.status != Status::Closed);
    account.ok_or_else(|| Problem::not_found("account"))
}

/// An account that something can be done to: one that waits for its address opens by the link alone, and is forgotten
/// without it.
pub(super) async fn opened(app: &App, id: AccountId) -> Result<Account, Problem> {
    let account = known(app, id).await?;
    match account.status {
        status @ Status::Pending => Err(Problem::conflict(format!("the account is {status}; {}", status.remains()))),
        _ => Ok(account),
    }
}

async fn view(app: &App, account: &Account) -> Result<AdminAccountView, Problem> {
    let balance = ledger::balance(&app.db, account.tenant).await?;
    Ok(AdminAccountView {
        account: AccountView::of(account)?,
        available_microcredits: balance.available,
        held_microcredits: balance.held,
        debt_microcredits: balance.debt,
    })
}

fn checked_grant(pointer: &str, amount: Microcredits) -> Result<(), Problem> {
    if (Microcredits(1)..=Microcredits::LARGEST_GRANT).contains(&amount) {
        return Ok(());
    }
    Err(Problem::invalid(pointer, format!("a grant is between 1 and {} microcredits", Microcredits::LARGEST_GRANT.0)))
}

/// An address that mail could be sent to: one `@` with something on both sides (RFC 5321 allows 254 bytes).
pub(crate) fn checked_email(email: &str) -> Result<&str, Problem> {
    let email = email.trim();
    let good = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains('@')
                && !domain.starts_with('.')
                && !domain.ends_with('.')
        });
    if good { Ok(email) } else { Err(Problem::invalid("/email", "this is not an email address")) }
}
