//! `/v1/account`: the caller's own account.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::address::ClientAddress;
use super::admin::checked_email;
use super::answer::Answer;
use super::auth::May;
use super::body::Json;
use crate::accounts::{Account, ChangeAccount, KnowMyself, Status};
use crate::app::App;
use crate::clock::Micros;
use crate::config::RunRetention;
use crate::ids::AccountId;
use crate::ledger::Microcredits;
use crate::limits::{AccountLimits, RunLimits};
use crate::names::Name;

/// An account as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountView {
    id: AccountId,
    email: String,
    plan: String,
    /// Where its data stays; absent when that is anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Name>,
    status: Status,
    created_at: Micros,
    limits: LimitsView,
}

#[derive(Debug, Serialize, ToSchema)]
struct LimitsView {
    run: RunLimits,
    account: AccountLimits,
}

impl AccountView {
    pub(super) fn of(account: &Account) -> Result<Self, Problem> {
        Ok(Self {
            id: account.id,
            email: account.email()?,
            plan: account.plan.clone(),
            region: account.region.clone(),
            status: account.status,
            created_at: account.created_at,
            limits: LimitsView { run: account.run_limits.clone(), account: account.limits.clone() },
        })
    }
}

/// The caller's own account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnAccountView {
    #[serde(flatten)]
    account: AccountView,
    /// Below which balance its owner is warned, once for each crossing; 0 is never.
    low_balance_microcredits: Microcredits,
    /// What it may spend in a day (UTC): the smaller of what its plan and its owner say; absent when neither says
    /// anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_spend_microcredits: Option<Microcredits>,
    /// How long what its runs leave is kept. A deployment may say less.
    retention: RunRetention,
    policy: PolicyInForceView,
    /// The change of its address that both addresses have to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_change: Option<EmailChangeView>,
}

/// The privacy policy that is in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PolicyInForce)]
struct PolicyInForceView {
    /// It is read at `/privacy/{version}`.
    version: String,
    changed_at: Micros,
}

/// A change of the address that is not complete.
#[derive(Debug, Serialize, ToSchema)]
struct EmailChangeView {
    email: String,
    old_confirmed: bool,
    new_confirmed: bool,
    expires_at: Micros,
}

/// What changes of an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountChanges {
    /// The new address, which both addresses have to confirm by the links that are sent to them. An address gets three
    /// such letters in an hour at most, and an account has five sent; the answer is the same when none is.
    email: Option<String>,
    /// Below which balance its owner is warned; 0 is never.
    low_balance_microcredits: Option<Microcredits>,
    /// What it may spend in a day (UTC), of what its plan allows; null is all of that.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Microcredits>)]
    daily_spend_microcredits: Option<Option<Microcredits>>,
}

/// A value that was given, null too.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The account, its plan and its effective limits.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<KnowMyself>,
) -> Result<Answer<OwnAccountView>, Problem> {
    view(&app, &caller.account).await.map(Answer)
}

/// Changes the account. The address changes once both addresses have confirmed it.
pub(super) async fn update(
    State(app): State<Arc<App>>,
    caller: May<ChangeAccount>,
    ClientAddress(address): ClientAddress,
    Json(changes): Json<AccountChanges>,
) -> Result<Answer<OwnAccountView>, Problem> {
    let email = changes.email.as_deref().map(checked_email).transpose()?;
    if email.is_some() {
        // It sends mail to somebody whom nobody knows yet.
        app.rates.count_sign_up(address)?;
    }
    if let Some(threshold) = changes.low_balance_microcredits {
        if !(Microcredits::ZERO..=Microcredits::LARGEST_GRANT).contains(&threshold) {
            let detail = format!("a threshold is between 0 and {} microcredits", Microcredits::LARGEST_GRANT.0);
            return Err(Problem::invalid("/low_balance_microcredits", detail));
        }
        app.accounts.set_low_balance((&caller.account, caller.key.id), threshold).await?;
    }
    if let Some(most) = changes.daily_spend_microcredits {
        if most.is_some_and(|most| most < Microcredits::ZERO) {
            return Err(Problem::invalid("/daily_spend_microcredits", "what may be spent is not below zero"));
        }
        app.accounts.set_daily_spend((&caller.account, caller.key.id), most).await?;
        app.callers.forget();
    }
    if let Some(email) = email {
        app.accounts.change_email((&caller.account, caller.key.id), email).await?;
    }
    let account = app.accounts.load(caller.account.id).await?.ok_or_else(|| Problem::not_found("account"))?;
    view(&app, &account).await.map(Answer)
}

async fn view(app: &App, account: &Account) -> Result<OwnAccountView, Problem> {
    let email_change = app.accounts.email_change(account).await?.map(|(email, change)| EmailChangeView {
        email,
        old_confirmed: change.old_confirmed,
        new_confirmed: change.new_confirmed,
        expires_at: change.expires_at,
    });
    let policy = app.policy.now().await?;
    let low_balance_microcredits = app.accounts.low_balance(account.id).await?;
    Ok(OwnAccountView {
        account: AccountView::of(account)?,
        low_balance_microcredits,
        daily_spend_microcredits: account.daily_spend,
        retention: app.config.now().run_retention(&account.plan),
        policy: PolicyInForceView { version: policy.version, changed_at: policy.since },
        email_change,
    })
}
