//! What operators do to accounts, each with its reason, and what the audit says of it and of what owners do.

use std::collections::HashMap;
use std::collections::hash_map;

use super::{Account, Accounts, Status};
use crate::audit::{Act, Actor, Entry, Facts, NewEntry};
use crate::db::{DbError, Once, ledger, letters, restrictions};
use crate::ids::{AccountId, AdjustmentId, GrantId, LetterId, OperatorKeyId};
use crate::ledger::{Microcredits, Verb};
use crate::vault::DataKey;

/// An entry of the audit, with what it says.
pub struct Told {
    /// The entry.
    pub entry: Entry,
    /// The account that it is about.
    pub account: Option<AccountId>,
    /// What it says; nothing once that is erased.
    pub facts: Facts,
}

/// Who does something, and why.
#[derive(Clone, Debug)]
pub struct Because {
    /// The key that it is done with.
    pub operator: OperatorKeyId,
    /// Why.
    pub reason: String,
}

impl Accounts {
    /// What the audit says of something that an operator does to an account.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub fn act(
        &self,
        about: (AccountId, &DataKey),
        because: &Because,
        act: Act,
        facts: Facts,
    ) -> Result<NewEntry, DbError> {
        let facts = Facts { reason: Some(because.reason.clone()), ..facts };
        NewEntry::new((Actor::Operator(because.operator), act, self.clock.now()), Some(about), &facts)
    }

    /// What the audit says of something that an operator does to no account.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub(super) fn act_on_all(&self, because: &Because, act: Act, facts: Facts) -> Result<NewEntry, DbError> {
        let facts = Facts { reason: Some(because.reason.clone()), ..facts };
        NewEntry::new((Actor::Operator(because.operator), act, self.clock.now()), None, &facts)
    }

    /// What the audit says of something that an owner does.
    ///
    /// # Errors
    /// [`DbError`] when there is no randomness to be had.
    pub(crate) fn own_act(&self, account: &Account, act: Act, facts: &Facts) -> Result<NewEntry, DbError> {
        let about = Some((account.id, &account.data_key));
        NewEntry::new((Actor::Owner, act, self.clock.now()), about, facts)
    }

    /// What entries say, as far as they are not erased: each with the account that it is about.
    ///
    /// # Errors
    /// [`DbError`] when something doesn't open.
    pub async fn told(&self, entries: Vec<Entry>) -> Result<Vec<Told>, DbError> {
        let mut accounts = HashMap::new();
        let mut told = Vec::with_capacity(entries.len());
        for entry in entries {
            let about = entry.content.as_ref().and_then(|content| content.account.as_deref());
            let about: Option<AccountId> = about.map(str::parse).transpose().map_err(DbError::corrupt)?;
            let account = match about {
                Some(id) => match accounts.entry(id) {
                    hash_map::Entry::Occupied(known) => known.into_mut(),
                    hash_map::Entry::Vacant(unknown) => {
                        // One that is closed is about to be erased.
                        let found = self.load(id).await?.filter(|account| account.status != Status::Closed);
                        unknown.insert(found)
                    }
                }
                .as_ref(),
                None => None,
            };
            let id = entry.id.parse().map_err(DbError::corrupt)?;
            let facts = match &entry.content {
                Some(content) => content.facts(id, account.map(|account| (account.id, &account.data_key)))?,
                None => Facts::default(),
            };
            told.push(Told { entry, account: about, facts });
        }
        Ok(told)
    }

    /// Sets an account's status.
    ///
    /// # Errors
    /// [`DbError::Missing`] when there is no such account.
    pub async fn set_status(&self, account: &Account, status: Status, because: &Because) -> Result<(), DbError> {
        let act = self.act((account.id, &account.data_key), because, Act::Status, Facts::of(status))?;
        let id = account.id;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let at = act.at;
                    tx.audit(act);
                    restrictions::change_status(tx, id, status, at).await
                })
            })
            .await
    }

    /// Lets a letter of the account that was given up be tried again. False when it was not given up.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn resend(&self, account: &Account, letter: LetterId, because: &Because) -> Result<bool, DbError> {
        let act = self.act((account.id, &account.data_key), because, Act::Resend, Facts::of(letter))?;
        self.db
            .write(move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let waits = letters::resend(tx, letter, act.at).await?;
                    if waits {
                        tx.audit(act);
                    }
                    Ok(waits)
                })
            })
            .await
    }

    /// Writes down what somebody does to no account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn note_act(&self, actor: Actor, act: Act, facts: &Facts) -> Result<(), DbError> {
        self.note(NewEntry::new((actor, act, self.clock.now()), None, facts)?).await
    }

    /// Writes down an entry of the audit by itself.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub(crate) async fn note(&self, entry: NewEntry) -> Result<(), DbError> {
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(async { Ok(()) })
            })
            .await
    }

    /// Gives credits to an account.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or the balance would pass what the ledger can hold.
    pub async fn grant(
        &self,
        account: &Account,
        amount: Microcredits,
        because: &Because,
        once: Option<Once>,
    ) -> Result<GrantId, DbError> {
        let (grant, tenant, at) = (GrantId::generate(), account.tenant, self.clock.now());
        let act = self.act(
            (account.id, &account.data_key),
            because,
            Act::Grant,
            Facts { amount: Some(amount), ..Facts::of(grant) },
        )?;
        self.write_once(once, (account.id, &account.data_key), grant.to_string(), grant, move |tx| {
            let act = act.clone();
            Box::pin(async move {
                tx.audit(act);
                ledger::pay_in(tx, tenant, (Verb::Grant, &grant.to_string()), amount, at).await.map(drop)
            })
        })
        .await
    }

    /// Corrects an account's balance, upwards or downwards. A debt is paid first; no more is taken than is there.
    ///
    /// # Errors
    /// [`DbError::Insufficient`] when less is there.
    pub async fn adjust(
        &self,
        account: &Account,
        amount: Microcredits,
        because: &Because,
        once: Option<Once>,
    ) -> Result<AdjustmentId, DbError> {
        let (id, tenant, at) = (AdjustmentId::generate(), account.tenant, self.clock.now());
        let act = self.act(
            (account.id, &account.data_key),
            because,
            Act::Adjust,
            Facts { amount: Some(amount), ..Facts::of(id) },
        )?;
        self.write_once(once, (account.id, &account.data_key), id.to_string(), id, move |tx| {
            let act = act.clone();
            Box::pin(async move {
                tx.audit(act);
                let subject = id.to_string();
                if amount < Microcredits::ZERO {
                    ledger::adjust_down(tx, tenant, &subject, Microcredits::ZERO - amount, at).await?;
                } else {
                    ledger::pay_in(tx, tenant, (Verb::AdjustUp, &subject), amount, at).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
