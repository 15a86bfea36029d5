//! Books what the processor tells: each fact in one commit, with what it moves and the letter that says so.
//!
//! Deliveries come in any order and more than once, so nothing here depends on what came before. A fact is taken when
//! it is newer than what is known of the same thing; what credits should be where then follows from the states alone,
//! and only the difference to what was booked is booked.

mod automatic;

use std::sync::Arc;

use super::money::Money;
use super::news::{Fact, PaymentFact, PaymentState, ReversalFact, ReversalState, TopUpState};
use crate::accounts::{Account, Accounts, Status};
use crate::clock::{Clock, Micros};
use crate::db::payments::{self, Bought, StoredPayment, StoredReversal};
use crate::db::{Db, DbError, WriteTx, auto_top_ups, ledger, letters, top_ups};
use crate::ids::{AccountId, ReversalId, TopUpId};
use crate::ledger::{Microcredits, Verb};
use crate::mail::{self, Letter};

/// Looks for whom a fact is about, before we say that it does not hold still.
const TRIES: u32 = 5;

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// Something changed.
    New,
    /// It was known, or something newer was.
    Known,
    /// It is about no top-up of ours.
    NotOurs,
    /// The same delivery was taken before.
    Repeated,
}

/// Books what the processor tells.
#[derive(Clone)]
pub struct Book {
    db: Db,
    accounts: Accounts,
    clock: Clock,
}

/// A fact, when it was so, and the delivery that told it.
struct Told {
    fact: Fact,
    at: Micros,
    now: Micros,
    delivery: Option<(String, String)>,
}

/// To whom letters go: an account that can still read them.
struct Reader {
    account: Account,
    email: String,
}

impl Book {
    /// Over a database.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, clock: Clock) -> Self {
        Self { db, accounts, clock }
    }

    /// Books a fact that was so at a moment; a delivery that was taken before does nothing.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer; nothing was written.
    pub async fn take(&self, fact: Fact, at: Micros, delivery: Option<(String, String)>) -> Result<Booked, DbError> {
        let told = Arc::new(Told { fact, at, now: self.clock.now(), delivery });
        let mut again = false;
        for _ in 0..TRIES {
            let account = match (&told.fact, about(&told.fact)) {
                (Fact::Mandate(fact), _) => auto_top_ups::account_of(&self.db, fact.reference).await?,
                (_, Some((payment, top_up))) => {
                    payments::bought_by(&self.db, payment, top_up).await?.map(|bought| bought.account)
                }
                _ => None,
            };
            let reader = match account {
                Some(account) => self.reader(account).await?.map(Arc::new),
                None => None,
            };
            let told = Arc::clone(&told);
            let booking = self.db.write(move |tx| {
                let (told, reader) = (Arc::clone(&told), reader.clone());
                Box::pin(async move { book(tx, &told, account, reader.as_deref()).await })
            });
            match booking.await {
                Ok(Some(booked)) => return Ok(booked),
                // It has just become known whose it is.
                Ok(None) => {}
                // A run of the same account may have been in the way on another host, each waiting for the other.
                Err(error) if error.may_pass() && !again => again = true,
                Err(error) => return Err(error),
            }
        }
        Err(DbError::Busy("what a payment is for changes all the time; try again"))
    }

    /// None for an account that is closed, or whose data key is gone: its money is booked all the same.
    async fn reader(&self, account: AccountId) -> Result<Option<Reader>, DbError> {
        let found = self.accounts.load_anywhere(account).await?.filter(|account| account.status != Status::Closed);
        found.map(|account| Ok(Reader { email: account.email()?, account })).transpose()
    }
}

/// The payment that a fact is about, and the top-up that it names.
fn about(fact: &Fact) -> Option<(&str, Option<TopUpId>)> {
    match fact {
        Fact::Payment(fact) => Some((&fact.id, fact.top_up)),
        Fact::Reversal(fact) => Some((&fact.payment, None)),
        Fact::Mandate(_) | Fact::Other => None,
    }
}

