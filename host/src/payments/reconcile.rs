//! Reconciliation: asks the processor for what it has, and books what a lost webhook left out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::news::{Fact, PaymentState, ReversalState};
use super::processor::{Listed, ListedPayment, ProcessorError};
use super::{Booked, PaymentError, Payments, ReversalFact, Seller};
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

/// Payments one after the other of which nothing is heard, before the processor is believed to be away.
const SILENCES: u32 = 3;

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
    /// What could not be checked: the processor answers strangely or not at all, or we can't book it. The log says why.
    pub unchecked: Vec<String>,
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
        let mut look = Look { payments: self, seller, told_at, silences: 0, report: Reconciled::default() };
        let Listed { items, strange } = seller.processor.payments_since(since(days)).await?;
        look.report.payments = (items.len() + strange.len()) as u64;
        look.report.unchecked.extend(strange);
        for listed in items {
            let done = look.at_payment(&listed).await;
            look.go_on(listed.id, done)?;
        }
        let Listed { items, strange } = seller.processor.reversals_since(since(days.max(REVERSAL_DAYS))).await?;
        look.report.reversals = (items.len() + strange.len()) as u64;
        look.report.unchecked.extend(strange);
        for fact in items {
            let id = fact.id.clone();
            let done = look.at_reversal(fact).await;
            look.go_on(id, done)?;
        }
        let mut report = look.report;
        report.review = top_ups::to_review(&self.db).await?;
        for Repaired { id, state } in &report.repaired {
            tracing::warn!(id, state, "booked what no webhook has told");
        }
        if !report.unknown.is_empty() {
            tracing::error!(payments = ?report.unknown, "these payments name top-ups that are not there");
        }
        Ok(report)
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

/// One look at what the processor has.
struct Look<'a> {
    payments: &'a Payments,
    seller: &'a Seller,
    told_at: Micros,
    /// Payments in a row of which nothing was heard.
    silences: u32,
    report: Reconciled,
}

impl Look<'_> {
    async fn at_payment(&mut self, listed: &ListedPayment) -> Result<(), PaymentError> {
        let known = payments::get(&self.payments.db, &listed.id).await?.map(|known| known.state);
        let ours = listed.top_up.is_some() || known.is_some();
        if ours && known != Some(listed.state) && known != Some(PaymentState::Succeeded) {
            self.repair_payment(&listed.id).await?;
        }
        Ok(())
    }

    async fn at_reversal(&mut self, fact: ReversalFact) -> Result<(), PaymentError> {
        let payment = payments::get(&self.payments.db, &fact.payment).await?.map(|known| known.state);
        if payment.is_none_or(|state| state == PaymentState::Unseen) && fact.state == ReversalState::Taken {
            self.repair_payment(&fact.payment).await?;
        }
        let known = payments::reversal(&self.payments.db, &fact.id).await?;
        if known.is_some_and(|known| known.state == fact.state && known.amount == fact.amount) {
            return Ok(());
        }
        let (id, state) = (fact.id.clone(), fact.state.to_string());
        if self.payments.book.take(Fact::Reversal(fact), self.told_at, None).await? == Booked::New {
            self.report.repaired.push(Repaired { id, state });
        }
        Ok(())
    }

    /// A list does not tell the tax, so that the payment itself is asked for.
    async fn repair_payment(&mut self, id: &str) -> Result<(), PaymentError> {
        let fact = self.seller.processor.payment(id).await?;
        if fact.id != id {
            return Err(ProcessorError::Strange(format!("it was asked for {id}, and answers {}", fact.id)).into());
        }
        let (state, named) = (fact.state.to_string(), fact.top_up.is_some());
        match self.payments.book.take(Fact::Payment(fact), self.told_at, None).await? {
            Booked::New => self.report.repaired.push(Repaired { id: id.to_owned(), state }),
            Booked::NotOurs if named => self.report.unknown.push(id.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Notes what could not be checked, and goes on: one payment keeps nothing of the others. Not when the database is
    /// away, or the processor seems to be.
    fn go_on(&mut self, id: String, done: Result<(), PaymentError>) -> Result<(), PaymentError> {
        let unreachable = matches!(done, Err(PaymentError::Processor(ProcessorError::Unreachable(_))));
        self.silences = if unreachable { self.silences + 1 } else { 0 };
        match done {
            Ok(()) => Ok(()),
            Err(PaymentError::Db(error)) if error.may_pass() => Err(error.into()),
            Err(error) if self.silences >= SILENCES => Err(error),
            Err(error) => {
                tracing::error!(id, %error, "it could not be checked; the others are");
                self.report.unchecked.push(id);
                Ok(())
            }
        }
    }
}
