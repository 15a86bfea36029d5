//! API keys and operator keys: of each only a digest is stored.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, ApiKeyId, OperatorKeyId};

/// An API key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Micros,
}

/// Stores a key's digest.
///
/// # Errors
/// [`DbError::Limit`] when the account has as many keys as it may have.
pub async fn insert_api_key(
    tx: &mut WriteTx<'_>,
    key: &StoredApiKey,
    digest: &[u8; 32],
    most: u64,
) -> Result<(), DbError> {
    let row = sqlx::query("SELECT COUNT(*) FROM api_keys WHERE account_id = $1 AND revoked_at IS NULL")
        .bind(key.account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= most {
        return Err(DbError::Limit { limit: "api_keys", value: most });
    }
    sqlx::query("INSERT INTO api_keys (id, account_id, name, digest, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(key.id.to_string())
        .bind(key.account.to_string())
        .bind(key.name.as_str())
        .bind(digest.as_slice())
        .bind(key.created_at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The key that a digest belongs to, unless it is revoked, with the digest as it is stored.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn api_key_by_digest(db: &Db, digest: &[u8; 32]) -> Result<Option<(StoredApiKey, Vec<u8>)>, DbError> {
    let row = sqlx::query(
        "SELECT id, account_id, name, created_at, digest FROM api_keys WHERE digest = $1 AND revoked_at IS NULL",
    )
    .bind(digest.as_slice())
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| Ok((stored_api_key(&row)?, row.try_get(4)?))).transpose()
}

/// The account's keys that are not revoked, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn api_keys(
    db: &Db,
    account: AccountId,
    before: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<StoredApiKey>, DbError> {
    let rows = sqlx::query(
        "SELECT id, account_id, name, created_at FROM api_keys
         WHERE account_id = $1 AND revoked_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3",
    )
    .bind(account.to_string())
    .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_api_key).collect()
}

/// Revokes a key of the account.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such key.
pub async fn revoke_api_key(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    key: ApiKeyId,
    at: Micros,
) -> Result<(), DbError> {
    let done =
        sqlx::query("UPDATE api_keys SET revoked_at = $3 WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL")
            .bind(account.to_string())
            .bind(key.to_string())
            .bind(at.0)
            .execute(&mut **tx)
            .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("API key")) }
}

/// Stores an operator key's digest.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert_operator_key(
    tx: &mut WriteTx<'_>,
    id: OperatorKeyId,
    name: &str,
    digest: &[u8; 32],
    at: Micros,
) -> Result<(), DbError> {
    sqlx::query("INSERT INTO operator_keys (id, name, digest, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id.to_string())
        .bind(name)
        .bind(digest.as_slice())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The operator key that a digest belongs to, unless it is revoked.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn operator_key_by_digest(db: &Db, digest: &[u8; 32]) -> Result<Option<OperatorKeyId>, DbError> {
    let row = sqlx::query("SELECT id FROM operator_keys WHERE digest = $1 AND revoked_at IS NULL")
        .bind(digest.as_slice())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

fn stored_api_key(row: &AnyRow) -> Result<StoredApiKey, DbError> {
    Ok(StoredApiKey {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        name: row.try_get(2)?,
        created_at: Micros(row.try_get(3)?),
    })
}
