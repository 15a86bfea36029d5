//! Runs that are to be cancelled: since somebody asked for it, or since their account is restricted.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unfinished;
use crate::clock::Micros;
use crate::db::region::served;
use crate::db::{Db, DbError, WriteTx};
use crate::ids::{AccountId, HostId, RunId};

/// Runs that one look brings.
const PAGE: i64 = 200;

/// Asks the host that executes the run to cancel it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn request_cancel(tx: &mut WriteTx<'_>, account: AccountId, run: RunId, at: Micros) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE runs SET cancel_requested_at = $3
         WHERE account_id = $1 AND id = $2 AND status <> 'finished' AND cancel_requested_at IS NULL",
    )
    .bind(account.to_string())
    .bind(run.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Runs of this host that somebody asked to cancel, or whose account is restricted: whenever they were admitted.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn cancel_requested(db: &Db, host: HostId) -> Result<Vec<RunId>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT id FROM runs WHERE ",
        unfinished!("running"),
        " AND host_id = $1 AND (cancel_requested_at IS NOT NULL
             OR EXISTS (SELECT 1 FROM restrictions WHERE restrictions.account_id = runs.account_id))",
    ))
    .bind(host.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).collect()
}

/// Some queued runs of accounts that this host serves and that are restricted: what waits would begin long afterwards,
/// and holds credits meanwhile.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn queued_and_restricted(db: &Db) -> Result<Vec<(AccountId, RunId)>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT runs.account_id, runs.id FROM runs
         WHERE ",
        unfinished!("queued"),
        " AND EXISTS (SELECT 1 FROM restrictions WHERE restrictions.account_id = runs.account_id) AND ",
        served!("runs.account_id", "$1"),
        " LIMIT $2",
    ))
    .bind(db.region())
    .bind(PAGE)
    .fetch_all(&db.pool)
    .await?;
    let ids = |row: &AnyRow| {
        let account = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
        Ok((account, row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?))
    };
    rows.iter().map(ids).collect()
}
