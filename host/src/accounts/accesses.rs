//! Looking at what an account has: an operator opens an access with a reason and for a time, each look is in the audit,
//! and the owner is told of the first.

use super::{Account, Accounts, Because};
use crate::audit::{Act, Actor, Facts, NewEntry};
use crate::db::accesses::{self, Access};
use crate::db::{DbError, letters};
use crate::ids::{AccessId, AccountId, OperatorKeyId};
use crate::mail::{self, Letter};

/// The longest that an access lasts, in minutes.
pub const MOST_ACCESS_MINUTES: u32 = 480;

impl Accounts {
    /// Opens an access to what an account has.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn open_access(
        &self,
        account: &Account,
        because: &Because,
        (minutes, contents): (u32, bool),
    ) -> Result<Access, DbError> {
        let at = self.clock.now();
        let until = at.plus_ms(i64::from(minutes) * 60_000);
        let access =
            Access { id: AccessId::generate(), account: account.id, operator: because.operator, contents, at, until };
        let facts = Facts { access: Some(access.id), contents: Some(contents), until: Some(until), ..Facts::default() };
        let entry = self.act((account.id, &account.data_key), because, Act::Access, facts)?;
        self.db
            .write(move |tx| {
                tx.audit(entry.clone());
                Box::pin(async move { accesses::insert(tx, &access).await })
            })
            .await?;
        Ok(access)
    }

    /// The access that an operator has to an account now.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn access(&self, account: AccountId, operator: OperatorKeyId) -> Result<Option<Access>, DbError> {
        accesses::open(&self.db, account, operator, self.clock.now()).await
    }

    /// Writes down what an operator is about to look at. The first time, the owner is told.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer.
    pub async fn note_look(&self, account: &Account, access: Access, what: String) -> Result<(), DbError> {
        let at = self.clock.now();
        let facts = Facts { access: Some(access.id), contents: Some(access.contents), ..Facts::of(what) };
        let about = Some((account.id, &account.data_key));
        let entry = NewEntry::new((Actor::Operator(access.operator), Act::Look, at), about, &facts)?;
        let told = Letter::DataLookedAt { at, until: access.until, contents: access.contents };
        let letter = mail::sealed(account.id, &account.data_key, &account.email()?, told, at)?;
        self.db
            .write(move |tx| {
                let (entry, letter) = (entry.clone(), letter.clone());
                Box::pin(async move {
                    tx.audit(entry);
                    if accesses::note_used(tx, access.id, at).await? {
                        letters::put(tx, &letter).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
