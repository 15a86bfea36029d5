//! Changes of email addresses, which both addresses confirm.

use sqlx::Row as _;

use super::{Db, DbError, WriteTx, accounts};
use crate::clock::Micros;
use crate::ids::AccountId;

/// A change that waits for both addresses.
#[derive(Clone, Debug)]
pub struct EmailChange {
    /// Whose address changes.
    pub account: AccountId,
    /// The new address, sealed.
    pub sealed_email: Vec<u8>,
    /// The keyed digest by which the new address is found.
    pub email_lookup: Vec<u8>,
    /// The old address has confirmed it.
    pub old_confirmed: bool,
    /// The new address has confirmed it.
    pub new_confirmed: bool,
    /// From when on it is forgotten.
    pub expires_at: Micros,
}

/// Begins a change, in the place of one that the account began before.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, change: &EmailChange) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO email_changes (account_id, sealed_email, email_lookup, confirmed_by_old, confirmed_by_new, expires_at)
         VALUES ($1, $2, $3, 0, 0, $4)
         ON CONFLICT (account_id) DO UPDATE
         SET sealed_email = $2, email_lookup = $3, confirmed_by_old = 0, confirmed_by_new = 0, expires_at = $4",
    )
    .bind(change.account.to_string())
    .bind(change.sealed_email.as_slice())
    .bind(change.email_lookup.as_slice())
    .bind(change.expires_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The change that an account waits for.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, now: Micros) -> Result<Option<EmailChange>, DbError> {
    let row = sqlx::query(
        "SELECT sealed_email, email_lookup, confirmed_by_old, confirmed_by_new, expires_at
         FROM email_changes WHERE account_id = $1 AND expires_at > $2",
    )
    .bind(account.to_string())
    .bind(now.0)
    .fetch_optional(&db.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(EmailChange {
        account,
        sealed_email: row.try_get(0)?,
        email_lookup: row.try_get(1)?,
        old_confirmed: row.try_get::<i64, _>(2)? != 0,
        new_confirmed: row.try_get::<i64, _>(3)? != 0,
        expires_at: Micros(row.try_get(4)?),
    }))
}

/// Whether an account waits for a change to the same address already.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn is_to(tx: &mut WriteTx<'_>, change: &EmailChange, now: Micros) -> Result<bool, DbError> {
    let found =
        sqlx::query("SELECT 1 FROM email_changes WHERE account_id = $1 AND email_lookup = $2 AND expires_at > $3")
            .bind(change.account.to_string())
            .bind(change.email_lookup.as_slice())
            .bind(now.0)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(found.is_some())
}

/// Notes that one of the addresses has confirmed. True when both have.
///
/// # Errors
/// [`DbError::Missing`] when there is no change.
pub async fn confirm(tx: &mut WriteTx<'_>, account: AccountId, old: bool) -> Result<bool, DbError> {
    let row = sqlx::query(
        "UPDATE email_changes
         SET confirmed_by_old = CASE WHEN $2 = 1 THEN 1 ELSE confirmed_by_old END,
             confirmed_by_new = CASE WHEN $2 = 1 THEN confirmed_by_new ELSE 1 END
         WHERE account_id = $1 RETURNING confirmed_by_old + confirmed_by_new",
    )
    .bind(account.to_string())
    .bind(i64::from(old))
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.ok_or(DbError::Missing("change of the email address"))?.try_get::<i64, _>(0)? == 2)
}

/// Does a change that both addresses have confirmed.
///
/// # Errors
/// [`DbError::Exists`] when another account has the new address.
pub async fn complete(tx: &mut WriteTx<'_>, change: &EmailChange, sealed: &[u8]) -> Result<(), DbError> {
    accounts::displace_pending(tx, &change.email_lookup).await?;
    let taken = sqlx::query("SELECT 1 FROM accounts WHERE email_lookup = $1 AND id <> $2")
        .bind(change.email_lookup.as_slice())
        .bind(change.account.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if taken.is_some() {
        return Err(DbError::Exists("an account with this email address"));
    }
    sqlx::query("UPDATE accounts SET sealed_email = $2, email_lookup = $3 WHERE id = $1")
        .bind(change.account.to_string())
        .bind(sealed)
        .bind(change.email_lookup.as_slice())
        .execute(&mut **tx)
        .await?;
    // What was sent to the old address opens nothing any more; whoever reads it there may still want no more of it.
    sqlx::query("DELETE FROM links WHERE account_id = $1 AND purpose <> 'unsubscribe'")
        .bind(change.account.to_string())
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM email_changes WHERE account_id = $1")
        .bind(change.account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
