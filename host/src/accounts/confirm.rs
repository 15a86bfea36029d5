//! What the links of letters do, once somebody opens them.

use super::links::LinkSecret;
use super::{Account, Accounts, ApiKey, Needs, NewKey, Purpose};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::{DbError, accounts, keys, ledger, letters, links};
use crate::ids::{AccountId, GrantId};
use crate::ledger::{Microcredits, Verb};
use crate::mail::{self, Letter};

/// What a link did.
pub enum Confirmed {
    /// The account is active, and this is its first key.
    Account(ApiKey),
    /// The account has another key.
    Key(ApiKey),
    /// One of the addresses has confirmed the change; the other one has not yet.
    OneAddress,
    /// The address has changed.
    Email,
    /// The account is deleted at this moment, unless its owner thinks again.
    Closing(Micros),
    /// No more letters come that nobody has to get.
    Unsubscribed,
}

impl Accounts {
    /// What a link does, while it works: to be shown before it is done.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn link_purpose(&self, link: &LinkSecret) -> Result<Option<Purpose>, DbError> {
        Ok(links::get(&self.db, &link.digest(), self.clock.now()).await?.map(|(_, purpose)| purpose))
    }

    /// Does what a link is for, and uses it up.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the link was used, is over, or never was one.
    pub async fn confirm(&self, link: &LinkSecret) -> Result<(AccountId, Confirmed), DbError> {
        let digest = link.digest();
        let found = links::get(&self.db, &digest, self.clock.now()).await?;
        let (id, purpose) = found.ok_or(DbError::Missing("link"))?;
        let account = self.load(id).await?.ok_or(DbError::Missing("account"))?;
        let done = match purpose {
            Purpose::Confirm => Confirmed::Account(self.activate(&account, digest).await?),
            Purpose::SignIn => Confirmed::Key(self.sign_in(&account, digest).await?),
            // It has a page of its own.
            Purpose::Export => return Err(DbError::Missing("link")),
            Purpose::Unsubscribe => {
                self.unsubscribe(&account, digest).await?;
                Confirmed::Unsubscribed
            }
            Purpose::Delete => Confirmed::Closing(self.close(&account, digest).await?),
            Purpose::OldEmail | Purpose::NewEmail if !account.status.allows(Needs::ToManage) => {
                return Err(DbError::Missing("link"));
            }
            Purpose::OldEmail | Purpose::NewEmail => {
                let both = self.confirm_email(&account, digest, purpose == Purpose::OldEmail).await?;
                if both { Confirmed::Email } else { Confirmed::OneAddress }
            }
        };
        Ok((id, done))
    }

    /// Closes an account, which is erased later.
    async fn close(&self, account: &Account, digest: [u8; 32]) -> Result<Micros, DbError> {
        let closing = self.closing(account)?;
        let due_at = closing.new.due_at;
        self.db
            .write(move |tx| {
                let closing = closing.clone();
                Box::pin(async move { closing.write(tx, &digest).await })
            })
            .await?;
        Ok(self.closes_at(account.id).await?.unwrap_or(due_at))
    }

    /// Makes a pending account active, with its first key and the grant that its plan begins with.
    async fn activate(&self, account: &Account, digest: [u8; 32]) -> Result<ApiKey, DbError> {
        let (id, tenant, at) = (account.id, account.tenant, self.clock.now());
        let (key, secret) = self.fresh_api_key(id, NewKey::first())?;
        let amount =
            self.config.now().plan(&account.plan).map_or(Microcredits::ZERO, |plan| plan.starting_grant_microcredits);
        let (key_digest, grant) = (secret.digest(), GrantId::generate().to_string());
        let entry = self.own_act(account, Act::Open, &Facts::of(key.id))?;
        self.db
            .write(move |tx| {
                let (key, grant, entry) = (key.clone(), grant.clone(), entry.clone());
                Box::pin(async move {
                    accounts::lock(tx, id).await?;
                    links::take(tx, &digest).await?;
                    links::forget(tx, id, Purpose::Confirm).await?;
                    accounts::activate(tx, id, at).await?;
                    tx.audit(entry);
                    keys::insert_api_key(tx, &key, &key_digest, u64::MAX).await?;
                    if amount > Microcredits::ZERO {
                        ledger::pay_in(tx, tenant, (Verb::Grant, &grant), amount, at).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(secret)
    }

    /// Makes a key for whoever has the account's mail, and tells so. It counts under no limit: all others may be lost.
    async fn sign_in(&self, account: &Account, digest: [u8; 32]) -> Result<ApiKey, DbError> {
        let (id, at) = (account.id, self.clock.now());
        let name = "made by a link".to_owned();
        let (key, secret) = self.fresh_api_key(id, NewKey { name: name.clone(), ..NewKey::first() })?;
        let letter = mail::sealed(id, &account.data_key, &account.email()?, Letter::NewSignIn { key: name, at }, at)?;
        let (key_digest, entry) = (secret.digest(), self.own_act(account, Act::SignIn, &Facts::of(key.id))?);
        self.db
            .write(move |tx| {
                let (key, letter, entry) = (key.clone(), letter.clone(), entry.clone());
                Box::pin(async move {
                    links::take(tx, &digest).await?;
                    links::forget(tx, id, Purpose::SignIn).await?;
                    tx.audit(entry);
                    keys::insert_api_key(tx, &key, &key_digest, u64::MAX).await?;
                    letters::put(tx, &letter).await
                })
            })
            .await?;
        Ok(secret)
    }
}
