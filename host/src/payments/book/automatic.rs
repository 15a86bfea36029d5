//! Books what becomes of mandates, and of top-ups that were asked for by themselves.

use super::{Booked, Entry};
use crate::db::payments::Bought;
use crate::db::{DbError, auto_top_ups};
use crate::ids::{AccountId, AutoTopUpId};
use crate::mail::Letter;
use crate::payments::news::{MandateFact, MandateState, TopUpState};

impl Entry<'_, '_> {
    /// A mandate is waited for, then given, then over, and never goes back: so the order of what is told does not matter.
    pub(super) async fn mandate(&mut self, fact: &MandateFact, account: AccountId) -> Result<Booked, DbError> {
        let changed = match fact.state {
            MandateState::Open => false,
            MandateState::Given => auto_top_ups::switch_on(self.tx, account, fact.reference, &fact.id).await?,
            MandateState::Ended => {
                let why = "the mandate that you gave the payment processor has ended";
                self.switch_off((account, fact.reference), why).await?
            }
        };
        Ok(if changed { Booked::New } else { Booked::Known })
    }

    /// What becomes of the automatic top-up that this is, if it is one and on its way.
    pub(super) async fn automatic(&mut self, bought: &Bought, state: TopUpState) -> Result<(), DbError> {
        let Some(id) = auto_top_ups::charging(self.tx, bought.account, bought.top_up).await? else { return Ok(()) };
        match state {
            TopUpState::Paid => auto_top_ups::arrived(self.tx, bought.account, bought.top_up).await,
            TopUpState::Pending | TopUpState::Processing => Ok(()),
            TopUpState::Cancelled | TopUpState::Failed => {
                self.switch_off((bought.account, id), "a payment failed").await.map(drop)
            }
            TopUpState::Review => {
                let why = "a payment came in a way that has no price here; the operator decides what becomes of it";
                self.switch_off((bought.account, id), why).await.map(drop)
            }
        }
    }

    async fn switch_off(&mut self, (account, id): (AccountId, AutoTopUpId), why: &str) -> Result<bool, DbError> {
        let switched = auto_top_ups::switch_off(self.tx, account, id, Some(why), self.told.now).await?;
        if switched {
            self.write(Letter::AutoTopUpOff { reason: why.to_owned() }).await?;
        }
        Ok(switched)
    }
}
