//! Which accounts have fallen below the balance at which their owners want to be warned.

use sqlx::Row as _;

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::ids::AccountId;
use crate::ledger::Microcredits;

/// Accounts that one look brings.
const PAGE: i64 = 100;

/// An account with less than its threshold, what runs hold counted in.
#[derive(Clone, Copy, Debug)]
pub struct LowBalance {
    /// The account.
    pub account: AccountId,
    /// What it has.
    pub balance: Microcredits,
    /// Its threshold.
    pub threshold: Microcredits,
}

/// Some accounts that this host serves and that have less than their threshold, or else than the default, and were not told so.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn untold(db: &Db, default: Microcredits) -> Result<Vec<LowBalance>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT accounts.id, balances.available + balances.held, COALESCE(accounts.low_balance, $1)
         FROM accounts JOIN tenants ON tenants.account_id = accounts.id JOIN balances ON balances.tenant = tenants.tenant
         WHERE accounts.status = 'active' AND accounts.low_balance_told = 0
           AND balances.available + balances.held < COALESCE(accounts.low_balance, $1)
           AND ",
        served!("accounts.id", "$3"),
        " ORDER BY accounts.id LIMIT $2",
    ))
    .bind(default.0)
    .bind(PAGE)
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LowBalance {
                account: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
                balance: Microcredits(row.try_get(1)?),
                threshold: Microcredits(row.try_get(2)?),
            })
        })
        .collect()
}

/// Notes that an account is told. False when somebody has noted it already.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note_told(tx: &mut WriteTx<'_>, account: AccountId) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE accounts SET low_balance_told = 1 WHERE id = $1 AND low_balance_told = 0")
        .bind(account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// True when this host serves accounts that were told and have their threshold again.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn any_risen(db: &Db, default: Microcredits) -> Result<bool, DbError> {
    let text = format!("SELECT 1 FROM accounts WHERE {RISEN} LIMIT 1");
    let found = sqlx::query(sqlx::AssertSqlSafe(text)).bind(default.0).bind(db.region());
    Ok(found.fetch_optional(&db.pool).await?.is_some())
}

/// Lets those accounts be told at their next crossing.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note_risen(tx: &mut WriteTx<'_>, region: &str, default: Microcredits) -> Result<(), DbError> {
    let text = format!("UPDATE accounts SET low_balance_told = 0 WHERE {RISEN}");
    sqlx::query(sqlx::AssertSqlSafe(text)).bind(default.0).bind(region).execute(&mut **tx).await?;
    Ok(())
}

const RISEN: &str =
    "($2 = '' OR region IS NULL OR region = $2) AND low_balance_told = 1 AND COALESCE(low_balance, $1) <=
    (SELECT balances.available + balances.held FROM tenants JOIN balances ON balances.tenant = tenants.tenant
     WHERE tenants.account_id = accounts.id)";

/// Sets an account's threshold; zero is never.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set(tx: &mut WriteTx<'_>, account: AccountId, threshold: Microcredits) -> Result<(), DbError> {
    sqlx::query("UPDATE accounts SET low_balance = $2 WHERE id = $1")
        .bind(account.to_string())
        .bind(threshold.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// An account's threshold, if it has one of its own.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn threshold(db: &Db, account: AccountId) -> Result<Option<Microcredits>, DbError> {
    let row = sqlx::query("SELECT low_balance FROM accounts WHERE id = $1")
        .bind(account.to_string())
        .fetch_optional(&db.pool)
        .await?;
    let row = row.ok_or(DbError::Missing("account"))?;
    Ok(row.try_get::<Option<i64>, _>(0)?.map(Microcredits))
}
