//! Email addresses: sealed where they are kept, and changed once the old and the new one have both confirmed it.

use super::links::LinkSecret;
use super::sealed::{open, seal};
use super::sign_up::LINK_MINUTES;
use super::{Account, Accounts, Purpose};
use crate::audit::{Act, Facts};
use crate::db::email_changes::EmailChange;
use crate::db::links::NewLink;
use crate::db::rights::{self, RightsKind, RightsState};
use crate::db::{DbError, email_changes, letters, links};
use crate::ids::{AccountId, ApiKeyId};
use crate::mail::{self, Letter};
use crate::vault::DataKey;

/// Letters to new addresses that an account can have sent in an hour.
const OF_AN_ACCOUNT: i64 = 5;

/// Letters that a new address gets in an hour, whichever accounts ask: whoever has nothing to do with them is left alone.
const TO_AN_ADDRESS: i64 = 3;

const HOUR_MS: i64 = 3_600_000;

/// The tables that hold addresses.
pub(super) const ACCOUNTS: &str = "accounts";
const CHANGES: &str = "email_changes";

/// Seals an account's address for its row of a table.
pub(super) fn sealed(id: AccountId, key: &DataKey, table: &'static str, email: &str) -> Result<Vec<u8>, DbError> {
    seal((id, key), (table, &id.to_string(), "email"), email)
}

/// Opens an account's address from its row of a table.
pub(super) fn opened(id: AccountId, key: &DataKey, table: &'static str, sealed: &[u8]) -> Result<String, DbError> {
    open((id, key), (table, &id.to_string(), "email"), sealed)
}

impl Accounts {
    /// Asks both addresses to confirm that the account's address changes. Nobody learns whether another account has
    /// the new one before its owner confirms, or whether others have written to it: past the letters that there are in an
    /// hour, no more are sent, and nothing else is told.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn change_email(&self, (account, by): (&Account, ApiKeyId), email: &str) -> Result<(), DbError> {
        let (id, at) = (account.id, self.clock.now());
        let (minutes, expires_at) = (LINK_MINUTES, at.plus_ms(i64::from(LINK_MINUTES) * 60_000));
        let (old, new) = (LinkSecret::generate()?, LinkSecret::generate()?);
        let config = self.config.now();
        let change = EmailChange {
            account: id,
            sealed_email: sealed(id, &account.data_key, CHANGES, email)?,
            email_lookup: self.keyring.email_lookup(email).to_vec(),
            old_confirmed: false,
            new_confirmed: false,
            expires_at,
        };
        let to_old = Letter::EmailChangeOld { link: old.link(&config), email: email.to_owned(), minutes };
        let to_new = Letter::EmailChangeNew { link: new.link(&config), minutes };
        let link =
            |secret: &LinkSecret, purpose| NewLink { digest: secret.digest(), account: id, purpose, at, expires_at };
        let mut to_new = mail::sealed(id, &account.data_key, email, to_new, at)?;
        to_new.stranger = Some(change.email_lookup.clone());
        let steps = [
            (link(&old, Purpose::OldEmail), mail::sealed(id, &account.data_key, &account.email()?, to_old, at)?),
            (link(&new, Purpose::NewEmail), to_new),
        ];
        let entry = self.own_act(account, Act::AskEmail, &Facts::of(email).with_key(by))?;
        self.db
            .write(move |tx| {
                let (change, steps, entry) = (change.clone(), steps.clone(), entry.clone());
                Box::pin(async move {
                    let since = at.plus_ms(-HOUR_MS);
                    let (sent, got) = letters::to_strangers(tx, id, &change.email_lookup, since).await?;
                    let quiet = sent >= OF_AN_ACCOUNT || got >= TO_AN_ADDRESS;
                    if quiet && email_changes::is_to(tx, &change, at).await? {
                        // The links that were sent for it work.
                        return Ok(());
                    }
                    tx.audit(entry);
                    email_changes::put(tx, &change).await?;
                    for (link, letter) in &steps {
                        // What was sent for another change must not confirm this one.
                        links::forget(tx, id, link.purpose).await?;
                        if !quiet {
                            links::put(tx, link).await?;
                            letters::put(tx, letter).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    pub(super) async fn confirm_email(&self, account: &Account, digest: [u8; 32], old: bool) -> Result<bool, DbError> {
        let (id, at) = (account.id, self.clock.now());
        let change = email_changes::get(&self.db, id, at).await?.ok_or(DbError::Missing("link"))?;
        let email = opened(id, &account.data_key, CHANGES, &change.sealed_email)?;
        let sealed = sealed(id, &account.data_key, ACCOUNTS, &email)?;
        let was = account.email()?;
        let facts = Facts { was: Some(was.clone()), ..Facts::of(&email) };
        let entry = self.own_act(account, Act::ChangeEmail, &facts)?;
        let letter = mail::sealed(id, &account.data_key, &was, Letter::EmailChanged { email }, at)?;
        self.db
            .write(move |tx| {
                let (change, sealed) = (change.clone(), sealed.clone());
                let (letter, entry) = (letter.clone(), entry.clone());
                Box::pin(async move {
                    links::take(tx, &digest).await?;
                    let both = email_changes::confirm(tx, id, old).await?;
                    if both {
                        tx.audit(entry);
                        email_changes::complete(tx, &change, &sealed).await?;
                        rights::register(tx, id, RightsKind::Correction, RightsState::Done, at).await?;
                        letters::put(tx, &letter).await?;
                    }
                    Ok(both)
                })
            })
            .await
    }

    /// The change of its address that an account waits for: the new address, and which of the two have confirmed.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer, or the address doesn't open.
    pub async fn email_change(&self, account: &Account) -> Result<Option<(String, EmailChange)>, DbError> {
        let change = email_changes::get(&self.db, account.id, self.clock.now()).await?;
        change
            .map(|change| Ok((opened(account.id, &account.data_key, CHANGES, &change.sealed_email)?, change)))
            .transpose()
    }
}
