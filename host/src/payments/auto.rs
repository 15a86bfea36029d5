//! Automatic top-ups: off unless an account asks for them and gives the processor a mandate on a page of its own. Then a
//! balance that falls below a threshold buys a top-up, once for each crossing and for no more in a month than was said.
//! Whatever does not go as it should switches them off, and a letter says why: nothing is paid on a guess.

use std::time::Duration;

use super::money::Money;
use super::news::{Fact, MandateFact, TopUpState};
use super::processor::{Charge, Mandate, MandateAsked, ProcessorError};
use super::{Asked, Checkout, PaymentError, Payments, WebhookError};
use crate::accounts::Account;
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::auto_top_ups::{self, StoredAutoTopUp};
use crate::db::top_ups::StoredTopUp;
use crate::db::{DbError, letters};
use crate::ids::{AccountId, ApiKeyId, AutoTopUpId, TopUpId};
use crate::ledger::Microcredits;
use crate::mail::{self, Letter};
use crate::statements::Month;
use crate::words::words;

/// How often it is looked whose balance has fallen.
const LOOKED_EVERY: Duration = Duration::from_secs(60);

/// How long a charge may be unheard of, in milliseconds: two nights, in each of which the processor is asked.
const SILENCE_MS: i64 = 2 * 86_400_000;

words! {
    /// Whether an account buys credits by itself.
    AutoTopUpState {
        /// The mandate is not given yet: its owner does that on the processor's page.
        Asked = "asked",
        /// Credits are bought when the balance falls below the threshold.
        On = "on",
        /// Nothing is bought.
        Off = "off",
    }
}

/// What an account asks for.
#[derive(Clone, Debug)]
pub struct AutoTopUpAsked {
    /// Below which balance something is bought, what runs hold counted in.
    pub threshold: Microcredits,
    /// What is paid then.
    pub top_up: Asked,
    /// The most that is paid in a month (UTC), in the currency's smallest unit.
    pub monthly_cap: i64,
}

impl Payments {
    /// Asks for automatic top-ups, in the place of what was asked for before. A mandate that is given already holds for
    /// another threshold, amount or cap, too; for another currency it is asked for anew.
    ///
    /// # Errors
    /// [`PaymentError`] says why not.
    pub async fn set_auto_top_up(
        &self,
        (account, by): (&Account, ApiKeyId),
        asked: AutoTopUpAsked,
    ) -> Result<StoredAutoTopUp, PaymentError> {
        if !self.seller()?.processor.takes_mandates() {
            return Err(PaymentError::NoMandates);
        }
        self.price(&asked.top_up)?;
        let AutoTopUpAsked { threshold, top_up: Asked { amount, currency }, monthly_cap } = asked;
        if monthly_cap < amount {
            let written = Money { amount, currency: &currency }.to_string();
            return Err(PaymentError::CapTooLow { amount: written });
        }
        let before = auto_top_ups::get(&self.db, account.id).await?;
        let kept = before.as_ref().filter(|before| before.state == AutoTopUpState::On && before.currency == currency);
        let (id, mandate) = match kept {
            Some(before) => (before.id, before.mandate.clone()),
            None => (AutoTopUpId::generate(), None),
        };
        let state = if mandate.is_some() { AutoTopUpState::On } else { AutoTopUpState::Asked };
        let mut auto = StoredAutoTopUp {
            id,
            account: account.id,
            state,
            threshold,
            amount,
            currency,
            monthly_cap,
            mandate,
            page: None,
            charging: None,
            off_because: None,
            changed_at: self.clock.now(),
        };
        let cap = Money { amount: auto.monthly_cap, currency: &auto.currency };
        let facts = Facts { amount: Some(threshold), ..Facts::of(format_args!("{cap} a month at most")) };
        let entry = self.accounts.own_act(account, Act::SetAutoTopUp, &facts.with_key(by))?;
        // Before the processor hears of it, so that no mandate can be for something that we don't know.
        let written = auto.clone();
        self.db
            .write(move |tx| {
                let written = written.clone();
                tx.audit(entry.clone());
                Box::pin(async move { auto_top_ups::put(tx, &written).await })
            })
            .await?;
        if auto.state == AutoTopUpState::On {
            return Ok(auto);
        }
        if let Some(mandate) = before.and_then(|before| before.mandate) {
            self.end_mandate(&mandate).await;
        }
        let wanted = MandateAsked { id, currency: auto.currency.clone(), email: account.email()? };
        match self.seller()?.processor.mandate(&wanted).await? {
            Mandate::Given(mandate) => {
                self.switch_on(account.id, id, mandate.clone()).await?;
                (auto.state, auto.mandate) = (AutoTopUpState::On, Some(mandate));
            }
            Mandate::Page(url) => {
                let (account, kept) = (account.id, url.clone());
                self.db
                    .write(move |tx| {
                        let kept = kept.clone();
                        Box::pin(async move { auto_top_ups::set_page(tx, account, id, &kept).await })
                    })
                    .await?;
                auto.page = Some(url);
            }
        }
        Ok(auto)
    }

