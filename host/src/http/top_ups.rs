//! `/v1/credits/top-ups`: credits that an account buys.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::answer::{Answer, Made, Offered};
use super::auth::May;
use super::body::{Json, PathId};
use super::once::MayRepeat;
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::{Pay, ReadBilling};
use crate::app::App;
use crate::clock::Micros;
use crate::db::top_ups::{self, StoredTopUp};
use crate::ids::TopUpId;
use crate::ledger::Microcredits;
use crate::payments::{Asked, TopUpState};

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopUp {
    /// What is to be paid, in the currency's smallest unit: cents.
    amount: i64,
    /// The currency's code: `EUR`.
    currency: String,
}

/// Credits that an account buys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TopUpView {
    id: TopUpId,
    state: TopUpState,
    /// What was asked to be paid, in the currency's smallest unit.
    amount: i64,
    currency: String,
    /// Where it is paid.
    url: Option<String>,
    /// What it bought: what was paid for without its tax, at the price of the moment when it was asked for.
    credited_microcredits: Microcredits,
    /// What of that went back by refunds and lost disputes.
    taken_microcredits: Microcredits,
    created_at: Micros,
    paid_at: Option<Micros>,
}

impl TopUpView {
    fn of(stored: StoredTopUp) -> Self {
        Self {
            id: stored.id,
            state: stored.state,
            amount: stored.amount,
            currency: stored.currency,
            url: stored.checkout_url,
            credited_microcredits: stored.credited,
            taken_microcredits: stored.taken,
            created_at: stored.created_at,
            paid_at: stored.paid_at,
        }
    }
}

/// Makes a top-up, and a page where it is paid.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: May<Pay>,
    once: MayRepeat,
    Json(new): Json<NewTopUp>,
) -> Result<Offered<Made<TopUpView>>, Problem> {
    let once = once.by(&app, caller.account.id, &new);
    let asked = Asked { amount: new.amount, currency: new.currency };
    let top_up = app.payments.top_up(&caller.account, asked, once).await?;
    Ok(Offered(Made(TopUpView::of(top_up))))
}

/// The account's top-ups, latest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<TopUpView>>, Problem> {
    let found = top_ups::list(&app.db, caller.account.id, query.after_id()?, query.asked()).await?;
    let views = found.into_iter().map(TopUpView::of).collect();
    Ok(Answer(Page::of(views, query.limit(), |view| view.id.to_string())))
}

/// One top-up.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    PathId(id): PathId<TopUpId>,
) -> Result<Answer<TopUpView>, Problem> {
    let found = top_ups::get(&app.db, caller.account.id, id).await?;
    found.map(|found| Answer(TopUpView::of(found))).ok_or_else(|| Problem::not_found("top-up"))
}
