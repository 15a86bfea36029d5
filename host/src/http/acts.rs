//! `/v1/admin`: what an operator does about money, and why.

use std::sync::Arc;

use axum::extract::State;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Problem;
use super::admin::{known, opened};
use super::answer::{Answer, Made, Offered};
use super::auth::Operator;
use super::body::{Json, PathId};
use super::once::MayRepeat;
use crate::accounts::{Because, Billing};
use crate::app::App;
use crate::audit::{Act, Actor, Facts};
use crate::db::top_ups;
use crate::ids::{AccountId, AdjustmentId, TopUpId};
use crate::ledger::Microcredits;
use crate::payments::{PAYMENT_DAYS, Reconciled, Refunded};

/// Characters of a reason.
const REASON_LENGTH: usize = 500;

/// Days that a reconciliation may look back.
const MOST_DAYS: u32 = 3_660;

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAdjustment {
    /// What is added; below zero, what is taken away.
    amount_microcredits: Microcredits,
    reason: Reason,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Adjusted {
    id: AdjustmentId,
    amount_microcredits: Microcredits,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRefund {
    /// How many of the credits go back; without it, all that are left.
    credits_microcredits: Option<Microcredits>,
    reason: Reason,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reconciliation {
    /// How many days are looked back.
    #[schema(minimum = 1, maximum = 3660)]
    days: Option<u32>,
    reason: Reason,
}

/// Why an operator does something: one line. It is kept with what was done, sealed where that is about one account, and
/// in the open where it is about none: name nobody there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(min_length = 1, max_length = 500)]
pub(super) struct Reason(String);

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reason = String::deserialize(deserializer)?.trim().to_owned();
        if reason.is_empty() || reason.chars().count() > REASON_LENGTH || reason.chars().any(char::is_control) {
            return Err(D::Error::custom(format_args!("a reason is one line of 1 to {REASON_LENGTH} characters")));
        }
        Ok(Self(reason))
    }
}

impl Reason {
    /// What the audit says of an act that is about no account.
    pub(super) fn alone(self) -> Facts {
        Facts { reason: Some(self.0), ..Facts::default() }
    }
}

/// Nothing but why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    pub reason: Reason,
}

impl<R> Operator<R> {
    /// Who does something.
    pub(super) fn actor(&self) -> Actor {
        Actor::Operator(self.key)
    }

    /// Who does something, and why.
    pub(super) fn because(&self, reason: Reason) -> Because {
        Because { operator: self.key, reason: reason.0 }
    }
}

/// Corrects an account's balance.
pub(super) async fn adjust(
    State(app): State<Arc<App>>,
    operator: Operator<Billing>,
    PathId(id): PathId<AccountId>,
    once: MayRepeat,
    Json(new): Json<NewAdjustment>,
) -> Result<Made<Adjusted>, Problem> {
    let (amount, most) = (new.amount_microcredits, Microcredits::LARGEST_GRANT.0);
    if amount == Microcredits::ZERO || !(-most..=most).contains(&amount.0) {
        let detail = format!("an adjustment is between 1 and {most} microcredits, upwards or downwards");
        return Err(Problem::invalid("/amount_microcredits", detail));
    }
    let because = operator.because(new.reason.clone());
    let account = opened(&app, id).await?;
    let id = app.accounts.adjust(&account, amount, &because, once.by(&app, operator.key, &new)).await?;
    Ok(Made(Adjusted { id, amount_microcredits: amount }))
}

/// Gives back what was paid for a top-up, or a part of it.
pub(super) async fn refund(
    State(app): State<Arc<App>>,
    operator: Operator<Billing>,
    PathId(id): PathId<TopUpId>,
    once: MayRepeat,
    Json(new): Json<NewRefund>,
) -> Result<Made<Refunded>, Problem> {
    let because = operator.because(new.reason.clone());
    let account = top_ups::account_of(&app.db, id).await?.ok_or_else(|| Problem::not_found("top-up"))?;
    let account = known(&app, account).await?;
    let once = once.by(&app, operator.key, &new);
    let refunded = app.payments.refund((&account, id), new.credits_microcredits, &because, once).await?;
    Ok(Made(refunded))
}

/// Asks the payment processor for what no webhook has told, and books it.
pub(super) async fn reconcile(
    State(app): State<Arc<App>>,
    operator: Operator<Billing>,
    Json(asked): Json<Reconciliation>,
) -> Result<Offered<Answer<Reconciled>>, Problem> {
    let days = asked.days.unwrap_or(PAYMENT_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::invalid("/days", format!("days are between 1 and {MOST_DAYS}")));
    }
    app.accounts.note_act(operator.actor(), Act::Reconcile, &asked.reason.alone()).await?;
    Ok(Offered(Answer(app.payments.reconcile(days).await?)))
}