/// Books a fact. None, and nothing, when it is about another account than its letters would go to.
async fn book(
    tx: &mut WriteTx<'_>,
    told: &Told,
    account: Option<AccountId>,
    reader: Option<&Reader>,
) -> Result<Option<Booked>, DbError> {
    payments::alone(tx).await?;
    let about = about(&told.fact);
    let bought = match about {
        Some((id, top_up)) => payments::bought_in(tx, id, top_up).await?,
        None => None,
    };
    let is_mandate = matches!(told.fact, Fact::Mandate(_));
    if !is_mandate && bought.as_ref().map(|bought| bought.account) != account {
        return Ok(None);
    }
    if let Some((id, kind)) = &told.delivery
        && !payments::note_webhook(tx, (id, kind), account, told.now).await?
    {
        return Ok(Some(Booked::Repeated));
    }
    // What is no payment for credits leaves no row; of a refund nobody knows that before its payment is known.
    let payment = match about {
        Some((id, _)) if bought.is_some() || matches!(told.fact, Fact::Reversal(_)) => {
            Some(payments::told_of(tx, id).await?)
        }
        _ => None,
    };
    if let Some(bought) = &bought {
        ledger::lock(tx, bought.tenant).await?;
    }
    let mut entry = Entry { tx, told, reader };
    match (&told.fact, bought, payment) {
        (Fact::Payment(fact), Some(bought), Some(payment)) => entry.payment(fact, &bought, payment).await,
        (Fact::Reversal(fact), bought, Some(payment)) => entry.reversal(fact, bought.as_ref(), payment).await,
        (Fact::Mandate(fact), ..) => match account {
            Some(account) => entry.mandate(fact, account).await,
            None => Ok(Booked::NotOurs),
        },
        (Fact::Other, ..) => Ok(Booked::Known),
        _ => Ok(Booked::NotOurs),
    }
    .map(Some)
}

/// One fact on its way into the books.
struct Entry<'a, 'tx> {
    tx: &'a mut WriteTx<'tx>,
    told: &'a Told,
    reader: Option<&'a Reader>,
}

impl Entry<'_, '_> {
    async fn payment(&mut self, fact: &PaymentFact, bought: &Bought, before: StoredPayment) -> Result<Booked, DbError> {
        // What was paid was paid, whatever was told later.
        let newer =
            fact.state == PaymentState::Succeeded || (self.told.at, fact.state) > (before.told_at, before.state);
        if before.state == PaymentState::Succeeded || !newer {
            return Ok(Booked::Known);
        }
        payments::set(self.tx, fact, bought, self.told.at).await?;
        let money = Money { amount: fact.amount, currency: &fact.currency };
        match fact.state {
            PaymentState::Succeeded => self.credit(fact, bought, &money).await?,
            PaymentState::Failed if before.state != PaymentState::Failed => {
                let reason = fact.reason.clone().unwrap_or_else(|| "the processor gave no reason".to_owned());
                let (top_up, amount) = (bought.top_up.to_string(), money.to_string());
                self.write(Letter::PaymentFailed { top_up, amount, reason }).await?;
            }
            _ => {}
        }
        let payments = payments::of_top_up(self.tx, bought).await?;
        let states = payments.iter().map(|(state, credited)| TopUpState::with(*state, *credited > Microcredits::ZERO));
        let state = states.max().unwrap_or(TopUpState::Pending);
        let paid_at = (state == TopUpState::Paid).then_some(self.told.now);
        top_ups::set_state(self.tx, bought, state, paid_at).await?;
        self.automatic(bought, state).await?;
        Ok(if before.state == fact.state { Booked::Known } else { Booked::New })
    }

    /// Gives what was paid for, tax apart, at the price that the top-up was asked for at. What was paid in another
    /// currency has no price; the operator decides.
    async fn credit(&mut self, fact: &PaymentFact, bought: &Bought, paid: &Money<'_>) -> Result<(), DbError> {
        let net = i128::from(fact.amount.saturating_sub(fact.tax).max(0));
        let price = if fact.currency == bought.currency { bought.microcredits_per_minor_unit } else { 0 };
        let credited = i64::try_from(net * i128::from(price)).unwrap_or(i64::MAX).min(Microcredits::LARGEST_GRANT.0);
        let credited = Microcredits(credited);
        if credited == Microcredits::ZERO {
            tracing::error!(top_up = %bought.top_up, %paid, "it was paid in a way that has no price here");
            return Ok(());
        }
        // Nothing keeps somebody from paying twice in one checkout.
        let others = payments::of_top_up(self.tx, bought).await?;
        let earlier = others.iter().filter(|(_, credited)| *credited > Microcredits::ZERO).count();
        let subject = numbered(bought.top_up, earlier as u64 + 1);
        let (tenant, now) = (bought.tenant, self.told.now);
        let balance = ledger::pay_in(self.tx, tenant, (Verb::TopUp, &subject), credited, now).await?;
        payments::set_moved(self.tx, bought.account, &fact.id, (credited, Microcredits::ZERO)).await?;
        let (top_up, paid, available) = (bought.top_up.to_string(), paid.to_string(), balance.available);
        self.write(Letter::Receipt { top_up, paid, credits: credited, available }).await?;

        let mut payment = StoredPayment {
            state: fact.state,
            told_at: self.told.at,
            amount: fact.amount,
            currency: fact.currency.clone(),
            credited,
            taken: Microcredits::ZERO,
        };
        // What was told of it before its payment was.
        let mut gone = 0;
        for reversal in payments::reversals(self.tx, &fact.id).await? {
            gone += part(&payment, &reversal);
            self.settle(&fact.id, &mut payment, bought, gone, &reversal).await?;
        }
        Ok(())
    }

