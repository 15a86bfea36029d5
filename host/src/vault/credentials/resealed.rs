//! The secrets as a table that is sealed anew when the account's data key is rotated.

use futures::future::BoxFuture;

use super::secret::TABLE;
use crate::db::{Db, DbError, credentials};
use crate::ids::AccountId;
use crate::vault::rotation::{SealedTable, SealedValue};

/// The versions of all credentials.
pub(in crate::vault) struct Secrets;

impl SealedTable for Secrets {
    fn table(&self) -> &'static str {
        TABLE
    }

    fn column(&self) -> &'static str {
        "secret"
    }

    fn values<'a>(&'a self, db: &'a Db, account: AccountId) -> BoxFuture<'a, Result<Vec<SealedValue>, DbError>> {
        Box::pin(async move {
            let sealed = credentials::sealed(db, account).await?;
            let value = |(id, version, sealed)| SealedValue { row: format!("{id}/{version}"), sealed };
            Ok(sealed.into_iter().map(value).collect())
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
            let (old, sealed) = (old.clone(), sealed.clone());
            Box::pin(async move {
                let (id, version) = old.row.split_once('/').ok_or_else(|| DbError::corrupt(&old.row))?;
                let version = version.parse().map_err(DbError::corrupt)?;
                credentials::reseal(tx, account, (id, version), &old.sealed, &sealed).await
            })
        }))
    }
}
