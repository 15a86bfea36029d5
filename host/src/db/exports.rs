//! Exports: copies of what is kept of an account, in sealed parts.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::kept_back::kept_back;
use super::pace::Pace;
use super::region::served;
use super::retention::in_batches;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, ExportId};
use crate::words::words;

/// Parts of one commit that deletes them: each is large.
const PARTS: i64 = 16;

words! {
    /// Where an export is.
    ExportState {
        /// It waits for its turn.
        Asked = "asked",
        /// It is being written.
        Writing = "writing",
        /// It can be downloaded.
        Ready = "ready",
        /// It was there long enough, and is deleted.
        Expired = "expired",
        /// It could not be written; ask for it again, or ask the operator.
        Failed = "failed",
    }
}

/// An export.
#[derive(Clone, Debug)]
pub struct StoredExport {
    /// Its id.
    pub id: ExportId,
    /// Whose it is.
    pub account: AccountId,
    /// The age recipient that it is for; anybody, where there is none.
    pub recipient: Option<String>,
    /// Where it is.
    pub state: ExportState,
    /// How often it was begun.
    pub attempt: i64,
    /// Rows that it has, read twice: once for each format.
    pub rows_total: i64,
    /// Rows that are read already.
    pub rows_done: i64,
    /// How long it is.
    pub bytes: i64,
    /// Its SHA-256 in hexadecimal, once it is ready.
    pub sha256: Option<String>,
    /// When it was asked for.
    pub asked_at: Micros,
    /// Since when it is where it is.
    pub state_at: Micros,
    /// When it is deleted.
    pub expires_at: Option<Micros>,
}

const COLUMNS: &str = "id, account_id, recipient, state, attempt, rows_total, rows_done, bytes, sha256, asked_at, \
                       state_at, expires_at";

fn stored(row: &AnyRow) -> Result<StoredExport, DbError> {
    let word: String = row.try_get(3)?;
    let state = ExportState::of_word(&word);
    Ok(StoredExport {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        recipient: row.try_get(2)?,
        state: state.ok_or_else(|| DbError::corrupt(format!("the unknown state of an export `{word}`")))?,
        attempt: row.try_get(4)?,
        rows_total: row.try_get(5)?,
        rows_done: row.try_get(6)?,
        bytes: row.try_get(7)?,
        sha256: row.try_get(8)?,
        asked_at: Micros(row.try_get(9)?),
        state_at: Micros(row.try_get(10)?),
        expires_at: row.try_get::<Option<i64>, _>(11)?.map(Micros),
    })
}

/// The account's export.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of(db: &Db, account: AccountId) -> Result<Option<StoredExport>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM exports WHERE account_id = $1");
    let row = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored).transpose()
}

/// Notes that an export is asked for. One that was there must be gone.
///
/// # Errors
/// [`DbError::Exists`] when another one was asked for meanwhile.
pub async fn insert(
    tx: &mut WriteTx<'_>,
    (id, account): (ExportId, AccountId),
    recipient: Option<&str>,
    at: Micros,
) -> Result<(), DbError> {
    let done = sqlx::query(
        "INSERT INTO exports (id, account_id, recipient, state, attempt, rows_total, rows_done, bytes, asked_at, state_at)
         VALUES ($1, $2, $3, 'asked', 0, 0, 0, 0, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .bind(recipient)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Exists("an export of this account")) }
}

/// Exports of accounts that this host serves which are to be written: asked for, or begun before that moment by a host
/// that may have died.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn to_write(db: &Db, begun_before: Micros) -> Result<Vec<StoredExport>, DbError> {
    let served = served!("exports.account_id", "$2");
    let text = format!(
        "SELECT {COLUMNS} FROM exports WHERE (state = 'asked' OR (state = 'writing' AND state_at < $1)) AND {served}
         ORDER BY state_at LIMIT 16"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(begun_before.0).bind(db.region()).fetch_all(&db.pool).await?;
    rows.iter().map(stored).collect()
}

/// Exports of accounts that this host serves which expire before a moment.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn expiring(db: &Db, before: Micros) -> Result<Vec<StoredExport>, DbError> {
    let (served, kept_back) = (served!("exports.account_id", "$2"), kept_back!("exports.account_id"));
    let text = format!(
        "SELECT {COLUMNS} FROM exports WHERE state = 'ready' AND expires_at < $1 AND NOT {kept_back} AND {served} LIMIT 16"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(before.0).bind(db.region()).fetch_all(&db.pool).await?;
    rows.iter().map(stored).collect()
}

