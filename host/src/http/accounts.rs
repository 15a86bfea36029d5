//! `/v1/account`: the caller's own account.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::answer::Answer;
use crate::accounts::{Account, Caller};
use crate::app::App;
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::limits::{AccountLimits, RunLimits};

/// An account as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountView {
    id: AccountId,
    email: String,
    plan: String,
    status: String,
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
            status: account.status.clone(),
            created_at: account.created_at,
            limits: LimitsView { run: account.run_limits.clone(), account: account.limits.clone() },
        })
    }
}

/// The account, its plan and its effective limits.
pub(super) async fn show(State(_): State<Arc<App>>, caller: Caller) -> Result<Answer<AccountView>, Problem> {
    AccountView::of(&caller.account).map(Answer)
}
