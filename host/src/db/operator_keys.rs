//! Keys of operators: of each only a digest is stored.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError, WriteTx};
use crate::accounts::Role;
use crate::clock::Micros;
use crate::ids::OperatorKeyId;

/// A key of an operator as it is stored.
#[derive(Clone, Debug)]
pub struct StoredOperatorKey {
    /// The key's id.
    pub id: OperatorKeyId,
    /// Whose it is, or what for.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// When it was made.
    pub created_at: Micros,
    /// Since when it works no longer.
    pub revoked_at: Option<Micros>,
}

/// Stores a key's digest.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, key: &StoredOperatorKey, digest: &[u8; 32]) -> Result<(), DbError> {
    sqlx::query("INSERT INTO operator_keys (id, name, role, digest, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(key.id.to_string())
        .bind(key.name.as_str())
        .bind(key.role.as_str())
        .bind(digest.as_slice())
        .bind(key.created_at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The key that a digest belongs to, unless it is revoked.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn by_digest(db: &Db, digest: &[u8; 32]) -> Result<Option<(OperatorKeyId, Role)>, DbError> {
    let row = sqlx::query("SELECT id, role FROM operator_keys WHERE digest = $1 AND revoked_at IS NULL")
        .bind(digest.as_slice())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| Ok((parsed(&row, 0)?, role(&row, 1)?))).transpose()
}

/// All keys, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<OperatorKeyId>, limit: i64) -> Result<Vec<StoredOperatorKey>, DbError> {
    let rows = sqlx::query(
        "SELECT id, name, role, created_at, revoked_at FROM operator_keys WHERE id < $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    let stored = |row: &AnyRow| {
        Ok(StoredOperatorKey {
            id: parsed(row, 0)?,
            name: row.try_get(1)?,
            role: role(row, 2)?,
            created_at: Micros(row.try_get(3)?),
            revoked_at: row.try_get::<Option<i64>, _>(4)?.map(Micros),
        })
    };
    rows.iter().map(stored).collect()
}

/// Revokes a key.
///
/// # Errors
/// [`DbError::Missing`] when there is no such key, and [`DbError::InUse`] when it is the last one of an admin: nobody
/// could make another.
pub async fn revoke(tx: &mut WriteTx<'_>, key: OperatorKeyId, at: Micros) -> Result<(), DbError> {
    // Two admins that revoke each other at once wait for one another here.
    sqlx::query("UPDATE operator_keys SET role = role WHERE role = 'admin'").execute(&mut **tx).await?;
    let done = sqlx::query("UPDATE operator_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(key.to_string())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() != 1 {
        return Err(DbError::Missing("operator's key"));
    }
    let left = sqlx::query("SELECT 1 FROM operator_keys WHERE role = 'admin' AND revoked_at IS NULL LIMIT 1")
        .fetch_optional(&mut **tx)
        .await?;
    if left.is_some() { Ok(()) } else { Err(DbError::InUse(vec!["the keys of operators".to_owned()])) }
}

fn parsed(row: &AnyRow, column: usize) -> Result<OperatorKeyId, DbError> {
    row.try_get::<String, _>(column)?.parse().map_err(DbError::corrupt)
}

fn role(row: &AnyRow, column: usize) -> Result<Role, DbError> {
    row.try_get::<String, _>(column)?.parse().map_err(DbError::corrupt)
}