/// Begins another attempt. False when another host did so first, or the export is gone.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn begin(tx: &mut WriteTx<'_>, export: &StoredExport, total: i64, at: Micros) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE exports SET state = 'writing', attempt = $2 + 1, rows_total = $3, rows_done = 0, bytes = 0, state_at = $4
         WHERE id = $1 AND attempt = $2 AND state IN ('asked', 'writing')",
    )
    .bind(export.id.to_string())
    .bind(export.attempt)
    .bind(total)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The export.
    pub id: ExportId,
    /// The attempt.
    pub attempt: i64,
    /// Rows that are read.
    pub rows_done: i64,
    /// Bytes that are written.
    pub bytes: i64,
    /// Now.
    pub at: Micros,
}

/// Notes how far an attempt has come.
///
/// # Errors
/// [`DbError::Missing`] when the export is gone, or another attempt goes on.
pub async fn advance(tx: &mut WriteTx<'_>, progress: &Progress) -> Result<(), DbError> {
    let done = sqlx::query(
        "UPDATE exports SET rows_done = $3, bytes = $4, state_at = $5
         WHERE id = $1 AND attempt = $2 AND state = 'writing'",
    )
    .bind(progress.id.to_string())
    .bind(progress.attempt)
    .bind(progress.rows_done)
    .bind(progress.bytes)
    .bind(progress.at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Missing("export")) }
}

/// Keeps a part of an attempt.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put_part(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    (id, attempt, position): (ExportId, i64, i64),
    sealed: &[u8],
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO export_parts (account_id, export_id, attempt, position, sealed_part) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(account.to_string())
    .bind(id.to_string())
    .bind(attempt)
    .bind(position)
    .bind(sealed)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A part; none behind the last one.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn part(
    db: &Db,
    account: AccountId,
    (id, attempt, position): (ExportId, i64, i64),
) -> Result<Option<Vec<u8>>, DbError> {
    let row = sqlx::query(
        "SELECT sealed_part FROM export_parts
         WHERE account_id = $1 AND export_id = $2 AND attempt = $3 AND position = $4",
    )
    .bind(account.to_string())
    .bind(id.to_string())
    .bind(attempt)
    .bind(position)
    .fetch_optional(&db.pool)
    .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Notes that an attempt is whole.
///
/// # Errors
/// [`DbError::Missing`] when the export is gone, or another attempt goes on.
pub async fn finish(
    tx: &mut WriteTx<'_>,
    progress: &Progress,
    sha256: &str,
    expires_at: Micros,
) -> Result<(), DbError> {
    advance(tx, progress).await?;
    sqlx::query("UPDATE exports SET state = 'ready', sha256 = $2, expires_at = $3 WHERE id = $1")
        .bind(progress.id.to_string())
        .bind(sha256)
        .bind(expires_at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that an export will not be written.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_state(
    tx: &mut WriteTx<'_>,
    id: ExportId,
    (from, to): (ExportState, ExportState),
    at: Micros,
) -> Result<(), DbError> {
    sqlx::query("UPDATE exports SET state = $3, state_at = $4 WHERE id = $1 AND state = $2")
        .bind(id.to_string())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Deletes the parts of an export's attempts before one.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_parts(db: &Db, account: AccountId, (id, before): (ExportId, i64)) -> Result<(), DbError> {
    let mut pace = Pace::up_to(PARTS);
    let deleted = in_batches(db, &mut pace, move |tx, size| {
        Box::pin(async move {
            let done = sqlx::query(
                "DELETE FROM export_parts WHERE (account_id, export_id, attempt, position) IN (
                     SELECT account_id, export_id, attempt, position FROM export_parts
                     WHERE account_id = $1 AND export_id = $2 AND attempt < $3 LIMIT $4)",
            )
            .bind(account.to_string())
            .bind(id.to_string())
            .bind(before)
            .bind(size)
            .execute(&mut **tx)
            .await?;
            Ok(done.rows_affected())
        })
    });
    deleted.await.map(drop)
}

/// Deletes an export whose parts are gone.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or there are parts still.
pub async fn delete(tx: &mut WriteTx<'_>, id: ExportId) -> Result<(), DbError> {
    sqlx::query("DELETE FROM exports WHERE id = $1").bind(id.to_string()).execute(&mut **tx).await?;
    Ok(())
}
