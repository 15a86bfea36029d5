//! Refunds that an operator gives. The intent is written down before the processor is asked, and what the processor
//! answers is booked as if a webhook had told it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::news::{Fact, ReversalState};
use super::processor::RefundAsked;
use super::{PaymentError, Payments, ProcessorError};
use crate::accounts::{Account, Because};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::top_ups::{self, PaidBy};
use crate::db::{DbError, Once, answered};
use crate::ids::TopUpId;
use crate::ledger::Microcredits;

/// A refund that the processor took.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Refunded {
    /// The processor's id.
    pub id: String,
    /// The top-up.
    pub top_up: TopUpId,
    /// `taken` once the money is on its way back, `open` until the processor has decided.
    pub state: ReversalState,
    /// What goes back of the credits when it is `taken`.
    pub credits_microcredits: Microcredits,
}

impl Payments {
    /// Gives back what was paid for so many credits of a top-up, or for all that are left of it. The same request is
    /// answered as the first was, whatever is left since; one that the processor refused may be made again.
    ///
    /// # Errors
    /// [`PaymentError`] says why not.
    pub async fn refund(
        &self,
        (account, top_up): (&Account, TopUpId),
        credits: Option<Microcredits>,
        because: &Because,
        once: Option<Once>,
    ) -> Result<Refunded, PaymentError> {
        let seller = self.seller()?;
        if let Some(once) = &once
            && let Some(answer) = self.accounts.became(once).await?
        {
            return answer.ok_or(PaymentError::InDoubt);
        }
        let paid = top_ups::paid_by(&self.db, account.id, top_up).await?;
        let left = |paid: &PaidBy| paid.credited - paid.taken;
        let most = paid.iter().max_by_key(|paid| left(paid)).ok_or(DbError::Missing("paid top-up"))?;
        let credits = credits.unwrap_or(left(most));
        if !(Microcredits(1)..=left(most)).contains(&credits) {
            return Err(PaymentError::TooMuch { left: left(most) });
        }
        let facts = Facts { amount: Some(credits), ..Facts::of(top_up) };
        let (id, act) = (account.id, self.accounts.act((account.id, &account.data_key), because, Act::Refund, facts)?);
        let claimed = once.clone();
        let earlier = self
            .db
            .write(move |tx| {
                let (act, once) = (act.clone(), claimed.clone());
                Box::pin(async move {
                    if let Some(once) = &once
                        && let Some(earlier) = answered::claim(tx, once, id, &act.id.to_string(), None, act.at).await?
                    {
                        return Ok(Some(earlier));
                    }
                    tx.audit(act);
                    Ok(None)
                })
            })
            .await?;
        if earlier.is_some() {
            return Err(PaymentError::InDoubt);
        }
        let (payment, amount) = (most.payment.clone(), amount_for(most, credits));
        let wanted = RefundAsked { payment, amount, automatic: most.automatic };
        let fact = match seller.processor.refund(&wanted).await {
            Ok(fact) => fact,
            Err(refused @ ProcessorError::Refused { status: 400..500, .. }) => {
                let about = (account.id, &account.data_key);
                let act = self.accounts.act(about, because, Act::RefundRefused, Facts::of(top_up))?;
                self.accounts.note(act).await?;
                if let Some(once) = &once {
                    self.accounts.keep_answer::<Refunded>(account, once, None).await?;
                }
                return Err(refused.into());
            }
            // It may have been taken, and only its answer be lost.
            Err(_) => return Err(PaymentError::InDoubt),
        };
        let (id, state) = (fact.id.clone(), fact.state);
        let refunded = Refunded { id, top_up, state, credits_microcredits: credits };
        if let Some(once) = &once {
            self.accounts.keep_answer(account, once, Some(&refunded)).await?;
        }
        // Whatever a webhook tells of it is newer, whatever its clock says.
        self.book.take(Fact::Reversal(fact), Micros(0), None).await?;
        Ok(refunded)
    }
}

/// What was paid for so many credits; none for all that were bought.
fn amount_for(paid: &PaidBy, credits: Microcredits) -> Option<i64> {
    if credits == paid.credited {
        return None;
    }
    let amount = i128::from(paid.amount) * i128::from(credits.0) / i128::from(paid.credited.0.max(1));
    i64::try_from(amount).ok()
}
