//! Reconciliation: asks the processor for what it has, and books what a lost webhook left out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::news::{Fact, PaymentState, ReversalState};
use super::{Booked, PaymentError, Payments};
use crate::clock::Micros;
use crate::db::{DbError, payments, settings, top_ups};
use crate::ids::TopUpId;

const DAY_MS: i64 = 86_400_000;

/// How far back payments are looked at, in days: a webhook is tried for a little more than one.
pub const PAYMENT_DAYS: u32 = 7;

/// How far back refunds and disputes are looked at, in days, since they are listed by their beginning and may take
/// months.
const REVERSAL_DAYS: u32 = 180;

/// The setting that holds when it was last done, by whichever host.
const DONE_AT: &str = "reconciled_at";

/// How often a host looks whether it is time.
const LOOKED_EVERY: Duration = Duration::from_secs(60);

/// How far the processor's clock may be from ours, in milliseconds, as for its webhooks. What a webhook told within this
/// time is believed rather than a list; the next reconciliation sees to what that leaves out.
const CLOCKS_DIFFER_MS: i64 = 300_000;

/// When it is tried again after it failed, in milliseconds.
const AGAIN_MS: i64 = 3_600_000;

/// What a reconciliation looked at, and what it found.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Reconciled {
    /// Payments that the processor has.
    pub payments: u64,
    /// Refunds and disputes that the processor has.
    pub reversals: u64,
    /// What a webhook should have told and did not; it is booked now.
    pub repaired: Vec<Repaired>,
    /// Payments that name a top-up which is not there.
    pub unknown: Vec<String>,
    /// Top-ups that were paid in a way that has no price, for the operator to decide.
    pub review: Vec<TopUpId>,
}

/// Something that a webhook should have told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Repaired {
    /// The processor's id.
    pub id: String,
    /// The state that it is in.
    pub state: String,
}

impl Payments {
    /// Books what webhooks left out, of payments that are no older than so many days. Doing it twice, or on two hosts
    /// at once, books nothing twice.
    ///
    /// # Errors
    /// [`PaymentError`] when the processor or the database does not answer; what was booked until then stays.
    pub async fn reconcile(&self, days: u32) -> Result<Reconciled, PaymentError> {
        let seller = self.seller()?;
        let now = self.clock.now();
        // What is asked for from now on is newer than this moment, though the processor's clock may be before ours.
        let told_at = now.plus_ms(-CLOCKS_DIFFER_MS);
        let since = |days: u32| now.plus_ms(-i64::from(days) * DAY_MS);
        let mut report = Reconciled::default();
        for listed in seller.processor.payments_since(since(days)).await? {
            report.payments += 1;
            let known = payments::get(&self.db, &listed.id).await?.map(|known| known.state);
            let ours = listed.top_up.is_some() || known.is_some();
            if ours && known != Some(listed.state) && known != Some(PaymentState::Succeeded) {
                self.repair_payment(&listed.id, told_at, &mut report).await?;
            }
        }
        for fact in seller.processor.reversals_since(since(days.max(REVERSAL_DAYS))).await? {
            report.reversals += 1;
            let payment = payments::get(&self.db, &fact.payment).await?.map(|known| known.state);
            if payment.is_none_or(|state| state == PaymentState::Unseen) && fact.state == ReversalState::Taken {
                self.repair_payment(&fact.payment, told_at, &mut report).await?;
            }
            let known = payments::reversal(&self.db, &fact.id).await?;
            if known.is_some_and(|known| known.state == fact.state && known.amount == fact.amount) {
                continue;
            }
            let (id, state) = (fact.id.clone(), fact.state.to_string());
            if self.book.take(Fact::Reversal(fact), told_at, None).await? == Booked::New {
                report.repaired.push(Repaired { id, state });
            }
        }
        report.review = top_ups::to_review(&self.db).await?;
        for Repaired { id, state } in &report.repaired {
            tracing::warn!(id, state, "booked what no webhook has told");
        }
        if !report.unknown.is_empty() {
            tracing::error!(payments = ?report.unknown, "these payments name top-ups that are not there");
        }
        Ok(report)
    }

    /// A list does not tell the tax, so that the payment itself is asked for.
    async fn repair_payment(&self, id: &str, told_at: Micros, report: &mut Reconciled) -> Result<(), PaymentError> {
        let fact = self.seller()?.processor.payment(id).await?;
        let (state, named) = (fact.state.to_string(), fact.top_up.is_some());
        match self.book.take(Fact::Payment(fact), told_at, None).await? {
            Booked::New => report.repaired.push(Repaired { id: id.to_owned(), state }),
            Booked::NotOurs if named => report.unknown.push(id.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Reconciles once a day, on whichever host notices first, for as long as the host lives.
    pub async fn do_duties(self: std::sync::Arc<Self>) {
        if self.seller.is_none() {
            return std::future::pending().await;
        }
        loop {
            if let Err(error) = self.reconcile_when_due().await {
                tracing::warn!(%error, "the payments could not be reconciled; it will be tried again");
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }

    async fn reconcile_when_due(&self) -> Result<(), PaymentError> {
        let now = self.clock.now();
        // The first host of a database has nothing to look back on.
        let before = settings::agree(&self.db, DONE_AT, now.0.to_string()).await?;
        let done_at: i64 = before.parse().map_err(DbError::corrupt)?;
        if Micros(done_at).plus_ms(DAY_MS) > now || !self.swap(before, now).await? {
            return Ok(());
        }
        let outcome = self.reconcile(PAYMENT_DAYS).await;
        if outcome.is_err() {
            self.swap(now.0.to_string(), now.plus_ms(AGAIN_MS - DAY_MS)).await?;
        }
        outcome.map(drop)
    }

    async fn swap(&self, before: String, at: Micros) -> Result<bool, DbError> {
        settings::swap(&self.db, DONE_AT, before, at.0.to_string()).await
    }
}
