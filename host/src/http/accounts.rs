//! `/v1/account`: the caller's own account.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use crate::accounts::{Account, KnowMyself, Status};
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
            status: account.status,
            created_at: account.created_at,
            limits: LimitsView { run: account.run_limits.clone(), account: account.limits.clone() },
        })
    }
}

/// The account, its plan and its effective limits.
pub(super) async fn show(State(_): State<Arc<App>>, caller: May<KnowMyself>) -> Result<Answer<AccountView>, Problem> {
    AccountView::of(&caller.account).map(Answer)
}
