//! API keys: of each only a digest is stored.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::sets::SetStatement;
use super::{Db, DbError, WriteTx};
use crate::accounts::Scopes;
use crate::clock::Micros;
use crate::ids::{AccountId, ApiKeyId};

/// An API key as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Where requests with it may come from; from anywhere when there are none.
    pub addresses: Vec<IpNet>,
    /// When it was made.
    pub created_at: Micros,
    /// From when on it is refused.
    pub expires_at: Option<Micros>,
    /// When a request last came with it, to within some seconds.
    pub last_used_at: Option<Micros>,
}

const COLUMNS: &str = "id, account_id, name, scopes, addresses, created_at, expires_at, last_used_at";

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
    let row = sqlx::query(
        "SELECT COUNT(*) FROM api_keys
         WHERE account_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(key.account.to_string())
    .bind(key.created_at.0)
    .fetch_one(&mut **tx)
    .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= most {
        return Err(DbError::Limit { limit: "api_keys", value: most });
    }
    let addresses: Vec<_> = key.addresses.iter().map(ToString::to_string).collect();
    sqlx::query(
        "INSERT INTO api_keys (id, account_id, name, digest, scopes, addresses, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.id.to_string())
    .bind(key.account.to_string())
    .bind(key.name.as_str())
    .bind(digest.as_slice())
    .bind(key.scopes.to_string())
    .bind(addresses.join(" "))
    .bind(key.created_at.0)
    .bind(key.expires_at.map(|at| at.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The key that a digest belongs to, unless it is revoked, with the digest as it is stored.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn api_key_by_digest(db: &Db, digest: &[u8; 32]) -> Result<Option<(StoredApiKey, Vec<u8>)>, DbError> {
    let text = format!("SELECT {COLUMNS}, digest FROM api_keys WHERE digest = $1 AND revoked_at IS NULL");
    let row = sqlx::query(AssertSqlSafe(text)).bind(digest.as_slice()).fetch_optional(&db.pool).await?;
    row.map(|row| Ok((stored_api_key(&row)?, row.try_get("digest")?))).transpose()
}

/// One of the account's keys, unless it is revoked.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn api_key(db: &Db, account: AccountId, key: ApiKeyId) -> Result<Option<StoredApiKey>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM api_keys WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL");
    let row = sqlx::query(AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(key.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_api_key).transpose()
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
    let text = format!(
        "SELECT {COLUMNS} FROM api_keys
         WHERE account_id = $1 AND revoked_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_api_key).collect()
}

/// Lets a key of the account end at a moment, if it would not end before.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such key.
pub async fn end_api_key(tx: &mut WriteTx<'_>, account: AccountId, key: ApiKeyId, at: Micros) -> Result<(), DbError> {
    let done = sqlx::query(
        "UPDATE api_keys SET expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END
         WHERE account_id = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(account.to_string())
    .bind(key.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("API key")) }
}

static USED: SetStatement = SetStatement::new(
    "WITH v (id, at) AS (VALUES {rows})
     UPDATE api_keys SET last_used_at = v.at FROM v
     WHERE api_keys.id = v.id AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < v.at)",
    2,
);

/// Notes when keys were last used. What is known already to be later stays.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note_used(tx: &mut WriteTx<'_>, used: &[(String, i64)]) -> Result<(), DbError> {
    USED.execute(tx, used, |query, (id, at)| query.bind(id.as_str()).bind(*at)).await?;
    Ok(())
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

fn stored_api_key(row: &AnyRow) -> Result<StoredApiKey, DbError> {
    let addresses: String = row.try_get("addresses")?;
    Ok(StoredApiKey {
        id: row.try_get::<String, _>("id")?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>("account_id")?.parse().map_err(DbError::corrupt)?,
        name: row.try_get("name")?,
        scopes: row.try_get::<String, _>("scopes")?.parse().map_err(DbError::corrupt)?,
        addresses: addresses.split_whitespace().map(str::parse).collect::<Result<_, _>>().map_err(DbError::corrupt)?,
        created_at: Micros(row.try_get("created_at")?),
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Micros),
        last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(Micros),
    })
}