    /// Switches automatic top-ups off, and ends the mandate: with an owner's key, or since the account is erased.
    ///
    /// # Errors
    /// [`PaymentError`] when the database doesn't answer.
    pub async fn end_auto_top_up(&self, account: &Account, by: Option<ApiKeyId>) -> Result<(), PaymentError> {
        let Some(auto) = auto_top_ups::get(&self.db, account.id).await? else { return Ok(()) };
        let (id, of, at) = (auto.id, account.id, self.clock.now());
        let entry = |by| self.accounts.own_act(account, Act::EndAutoTopUp, &Facts::default().with_key(by));
        let entry = by.map(entry).transpose()?;
        self.db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    if auto_top_ups::switch_off(tx, of, id, None, at).await?
                        && let Some(entry) = entry
                    {
                        tx.audit(entry);
                    }
                    Ok(())
                })
            })
            .await?;
        if let Some(mandate) = auto.mandate {
            self.end_mandate(&mandate).await;
        }
        Ok(())
    }

    /// Ends a mandate that is given, on a page that was still open, after its owner wanted it no more.
    ///
    /// # Errors
    /// [`WebhookError`] when that has to be tried again.
    pub(super) async fn end_unwanted(&self, given: &MandateFact) -> Result<(), WebhookError> {
        let Some(account) = auto_top_ups::account_of(&self.db, given.reference).await? else { return Ok(()) };
        let auto = auto_top_ups::get(&self.db, account).await?;
        let is_off = auto.is_some_and(|auto| auto.id == given.reference && auto.state == AutoTopUpState::Off);
        let Some(seller) = self.seller.as_ref().filter(|_| is_off) else { return Ok(()) };
        match seller.processor.end_mandate(&given.id).await {
            // It has ended already.
            Ok(()) | Err(ProcessorError::Refused { status: 400..500, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What is off here buys nothing, whether the processor hears of it or not.
    async fn end_mandate(&self, mandate: &str) {
        let Some(seller) = &self.seller else { return };
        if let Err(error) = seller.processor.end_mandate(mandate).await {
            tracing::warn!(mandate, %error, "the payment processor did not end a mandate that is not used any more");
        }
    }

    async fn switch_on(&self, account: AccountId, id: AutoTopUpId, mandate: String) -> Result<(), DbError> {
        let write = self.db.write(move |tx| {
            let mandate = mandate.clone();
            Box::pin(async move { auto_top_ups::switch_on(tx, account, id, &mandate).await })
        });
        write.await.map(drop)
    }

    /// Buys what is due, for as long as the host lives. Any number of hosts may do so at the same time.
    pub async fn top_up_by_itself(self: std::sync::Arc<Self>) {
        if self.seller.is_none() {
            return std::future::pending().await;
        }
        loop {
            if let Err(error) = self.top_up_due().await {
                tracing::warn!(%error, "automatic top-ups could not be looked after; it will be tried again");
            }
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }

    async fn top_up_due(&self) -> Result<(), DbError> {
        let now = self.clock.now();
        for auto in auto_top_ups::silent(&self.db, now.plus_ms(-SILENCE_MS)).await? {
            match self.switch_off(&auto, "nobody knows what became of the last payment").await {
                Err(error) if !error.may_pass() => {
                    tracing::error!(account = %auto.account, %error, "an automatic top-up could not be switched off");
                }
                switched => switched?,
            }
        }
        auto_top_ups::arm(&self.db).await?;
        for auto in auto_top_ups::due(&self.db, Month::of(now).begins()).await? {
            match self.buy(&auto, now).await {
                Err(PaymentError::Db(error)) if error.may_pass() => return Err(error),
                Err(error) => tracing::error!(account = %auto.account, %error, "an automatic top-up failed"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    async fn buy(&self, auto: &StoredAutoTopUp, now: Micros) -> Result<(), PaymentError> {
        let Some(account) = self.accounts.load(auto.account).await? else { return Ok(()) };
        let price = match self.price(&Asked { amount: auto.amount, currency: auto.currency.clone() }) {
            Ok(price) => price,
            Err(error) => return Ok(self.switch_off(auto, &error.to_string()).await?),
        };
        let Some(mandate) = &auto.mandate else { return Ok(()) };
        let top_up = StoredTopUp {
            id: TopUpId::generate(),
            account: account.id,
            state: TopUpState::Pending,
            amount: auto.amount,
            currency: auto.currency.clone(),
            microcredits_per_minor_unit: price.microcredits_per_minor_unit,
            checkout_url: None,
            created_at: now,
            paid_at: None,
            credited: Microcredits::ZERO,
            taken: Microcredits::ZERO,
        };
        let (claimed, written) = (auto.clone(), top_up.clone());
        let begun = self.db.write(move |tx| {
            let (auto, top_up) = (claimed.clone(), written.clone());
            Box::pin(async move { auto_top_ups::begin(tx, &auto, &top_up, Month::of(now).begins()).await })
        });
        if !begun.await? {
            return Ok(());
        }
        let wanted =
            Checkout { top_up: top_up.id, amount: top_up.amount, currency: top_up.currency, email: account.email()? };
        let because = match self.seller()?.processor.charge(mandate, &wanted).await {
            // What becomes of it is told by webhooks, as of any other payment.
            Ok(Charge::Begun) => return Ok(()),
            Ok(Charge::Told(fact)) => {
                self.book.take(Fact::Payment(fact), now, None).await?;
                return Ok(());
            }
            Err(ProcessorError::Refused { status: 400..500, .. }) => {
                let (account, top_up) = (account.id, wanted.top_up);
                self.db.write(move |tx| Box::pin(auto_top_ups::refused(tx, account, top_up))).await?;
                "the payment processor refused the payment"
            }
            Err(error) => {
                tracing::error!(top_up = %wanted.top_up, %error, "it is not known whether an automatic top-up was taken");
                "the payment processor did not say whether it took the payment; if it did, you get a receipt"
            }
        };
        Ok(self.switch_off(auto, because).await?)
    }

    async fn switch_off(&self, auto: &StoredAutoTopUp, because: &str) -> Result<(), DbError> {
        let (id, of, at) = (auto.id, auto.account, self.clock.now());
        let letter = match self.accounts.load(of).await? {
            Some(account) => {
                let letter = Letter::AutoTopUpOff { reason: because.to_owned() };
                Some(mail::sealed(of, &account.data_key, &account.email()?, letter, at)?)
            }
            None => None,
        };
        let because = because.to_owned();
        self.db
            .write(move |tx| {
                let (because, letter) = (because.clone(), letter.clone());
                Box::pin(async move {
                    let switched = auto_top_ups::switch_off(tx, of, id, Some(&because), at).await?;
                    match letter {
                        Some(letter) if switched => letters::put(tx, &letter).await,
                        _ => Ok(()),
                    }
                })
            })
            .await?;
        if let Some(mandate) = &auto.mandate {
            self.end_mandate(mandate).await;
        }
        Ok(())
    }
}
