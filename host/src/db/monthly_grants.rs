//! Months for which accounts were given their plan's monthly grant.

use sqlx::Row as _;

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::AccountId;
use crate::ledger::Tenant;

/// Accounts that one look brings.
const PAGE: i64 = 200;

/// Some active accounts of a plan that this host serves, that began before a moment and have no grant for a month.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn without(
    db: &Db,
    plan: &str,
    month: &str,
    began_before: Micros,
) -> Result<Vec<(AccountId, Tenant)>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT accounts.id, tenants.tenant FROM accounts JOIN tenants ON tenants.account_id = accounts.id
         WHERE accounts.plan = $1 AND accounts.status = 'active' AND accounts.created_at < $3
           AND NOT EXISTS (SELECT 1 FROM monthly_grants WHERE account_id = accounts.id AND month = $2)
           AND ",
        served!("accounts.id", "$5"),
        " ORDER BY accounts.id LIMIT $4",
    ))
    .bind(plan)
    .bind(month)
    .bind(began_before.0)
    .bind(PAGE)
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?, Tenant(row.try_get(1)?))))
        .collect()
}

/// Notes that an account gets its grant for a month. False when it has it already.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note(tx: &mut WriteTx<'_>, account: AccountId, month: &str) -> Result<bool, DbError> {
    let done = sqlx::query("INSERT INTO monthly_grants (account_id, month) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(account.to_string())
        .bind(month)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}
