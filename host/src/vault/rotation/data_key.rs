//! Rotating one account's data key, and destroying it.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{Rotation, RotationError};
use crate::accounts::Account;
use crate::audit::Actor;
use crate::db::{Db, DbError, Once, accounts, data_keys};
use crate::ids::AccountId;
use crate::vault::credentials::Secrets;
use crate::vault::{DataKey, Place, key_version};

/// A rotated data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotated {
    /// Whose it is.
    pub account: AccountId,
    /// The version that seals from now on.
    pub version: u32,
}

/// A sealed value in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// The row, as [`Place::row`] names it.
    pub row: String,
    /// The value.
    pub sealed: Vec<u8>,
}

/// A table whose values are sealed anew when the account's data key is rotated, since they are in use for as long
/// as the account wants. What is only looked up, as runs and their logs are, is opened by the version that sealed it;
/// logs are deleted by retention, runs are kept.
pub trait SealedTable: Send + Sync {
    /// The table, as [`Place::table`] names it.
    fn table(&self) -> &'static str;

    /// The column, as it was sealed.
    fn column(&self) -> &'static str;

    /// The account's values.
    fn values<'a>(&'a self, db: &'a Db, account: AccountId) -> BoxFuture<'a, Result<Vec<SealedValue>, DbError>>;

    /// Puts a value, sealed anew, in the place of the old one, if that is still there.
    fn replace<'a>(
        &'a self,
        db: &'a Db,
        account: AccountId,
        old: SealedValue,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, DbError>>;
}

/// The tables that are sealed anew: whoever adds such a table names it here, and does nothing else.
fn sealed_tables() -> Vec<Box<dyn SealedTable>> {
    vec![Box::new(Emails), Box::new(Secrets)]
}

impl Rotation {
    /// Adds a version to an account's data key, and seals anew what is kept for good. What it sealed before opens
    /// as before. After a crash in between, the same request made again seals the rest, and so does the next one.
    ///
    /// # Errors
    /// [`RotationError`] when there is no such account, it has too many versions, or the database doesn't answer.
    pub async fn rotate_data_key(
        &self,
        id: AccountId,
        by: Actor,
        once: Option<Once>,
    ) -> Result<Rotated, RotationError> {
        let version = self.accounts.add_data_key_version(&self.account(id).await?, by, once).await?;
        let account = self.account(id).await?;
        for table in sealed_tables() {
            reseal(&self.db, table.as_ref(), id, &account.data_key).await?;
        }
        Ok(Rotated { account: id, version })
    }

    /// Destroys an account's data key: what it sealed is unreadable from then on, for good, and in every copy of
    /// the database that lacks the table `data_keys`. False when there was none.
    ///
    /// # Errors
    /// [`DbError`] when the database doesn't answer. The key is destroyed, but for its bytes in the database's
    /// files, when only the last step failed; calling it again repeats that one.
    pub async fn destroy_data_key(&self, account: AccountId) -> Result<bool, DbError> {
        let deleted = self.db.write(move |tx| Box::pin(data_keys::delete(tx, account))).await?;
        data_keys::wipe(&self.db).await?;
        Ok(deleted > 0)
    }

    async fn account(&self, id: AccountId) -> Result<Account, DbError> {
        self.accounts.load(id).await?.ok_or(DbError::Missing("account"))
    }
}

/// Seals a table's values of an account under the newest version of its data key. A value that someone has
/// replaced meanwhile is looked at again.
async fn reseal(db: &Db, table: &dyn SealedTable, account: AccountId, key: &DataKey) -> Result<(), DbError> {
    let failed = DbError::sealed(table.table());
    let mut raced = true;
    while std::mem::take(&mut raced) {
        for old in table.values(db, account).await? {
            if key_version(&old.sealed).map_err(&failed)? >= key.version() {
                continue;
            }
            let seal = key.row(Place { account, table: table.table(), row: &old.row }).map_err(&failed)?;
            let value = Zeroizing::new(seal.open(table.column(), &old.sealed).map_err(&failed)?);
            let sealed = seal.seal(table.column(), &value).map_err(&failed)?;
            raced |= !table.replace(db, account, old, sealed).await?;
        }
    }
    Ok(())
}

/// The email address of the account.
struct Emails;

impl SealedTable for Emails {
    fn table(&self) -> &'static str {
        "accounts"
    }

    fn column(&self) -> &'static str {
        "email"
    }

    fn values<'a>(&'a self, db: &'a Db, account: AccountId) -> BoxFuture<'a, Result<Vec<SealedValue>, DbError>> {
        Box::pin(async move {
            let found = accounts::get(db, account).await?;
            Ok(found
                .into_iter()
                .map(|found| SealedValue { row: account.to_string(), sealed: found.sealed_email })
                .collect())
        })
    }

    fn replace<'a>(
        &'a self,
        db: &'a Db,
        account: AccountId,
        old: SealedValue,
        sealed: Vec<u8>,
    ) -> BoxFuture<'a, Result<bool, DbError>> {
        Box::pin(db.write(move |tx| {
            let (old, sealed) = (old.sealed.clone(), sealed.clone());
            Box::pin(async move { accounts::replace_email(tx, account, &old, &sealed).await })
        }))
    }
}
