//! Top-ups: what an account asks to buy. A top-up is written before the processor hears of it, so that whatever is
//! paid finds it, and whoever asks again with the same key after a failure goes on where it stopped.

use super::money::{Money, is_currency};
use super::{Checkout, PaymentError, Payments, TopUpState};
use crate::accounts::Account;
use crate::config::CreditPrice;
use crate::db::top_ups::{self, StoredTopUp};
use crate::db::{DbError, Once};
use crate::ids::TopUpId;
use crate::ledger::Microcredits;

/// What an account wants to pay.
#[derive(Clone, Debug)]
pub struct Asked {
    /// In the currency's smallest unit.
    pub amount: i64,
    /// The currency's code.
    pub currency: String,
}

impl Payments {
    /// Makes a top-up, and a page where it is paid.
    ///
    /// # Errors
    /// [`PaymentError`] says why there is none.
    pub async fn top_up(
        &self,
        account: &Account,
        asked: Asked,
        once: Option<Once>,
    ) -> Result<StoredTopUp, PaymentError> {
        let price = self.price(&asked)?;
        let fresh = StoredTopUp {
            id: TopUpId::generate(),
            account: account.id,
            state: TopUpState::Pending,
            amount: asked.amount,
            currency: asked.currency,
            microcredits_per_minor_unit: price.microcredits_per_minor_unit,
            checkout_url: None,
            created_at: self.clock.now(),
            paid_at: None,
            credited: Microcredits::ZERO,
            taken: Microcredits::ZERO,
        };
        let written = fresh.clone();
        let earlier = self
            .db
            .write(move |tx| {
                let (fresh, once) = (fresh.clone(), once.clone());
                Box::pin(async move { top_ups::insert(tx, &fresh, once.as_ref()).await })
            })
            .await?;
        let mut top_up = match earlier {
            None => written,
            Some(earlier) => {
                let id = earlier.subject.parse().map_err(DbError::corrupt)?;
                top_ups::get(&self.db, account.id, id).await?.ok_or(DbError::Missing("top-up"))?
            }
        };
        if top_up.checkout_url.is_none() && top_up.state == TopUpState::Pending {
            top_up.checkout_url = Some(self.checkout(account, &top_up).await?);
        }
        Ok(top_up)
    }

    pub(super) fn price(&self, asked: &Asked) -> Result<CreditPrice, PaymentError> {
        let prices = &self.seller()?.prices;
        let price = prices.get(&asked.currency).filter(|_| is_currency(&asked.currency)).copied();
        let price = price.ok_or_else(|| PaymentError::Currency {
            given: asked.currency.clone(),
            offered: prices.keys().cloned().collect(),
        })?;
        if !(price.minimum..=price.maximum).contains(&asked.amount) {
            let written = |amount| Money { amount, currency: &asked.currency }.to_string();
            return Err(PaymentError::Amount { least: written(price.minimum), most: written(price.maximum) });
        }
        Ok(price)
    }

    async fn checkout(&self, account: &Account, top_up: &StoredTopUp) -> Result<String, PaymentError> {
        let wanted = Checkout {
            top_up: top_up.id,
            amount: top_up.amount,
            currency: top_up.currency.clone(),
            email: account.email()?,
        };
        let url = self.seller()?.processor.checkout(&wanted).await?;
        let (account, id, kept) = (account.id, top_up.id, url.clone());
        self.db
            .write(move |tx| {
                let kept = kept.clone();
                Box::pin(async move { top_ups::set_checkout(tx, account, id, &kept).await })
            })
            .await?;
        Ok(url)
    }
}
