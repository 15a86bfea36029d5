//! The wrapped data keys of accounts, each bound to its row.

use std::time::Duration;

use sqlx::Row as _;

use super::engine::DbEngine;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::faults;
use crate::ids::AccountId;
use crate::vault::Wrapped;

/// A wrapped data key in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDataKey {
    /// Whose it is.
    pub account: AccountId,
    /// The version of the data key.
    pub version: u32,
    /// The key.
    pub wrapped: Wrapped,
}

/// Adds a version of an account's data key.
///
/// # Errors
/// [`DbError::Exists`] when the account has this version already.
pub async fn insert(tx: &mut WriteTx<'_>, key: &StoredDataKey, at: Micros) -> Result<(), DbError> {
    let done = sqlx::query(
        "INSERT INTO data_keys (account_id, version, master_version, wrapped, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(key.account.to_string())
    .bind(i64::from(key.version))
    .bind(i64::from(key.wrapped.master_version))
    .bind(key.wrapped.bytes.as_slice())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Exists("this version of the data key")) }
}

/// How many data keys each master key wraps, by its version.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn counts(db: &Db) -> Result<Vec<(u32, u64)>, DbError> {
    let rows = sqlx::query("SELECT master_version, COUNT(*) FROM data_keys GROUP BY master_version")
        .fetch_all(&db.pool)
        .await?;
    rows.iter()
        .map(|row| {
            let version = u32::try_from(row.try_get::<i64, _>(0)?).map_err(DbError::corrupt)?;
            Ok((version, u64::try_from(row.try_get::<i64, _>(1)?).map_err(DbError::corrupt)?))
        })
        .collect()
}

/// Data keys that a master key below a version has wrapped, behind the given one; at most so many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn older(
    db: &Db,
    below: u32,
    after: Option<&StoredDataKey>,
    limit: i64,
) -> Result<Vec<StoredDataKey>, DbError> {
    let rows = sqlx::query(
        "SELECT account_id, version, master_version, wrapped FROM data_keys
         WHERE master_version < $1 AND (master_version, account_id, version) > ($2, $3, $4)
         ORDER BY master_version, account_id, version LIMIT $5",
    )
    .bind(i64::from(below))
    .bind(after.map_or(-1, |key| i64::from(key.wrapped.master_version)))
    .bind(after.map_or_else(String::new, |key| key.account.to_string()))
    .bind(after.map_or(0, |key| i64::from(key.version)))
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| {
            let number = |column: usize| -> Result<u32, DbError> {
                u32::try_from(row.try_get::<i64, _>(column)?).map_err(DbError::corrupt)
            };
            Ok(StoredDataKey {
                account: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
                version: number(1)?,
                wrapped: Wrapped { master_version: number(2)?, bytes: row.try_get(3)? },
            })
        })
        .collect()
}

/// Puts a data key's new wrapping in the place of the old one, if that is still there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn replace(tx: &mut WriteTx<'_>, old: &StoredDataKey, wrapped: &Wrapped) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE data_keys SET master_version = $4, wrapped = $5
         WHERE account_id = $1 AND version = $2 AND wrapped = $3",
    )
    .bind(old.account.to_string())
    .bind(i64::from(old.version))
    .bind(old.wrapped.bytes.as_slice())
    .bind(i64::from(wrapped.master_version))
    .bind(wrapped.bytes.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes every version of an account's data key. Their bytes are in the files until [`wipe`].
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn delete(tx: &mut WriteTx<'_>, account: AccountId) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM data_keys WHERE account_id = $1").bind(account.to_string());
    Ok(done.execute(&mut **tx).await?.rows_affected())
}

/// Removes the bytes of deleted data keys from the database's files.
///
/// SQLite has overwritten them in its pages (`secure_delete`); older pages are in the WAL until it is emptied.
/// PostgreSQL keeps deleted rows until the table is written anew; its own WAL goes as its settings say.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or readers were in the way for too long.
pub async fn wipe(db: &Db) -> Result<(), DbError> {
    faults::step();
    let mut connection = db.pool.acquire().await?;
    // Who waits for readers keeps others waiting, and a backup reads for minutes: it is tried again later.
    let (patient, usual, wipe) = match db.url.engine {
        DbEngine::Postgres => ("SET lock_timeout = '100ms'", "SET lock_timeout = 0", "VACUUM FULL data_keys"),
        DbEngine::Sqlite => {
            ("PRAGMA busy_timeout = 100", "PRAGMA busy_timeout = 10000", "PRAGMA wal_checkpoint(TRUNCATE)")
        }
    };
    sqlx::query(patient).execute(&mut *connection).await?;
    let mut wiped = Ok(false);
    for _ in 0..TRIES {
        wiped = match db.url.engine {
            DbEngine::Postgres => sqlx::query(wipe).execute(&mut *connection).await.map(|_| true),
            DbEngine::Sqlite => {
                sqlx::query(wipe).fetch_one(&mut *connection).await.and_then(|row| Ok(row.try_get::<i64, _>(0)? == 0))
            }
        };
        if matches!(wiped, Ok(true)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    sqlx::query(usual).execute(&mut *connection).await?;
    if wiped? { Ok(()) } else { Err(DbError::Busy("the WAL could not be emptied, since it is being read")) }
}

/// How often it is tried in a row, and what is between.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);
