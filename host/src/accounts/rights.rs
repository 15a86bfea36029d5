//! What owners say about their data: that it is not to be worked with, and that their use is not to be analysed.

use super::{Account, Accounts, sealed};
use crate::audit::{Act, Facts};
use crate::clock::Micros;
use crate::db::restrictions::{self, RestrictedBy};
use crate::db::{DbError, objections};
use crate::ids::{AccountId, ApiKeyId};

const TABLE: &str = "restrictions";

/// A restriction of an account.
#[derive(Clone, Debug)]
pub struct Restriction {
    /// Who asked for it.
    pub by: RestrictedBy,
    /// Why, if its owner said so.
    pub reason: Option<String>,
    /// Since when.
    pub since: Micros,
}

impl Accounts {
    /// The restrictions of an account; none when it is not restricted.
    ///
    /// # Errors
    /// [`DbError`] when a reason doesn't open.
    pub async fn restrictions(&self, account: &Account) -> Result<Vec<Restriction>, DbError> {
        let mut found = Vec::new();
        for stored in restrictions::of(&self.db, account.id).await? {
            let row = account.id.to_string();
            let reason = match &stored.sealed_reason {
                Some(sealed) => {
                    let open = |account: &Account| sealed::open(account.sealer(), reason_of(&row), sealed);
                    Some(self.opening(account, open).await?)
                }
                None => None,
            };
            found.push(Restriction { by: stored.by, reason, since: stored.at });
        }
        Ok(found)
    }

    /// Restricts an account for its owner: its data are kept and not worked with. No run starts from this commit on, on
    /// whatever host; those that run or wait are cancelled by the hosts' duties, within a second or two.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn restrict(&self, (account, by): (&Account, ApiKeyId), reason: Option<&str>) -> Result<(), DbError> {
        let entry = self.own_act(account, Act::Restrict, &Facts::default().with_key(by))?;
        let (id, at) = (account.id, self.clock.now());
        let row = id.to_string();
        let seal = |reason| sealed::seal(account.sealer(), reason_of(&row), reason);
        let sealed = reason.map(seal).transpose()?;
        self.db
            .write(move |tx| {
                let sealed = sealed.clone();
                tx.audit(entry.clone());
                Box::pin(async move { restrictions::put(tx, id, sealed.as_deref(), at).await })
            })
            .await
    }

    /// Lifts what the owner asked for; what an operator did stays.
    ///
    /// # Errors
    /// [`DbError::Missing`] when the owner did not ask for it.
    pub async fn lift_restriction(&self, (account, by): (&Account, ApiKeyId)) -> Result<(), DbError> {
        let (id, entry) = (account.id, self.own_act(account, Act::LiftRestriction, &Facts::default().with_key(by))?);
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(restrictions::lift(tx, id))
            })
            .await
    }

    /// Since when an account's owner objects to its use being analysed.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn objects_to_analysis(&self, account: AccountId) -> Result<Option<Micros>, DbError> {
        objections::since(&self.db, account).await
    }

    /// Takes an account's use out of what is analysed.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn object(&self, (account, by): (&Account, ApiKeyId)) -> Result<(), DbError> {
        let (id, at) = (account.id, self.clock.now());
        let entry = self.own_act(account, Act::Object, &Facts::default().with_key(by))?;
        self.db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    if objections::put(tx, id, at).await? {
                        tx.audit(entry);
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Lets an account's use be analysed again.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn withdraw_objection(&self, (account, by): (&Account, ApiKeyId)) -> Result<(), DbError> {
        let (id, entry) = (account.id, self.own_act(account, Act::WithdrawObjection, &Facts::default().with_key(by))?);
        self.db
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move {
                    if objections::withdraw(tx, id).await? {
                        tx.audit(entry);
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Where the reason of an account's restriction is.
fn reason_of(row: &str) -> (&'static str, &str, &'static str) {
    (TABLE, row, "reason")
}
