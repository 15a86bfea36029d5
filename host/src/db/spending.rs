//! What an account and its deployments have spent of their daily caps. Rows are read and written behind the lock of the
//! account's balance, so that no two hosts count at the same time.

use sqlx::{AnyConnection, Row as _};

use super::{DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, DeploymentId, RunId};
use crate::ledger::Microcredits;

const DAY_US: i64 = 86_400_000_000;

/// What may be spent in a day; none is as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// By the account.
    pub account: Option<Microcredits>,
    /// By the deployment.
    pub deployment: Option<Microcredits>,
}

impl Caps {
    /// True when there is one.
    #[must_use]
    pub const fn any(self) -> bool {
        self.account.is_some() || self.deployment.is_some()
    }
}

/// The day of a moment, in UTC.
#[must_use]
pub const fn day_of(at: Micros) -> i64 {
    at.0.div_euclid(DAY_US)
}

/// When a day is over.
#[must_use]
pub const fn end_of(day: i64) -> Micros {
    Micros((day + 1).saturating_mul(DAY_US))
}

/// Whose spending is counted: a deployment's, or all of the account's.
pub(super) type Spender = (AccountId, Option<DeploymentId>);

/// What was spent on a day, and whether that is written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub day: i64,
    pub spent: Microcredits,
    pub is_written: bool,
}

fn bound((account, deployment): Spender) -> (String, String) {
    (account.to_string(), deployment.map(|deployment| deployment.to_string()).unwrap_or_default())
}

/// What was spent on a day, or on a later one that another host has begun already. A day on which nothing was counted
/// yet begins with what its runs hold and did cost.
pub(super) async fn spent(connection: &mut AnyConnection, spender: Spender, day: i64) -> Result<Counted, DbError> {
    let (account, deployment) = bound(spender);
    let counted = sqlx::query("SELECT day, spent FROM spending WHERE account_id = $1 AND deployment_id = $2")
        .bind(&account)
        .bind(&deployment)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = counted
        && row.try_get::<i64, _>(0)? >= day
    {
        return Ok(Counted { day: row.try_get(0)?, spent: Microcredits(row.try_get(1)?), is_written: true });
    }
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(COALESCE(charged, held)), 0) AS bigint) FROM runs
         WHERE account_id = $1 AND id >= $2 AND ($3 = '' OR deployment_id = $3)",
    )
    .bind(&account)
    .bind(RunId::first_at(Micros(day.saturating_mul(DAY_US))).to_string())
    .bind(&deployment)
    .fetch_one(connection)
    .await?;
    Ok(Counted { day, spent: Microcredits(row.try_get(0)?), is_written: false })
}

/// Forgets what was counted, so that it is summed up anew: of one spender, whose cap has changed.
pub(super) async fn forget(connection: &mut AnyConnection, spender: Spender) -> Result<(), DbError> {
    let (account, deployment) = bound(spender);
    sqlx::query("DELETE FROM spending WHERE account_id = $1 AND deployment_id = $2")
        .bind(account)
        .bind(deployment)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets what was counted of all accounts, whose plans' caps have changed.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn forget_accounts(tx: &mut WriteTx<'_>) -> Result<(), DbError> {
    sqlx::query("DELETE FROM spending WHERE deployment_id = ''").execute(&mut **tx).await?;
    Ok(())
}

/// Writes down what was spent on a day.
pub(super) async fn count(
    connection: &mut AnyConnection,
    spender: Spender,
    day: i64,
    spent: Microcredits,
) -> Result<(), DbError> {
    let (account, deployment) = bound(spender);
    sqlx::query(
        "INSERT INTO spending (account_id, deployment_id, day, spent) VALUES ($1, $2, $3, $4)
         ON CONFLICT (account_id, deployment_id) DO UPDATE SET day = $3, spent = $4",
    )
    .bind(account)
    .bind(deployment)
    .bind(day)
    .bind(spent.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back what a run of a day held and did not cost. What was held yesterday frees nothing today.
pub(super) async fn give_back(
    connection: &mut AnyConnection,
    spender: Spender,
    day: i64,
    released: Microcredits,
) -> Result<(), DbError> {
    let (account, deployment) = bound(spender);
    sqlx::query(
        "UPDATE spending SET spent = CASE WHEN spent > $4 THEN spent - $4 ELSE 0 END
         WHERE account_id = $1 AND deployment_id = $2 AND day = $3",
    )
    .bind(account)
    .bind(deployment)
    .bind(day)
    .bind(released.0)
    .execute(connection)
    .await?;
    Ok(())
}
