//! `/v1/credits/auto-top-up`: credits that an account buys by itself. Off unless it is asked for.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Deleted, Offered};
use super::auth::May;
use super::body::Json;
use crate::accounts::{Pay, ReadBilling};
use crate::app::App;
use crate::clock::Micros;
use crate::db::auto_top_ups::{self, StoredAutoTopUp};
use crate::ledger::Microcredits;
use crate::payments::{Asked, AutoTopUpAsked, AutoTopUpState};

/// What an account buys by itself, and when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAutoTopUp {
    /// Below which balance it buys, what runs hold counted in.
    threshold_microcredits: Microcredits,
    /// What is paid then, in the currency's smallest unit: cents.
    amount: i64,
    /// The currency's code: `EUR`.
    currency: String,
    /// The most that is paid in a month (UTC), in the currency's smallest unit.
    monthly_cap: i64,
}

/// Whether an account buys credits by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AutoTopUpView {
    state: AutoTopUpState,
    threshold_microcredits: Microcredits,
    /// What is paid at once, in the currency's smallest unit.
    amount: i64,
    currency: String,
    /// The most that is paid in a month (UTC), in the currency's smallest unit.
    monthly_cap: i64,
    /// Where the mandate is given, while it is `asked` for.
    url: Option<String>,
    /// Why it was switched off, when nobody asked for that.
    off_because: Option<String>,
    /// When it was asked for, or switched off.
    changed_at: Micros,
}

impl AutoTopUpView {
    fn of(stored: StoredAutoTopUp) -> Self {
        Self {
            state: stored.state,
            threshold_microcredits: stored.threshold,
            amount: stored.amount,
            currency: stored.currency,
            monthly_cap: stored.monthly_cap,
            url: stored.page,
            off_because: stored.off_because,
            changed_at: stored.changed_at,
        }
    }
}

/// What the account has asked for.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
) -> Result<Offered<Answer<AutoTopUpView>>, Problem> {
    let found = auto_top_ups::get(&app.db, caller.account.id).await?;
    let found = found.ok_or_else(|| Problem::not_found("automatic top-up"))?;
    Ok(Offered(Answer(AutoTopUpView::of(found))))
}

/// Has the account buy credits by itself, once its owner has given the mandate on the page that is answered.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: May<Pay>,
    Json(new): Json<NewAutoTopUp>,
) -> Result<Offered<Answer<AutoTopUpView>>, Problem> {
    if !(Microcredits(1)..=Microcredits::LARGEST_GRANT).contains(&new.threshold_microcredits) {
        let detail = format!("a threshold is between 1 and {} microcredits", Microcredits::LARGEST_GRANT.0);
        return Err(Problem::invalid("/threshold_microcredits", detail));
    }
    let asked = AutoTopUpAsked {
        threshold: new.threshold_microcredits,
        top_up: Asked { amount: new.amount, currency: new.currency },
        monthly_cap: new.monthly_cap,
    };
    let auto = app.payments.set_auto_top_up((&caller.account, caller.key.id), asked).await?;
    Ok(Offered(Answer(AutoTopUpView::of(auto))))
}

/// Switches it off, and ends the mandate.
pub(super) async fn end(State(app): State<Arc<App>>, caller: May<Pay>) -> Result<Deleted, Problem> {
    app.payments.end_auto_top_up(&caller.account, Some(caller.key.id)).await?;
    Ok(Deleted)
}
