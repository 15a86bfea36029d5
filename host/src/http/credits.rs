//! `/v1/credits`: the balance, and what moved it.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Problem;
use super::answer::Answer;
use super::auth::May;
use super::page::{Page, PageQuery, QueryOf};
use crate::accounts::ReadBilling;
use crate::app::App;
use crate::clock::Micros;
use crate::db::ledger::{self, StoredTransfer};
use crate::ledger::{Microcredits, Verb};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreditsView {
    available_microcredits: Microcredits,
    held_microcredits: Microcredits,
    /// What is owed for payments that were given back. While it is more than nothing, no run starts.
    debt_microcredits: Microcredits,
}

/// A transfer, as it changes what is available.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionView {
    id: String,
    reason: Verb,
    /// What it belongs to: a run, a grant, a top-up, a refund or dispute, an adjustment.
    subject: String,
    /// What moved; never negative.
    amount_microcredits: Microcredits,
    from: &'static str,
    to: &'static str,
    at: Micros,
}

impl TransactionView {
    fn of(stored: StoredTransfer) -> Self {
        let (from, to) = stored.transfer.verb.sides();
        Self {
            id: stored.id,
            reason: stored.transfer.verb,
            subject: stored.transfer.subject,
            amount_microcredits: stored.transfer.amount,
            from: from.as_str(),
            to: to.as_str(),
            at: stored.transfer.at,
        }
    }
}

/// What is available, what runs hold, and what is owed.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
) -> Result<Answer<CreditsView>, Problem> {
    let balance = ledger::balance(&app.db, caller.account.tenant).await?;
    Ok(Answer(CreditsView {
        available_microcredits: balance.available,
        held_microcredits: balance.held,
        debt_microcredits: balance.debt,
    }))
}

/// What moved the balance, latest first.
pub(super) async fn transactions(
    State(app): State<Arc<App>>,
    caller: May<ReadBilling>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Answer<Page<TransactionView>>, Problem> {
    let tenant = caller.account.tenant;
    let found = ledger::transfers(&app.db, tenant, query.after.as_deref(), query.asked()).await?;
    let views = found.into_iter().map(TransactionView::of).collect();
    Ok(Answer(Page::of(views, query.limit(), |view| view.id.clone())))
}