    async fn reversal(
        &mut self,
        fact: &ReversalFact,
        bought: Option<&Bought>,
        mut payment: StoredPayment,
    ) -> Result<Booked, DbError> {
        let known = payments::reversals(self.tx, &fact.payment).await?;
        let before = known.iter().find(|known| known.processor_id == fact.id);
        if before.is_some_and(|before| (self.told.at, fact.state) <= (before.told_at, before.state)) {
            return Ok(Booked::Known);
        }
        let id = before.map_or_else(ReversalId::generate, |before| before.id);
        let changed = before.is_none_or(|before| before.state != fact.state || before.amount != fact.amount);
        let account = bought.map(|bought| bought.account);
        payments::set_reversal(self.tx, id, fact, account, (self.told.at, self.told.now)).await?;
        let Some(bought) = bought else { return Ok(Booked::NotOurs) };
        let all = payments::reversals(self.tx, &fact.payment).await?;
        let gone = all.iter().map(|reversal| part(&payment, reversal)).sum();
        if let Some(reversal) = all.iter().find(|reversal| reversal.id == id) {
            self.settle(&fact.payment, &mut payment, bought, gone, reversal).await?;
        }
        Ok(if changed { Booked::New } else { Booked::Known })
    }

    /// Moves what is between what was taken back of a payment's credits and what should have been, now that so much
    /// of its amount is gone. Never more than it bought.
    async fn settle(
        &mut self,
        id: &str,
        payment: &mut StoredPayment,
        bought: &Bought,
        gone: i128,
        reversal: &StoredReversal,
    ) -> Result<(), DbError> {
        let whole = i128::from(payment.amount).max(1);
        let due = i128::from(payment.credited.0) * gone.min(whole) / whole;
        let due = Microcredits(i64::try_from(due).map_err(DbError::corrupt)?);
        let (subject, before) = (numbered(reversal.id, reversal.movements.unsigned_abs() + 1), payment.taken);
        if due == before {
            return Ok(());
        }
        let (tenant, now) = (bought.tenant, self.told.now);
        if due > before {
            let credits = due - before;
            let debt = ledger::take_back(self.tx, tenant, &subject, credits, now).await?.debt;
            self.write(Letter::Refunded { top_up: bought.top_up.to_string(), credits, debt }).await?;
        } else {
            ledger::pay_in(self.tx, tenant, (Verb::Restore, &subject), before - due, now).await?;
        }
        payment.taken = due;
        payments::set_moved(self.tx, bought.account, id, (payment.credited, due)).await?;
        payments::count_movement(self.tx, bought.account, reversal.id).await
    }

    async fn write(&mut self, letter: Letter) -> Result<(), DbError> {
        let Some(Reader { account, email }) = self.reader else { return Ok(()) };
        let letter = mail::sealed(account.id, &account.data_key, email, letter, self.told.now)?;
        letters::put(self.tx, &letter).await
    }
}

/// What of a payment's amount a refund or a dispute has taken. One of an amount that can't be compared takes all.
fn part(payment: &StoredPayment, reversal: &StoredReversal) -> i128 {
    if reversal.state != ReversalState::Taken {
        return 0;
    }
    let same = reversal.currency.as_ref().is_none_or(|currency| *currency == payment.currency);
    i128::from(reversal.amount.filter(|_| same).unwrap_or(payment.amount).max(0))
}

/// The subject of something's first, second, … movement.
fn numbered(id: impl std::fmt::Display, movement: u64) -> String {
    if movement <= 1 { id.to_string() } else { format!("{id}-{movement}") }
}
