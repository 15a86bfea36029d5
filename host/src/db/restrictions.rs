//! Restrictions: who asked for an account's data to be kept and not worked with. They and the status of an account
//! change together, here: it is restricted while anybody asks for it, and each lifts only what it asked for.

use sqlx::Row as _;

use super::accounts::lock;
use super::rights::{self, RightsKind, RightsState};
use super::{Db, DbError, WriteTx, erasures};
use crate::accounts::Status;
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::words::words;

words! {
    /// Who restricted an account.
    RestrictedBy {
        /// Its owner, who alone lifts it.
        Owner = "owner",
        /// An operator, who alone lifts it.
        Operator = "operator",
    }
}

/// A restriction.
#[derive(Clone, Debug)]
pub struct StoredRestriction {
    /// Who asked for it.
    pub by: RestrictedBy,
    /// Why, sealed, if its owner said so.
    pub sealed_reason: Option<Vec<u8>>,
    /// Since when.
    pub at: Micros,
}

/// The restrictions of an account; none when it is not restricted.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of(db: &Db, account: AccountId) -> Result<Vec<StoredRestriction>, DbError> {
    let text = "SELECT set_by, sealed_reason, created_at FROM restrictions WHERE account_id = $1 ORDER BY created_at";
    let rows = sqlx::query(text).bind(account.to_string()).fetch_all(&db.pool).await?;
    rows.iter()
        .map(|row| {
            let word: String = row.try_get(0)?;
            let by = RestrictedBy::of_word(&word);
            let by = by.ok_or_else(|| DbError::corrupt(format!("the unknown word `{word}` for who restricts")))?;
            Ok(StoredRestriction { by, sealed_reason: row.try_get(1)?, at: Micros(row.try_get(2)?) })
        })
        .collect()
}

/// Restricts an account for its owner. Asked for again, it goes on since when it did, with the reason that is given now.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn put(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    sealed_reason: Option<&[u8]>,
    at: Micros,
) -> Result<(), DbError> {
    let status = lock(tx, account).await?;
    let known = sqlx::query("SELECT 1 FROM restrictions WHERE account_id = $1 AND set_by = 'owner'");
    let is_new = known.bind(account.to_string()).fetch_optional(&mut **tx).await?.is_none();
    insert(tx, account, RestrictedBy::Owner, sealed_reason, at).await?;
    if is_new {
        rights::register(tx, account, RightsKind::Restriction, RightsState::Done, at).await?;
    }
    settle(tx, account, status).await
}

/// Lifts what the owner of an account asked for.
///
/// # Errors
/// [`DbError::Missing`] when the owner did not ask for it.
pub async fn lift(tx: &mut WriteTx<'_>, account: AccountId) -> Result<(), DbError> {
    let status = lock(tx, account).await?;
    if !delete(tx, account, RestrictedBy::Owner).await? {
        return Err(DbError::Missing("restriction by the account's owner"));
    }
    settle(tx, account, status).await
}

/// Gives an account another status, as an operator wants. One that is being deleted stays so, and has the status only if
/// its owner thinks again.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account, or its erasure has begun.
pub async fn change_status(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    status: Status,
    at: Micros,
) -> Result<(), DbError> {
    if lock(tx, account).await? == Status::Closed {
        return Err(DbError::Missing("account"));
    }
    if status == Status::Restricted {
        insert(tx, account, RestrictedBy::Operator, None, at).await?;
    } else {
        delete(tx, account, RestrictedBy::Operator).await?;
    }
    if erasures::set_status_before(tx, account, status).await? {
        return Ok(());
    }
    settle(tx, account, status).await
}

/// Gives an account that is locked the status that it has but for its restrictions.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn settle(tx: &mut WriteTx<'_>, account: AccountId, status: Status) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE accounts SET status = CASE
             WHEN $2 NOT IN ('active', 'restricted') THEN $2
             WHEN EXISTS (SELECT 1 FROM restrictions WHERE account_id = $1) THEN 'restricted'
             ELSE 'active' END
         WHERE id = $1",
    )
    .bind(account.to_string())
    .bind(status.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    by: RestrictedBy,
    sealed_reason: Option<&[u8]>,
    at: Micros,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO restrictions (account_id, set_by, sealed_reason, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (account_id, set_by) DO UPDATE SET sealed_reason = $3",
    )
    .bind(account.to_string())
    .bind(by.as_str())
    .bind(sealed_reason)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn delete(tx: &mut WriteTx<'_>, account: AccountId, by: RestrictedBy) -> Result<bool, DbError> {
    let done = sqlx::query("DELETE FROM restrictions WHERE account_id = $1 AND set_by = $2")
        .bind(account.to_string())
        .bind(by.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}
