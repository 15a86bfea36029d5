//! The page where a test payment is made. It is only there where payments are tests.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use super::body::PathId;
use super::page::QueryOf;
use super::pages::HtmlPage;
use crate::app::App;
use crate::db::top_ups::StoredTopUp;
use crate::ids::TopUpId;
use crate::ledger::Microcredits;
use crate::payments::money::Money;
use crate::payments::{PaymentState, TopUpState};

const TEST: &str = "Test: no money moves.";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct TestQuery {
    /// What becomes of the payment; without it, it is paid.
    #[param(inline)]
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Paid,
    Failed,
}

/// Asks what is to become of the payment.
pub(super) async fn ask(State(app): State<Arc<App>>, PathId(id): PathId<TopUpId>) -> Result<HtmlPage, Problem> {
    let top_up = app.payments.to_test(id).await?.ok_or_else(|| Problem::not_found("top-up"))?;
    if top_up.state == TopUpState::Paid {
        return Ok(shown(&app, &top_up));
    }
    let credits = Microcredits(top_up.amount.saturating_mul(top_up.microcredits_per_minor_unit));
    Ok(HtmlPage::new(&app, "Buy credits")
        .warns(TEST)
        .says(format!("You pay {} for {credits} credits.", money(&top_up)))
        .offers("Pay")
        .offers_too("Let it fail", "outcome=failed"))
}

/// Does it.
pub(super) async fn answer(
    State(app): State<Arc<App>>,
    PathId(id): PathId<TopUpId>,
    QueryOf(query): QueryOf<TestQuery>,
) -> Result<HtmlPage, Problem> {
    let top_up = app.payments.to_test(id).await?.ok_or_else(|| Problem::not_found("top-up"))?;
    let state = match query.outcome.unwrap_or(Outcome::Paid) {
        Outcome::Paid => PaymentState::Succeeded,
        Outcome::Failed => PaymentState::Failed,
    };
    let top_up = app.payments.test(&top_up, state).await?.unwrap_or(top_up);
    Ok(shown(&app, &top_up))
}

/// What became of it.
fn shown(app: &App, top_up: &StoredTopUp) -> HtmlPage {
    if top_up.state == TopUpState::Paid {
        return HtmlPage::new(app, "Paid").warns(TEST).says(format!(
            "{} credits are in your balance for {}. A letter with the receipt is on its way.",
            top_up.credited,
            money(top_up)
        ));
    }
    HtmlPage::new(app, "The payment failed")
        .warns(TEST)
        .says(format!("{} were not paid, and no credits were added. A letter says so too.", money(top_up)))
}

fn money(top_up: &StoredTopUp) -> Money<'_> {
    Money { amount: top_up.amount, currency: &top_up.currency }
}
