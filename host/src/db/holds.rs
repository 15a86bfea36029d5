//! Holds: duties to keep what is there of accounts for now. They end when they are lifted, or by themselves.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use utoipa::ToSchema;

use super::region::served;
use super::{Db, DbError, WriteTx, accounts};
use crate::accounts::Status;
use crate::clock::Micros;
use crate::ids::{AccountId, HoldId};

/// A hold.
#[derive(Clone, Debug)]
pub struct StoredHold {
    /// Its id.
    pub id: HoldId,
    /// The account.
    pub account: AccountId,
    /// Why, sealed.
    pub sealed_reason: Vec<u8>,
    /// Why it was lifted, sealed.
    pub sealed_lift_reason: Option<Vec<u8>>,
    /// Since when.
    pub at: Micros,
    /// When it ends by itself.
    pub expires_at: Option<Micros>,
    /// When it ended.
    pub ended_at: Option<Micros>,
}

/// That there are holds on an account, as its owner may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HoldOn {
    /// Since when.
    pub since: Micros,
    /// When the last of them ends by itself; null when one has to be lifted.
    pub until: Option<Micros>,
}

/// Sets a hold, behind the lock of the account that its erasure begins behind.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account, or its erasure has begun.
pub async fn insert(tx: &mut WriteTx<'_>, hold: &StoredHold) -> Result<(), DbError> {
    if accounts::lock(tx, hold.account).await? == Status::Closed {
        return Err(DbError::Missing("account"));
    }
    sqlx::query(
        "INSERT INTO holds (id, account_id, sealed_reason, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(hold.id.to_string())
    .bind(hold.account.to_string())
    .bind(hold.sealed_reason.as_slice())
    .bind(hold.at.0)
    .bind(hold.expires_at.map(|at| at.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lifts a hold. False when it has ended.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn lift(tx: &mut WriteTx<'_>, hold: HoldId, sealed_reason: &[u8], at: Micros) -> Result<bool, DbError> {
    let done =
        sqlx::query("UPDATE holds SET ended_at = $2, sealed_lift_reason = $3 WHERE id = $1 AND ended_at IS NULL")
            .bind(hold.to_string())
            .bind(at.0)
            .bind(sealed_reason)
            .execute(&mut **tx)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the holds that end by themselves and are over.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn end_expired(db: &Db, now: Micros) -> Result<(), DbError> {
    let over = "SELECT 1 FROM holds WHERE ended_at IS NULL AND expires_at <= $1 LIMIT 1";
    if sqlx::query(over).bind(now.0).fetch_optional(&db.pool).await?.is_none() {
        return Ok(());
    }
    db.write(move |tx| {
        Box::pin(async move {
            let end = "UPDATE holds SET ended_at = expires_at WHERE ended_at IS NULL AND expires_at <= $1";
            sqlx::query(end).bind(now.0).execute(&mut **tx).await?;
            Ok(())
        })
    })
    .await
}

/// That an account is held, if it is.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn on(db: &Db, account: AccountId) -> Result<Option<HoldOn>, DbError> {
    let rows = sqlx::query("SELECT created_at, expires_at FROM holds WHERE account_id = $1 AND ended_at IS NULL")
        .bind(account.to_string())
        .fetch_all(&db.pool)
        .await?;
    let mut on: Option<HoldOn> = None;
    for row in &rows {
        let (since, until) = (Micros(row.try_get(0)?), row.try_get::<Option<i64>, _>(1)?.map(Micros));
        on = Some(on.map_or(HoldOn { since, until }, |on| HoldOn {
            since: since.min(on.since),
            until: until.zip(on.until).map(|(one, other)| one.max(other)),
        }));
    }
    Ok(on)
}

const SELECT: &str = "SELECT id, account_id, sealed_reason, sealed_lift_reason, created_at, expires_at, ended_at
     FROM holds";

/// One hold.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, hold: HoldId) -> Result<Option<StoredHold>, DbError> {
    let text = format!("{SELECT} WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(hold.to_string()).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored).transpose()
}

/// Holds on accounts that this host serves, latest first, those that have ended too.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<HoldId>, limit: i64) -> Result<Vec<StoredHold>, DbError> {
    let served = served!("holds.account_id", "$2");
    let text = format!("{SELECT} WHERE id < $1 AND {served} ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(db.region())
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredHold, DbError> {
    Ok(StoredHold {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        sealed_reason: row.try_get(2)?,
        sealed_lift_reason: row.try_get(3)?,
        at: Micros(row.try_get(4)?),
        expires_at: row.try_get::<Option<i64>, _>(5)?.map(Micros),
        ended_at: row.try_get::<Option<i64>, _>(6)?.map(Micros),
    })
}
