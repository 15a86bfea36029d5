//! Links that work once. Of each only a digest of its secret is kept.

use sqlx::Row as _;

use super::{Db, DbError, WriteTx};
use crate::accounts::Purpose;
use crate::clock::Micros;
use crate::ids::AccountId;

/// How long it takes until another link of the same kind is sent, in milliseconds: nobody's mailbox is flooded.
const PAUSE_MS: i64 = 60_000;

/// A link to keep.
#[derive(Clone, Copy, Debug)]
pub struct NewLink {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// Whose it is.
    pub account: AccountId,
    /// What it does.
    pub purpose: Purpose,
    /// Now.
    pub at: Micros,
    /// From when on it does nothing.
    pub expires_at: Micros,
}

/// Keeps a link. False when one for the same purpose was sent just now.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, link: &NewLink) -> Result<bool, DbError> {
    let recent = sqlx::query("SELECT 1 FROM links WHERE account_id = $1 AND purpose = $2 AND created_at > $3 LIMIT 1")
        .bind(link.account.to_string())
        .bind(link.purpose.as_str())
        .bind(link.at.plus_ms(-PAUSE_MS).0)
        .fetch_optional(&mut **tx)
        .await?;
    if recent.is_some() {
        return Ok(false);
    }
    insert(tx, link).await?;
    Ok(true)
}

/// Keeps a link, in the place of those that the account has for the same purpose.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn replace(tx: &mut WriteTx<'_>, link: &NewLink) -> Result<(), DbError> {
    forget(tx, link.account, link.purpose).await?;
    insert(tx, link).await
}

/// Keeps a link.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, link: &NewLink) -> Result<(), DbError> {
    sqlx::query("INSERT INTO links (digest, account_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(link.digest.as_slice())
        .bind(link.account.to_string())
        .bind(link.purpose.as_str())
        .bind(link.at.0)
        .bind(link.expires_at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whose a link is and what it does, while it works; none of an account that is closed does.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, digest: &[u8; 32], now: Micros) -> Result<Option<(AccountId, Purpose)>, DbError> {
    let row = sqlx::query(
        "SELECT account_id, purpose FROM links JOIN accounts ON accounts.id = links.account_id
         WHERE digest = $1 AND expires_at > $2 AND status <> 'closed'",
    )
    .bind(digest.as_slice())
    .bind(now.0)
    .fetch_optional(&db.pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let account = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
    Ok(Some((account, row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?)))
}

/// Uses a link up.
///
/// # Errors
/// [`DbError::Missing`] when somebody has done so already.
pub async fn take(tx: &mut WriteTx<'_>, digest: &[u8; 32]) -> Result<(), DbError> {
    let done = sqlx::query("DELETE FROM links WHERE digest = $1").bind(digest.as_slice()).execute(&mut **tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("link")) }
}

/// Makes the other links of an account for a purpose useless.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn forget(tx: &mut WriteTx<'_>, account: AccountId, purpose: Purpose) -> Result<(), DbError> {
    sqlx::query("DELETE FROM links WHERE account_id = $1 AND purpose = $2")
        .bind(account.to_string())
        .bind(purpose.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
