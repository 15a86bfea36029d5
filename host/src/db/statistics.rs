//! Statistics of how the service is used: what is counted, and what was made of it.

use sqlx::Row as _;

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::RunId;
use crate::ledger::Microcredits;

/// Accounts that are counted by one statement.
const ACCOUNTS: i64 = 100;

/// What an account did in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Runs that it started.
    pub runs: i64,
    /// Those that succeeded.
    pub succeeded: i64,
    /// What they did cost.
    pub spent: Microcredits,
}

/// What each account did in a period, without saying which: active ones that this host serves, were there at its end,
/// and did not object to being counted. A restricted one is not active.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn uses(db: &Db, (from, until): (Micros, Micros)) -> Result<Vec<Use>, DbError> {
    let (first, last) = (RunId::first_at(from).to_string(), RunId::first_at(until).to_string());
    let (mut uses, mut after) = (Vec::new(), String::new());
    loop {
        // The primary key finds the period's runs of each account.
        let rows = sqlx::query(concat!(
            "SELECT counted.id, COUNT(runs.id), COUNT(CASE WHEN runs.outcome = 'succeeded' THEN 1 END),
                 CAST(COALESCE(SUM(runs.charged), 0) AS BIGINT)
             FROM (SELECT id FROM accounts WHERE id > $1 AND status = 'active' AND objected_at IS NULL
                       AND created_at < $2 AND ",
            served!("accounts.id", "$3"),
            "      ORDER BY id LIMIT $4) AS counted
             LEFT JOIN runs ON runs.account_id = counted.id AND runs.id >= $5 AND runs.id < $6
             GROUP BY counted.id ORDER BY counted.id",
        ))
        .bind(&after)
        .bind(until.0)
        .bind(db.region())
        .bind(ACCOUNTS)
        .bind(&first)
        .bind(&last)
        .fetch_all(&db.pool)
        .await?;
        let Some(end) = rows.last() else { return Ok(uses) };
        after = end.try_get(0)?;
        for row in &rows {
            let spent = Microcredits(row.try_get(3)?);
            uses.push(Use { runs: row.try_get(1)?, succeeded: row.try_get(2)?, spent });
        }
    }
}

/// What was made of a month, as JSON.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, month: &str) -> Result<Option<(String, Micros)>, DbError> {
    let row = sqlx::query("SELECT document, made_at FROM statistics WHERE region = $1 AND month = $2")
        .bind(db.region())
        .bind(month)
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| Ok((row.try_get(0)?, Micros(row.try_get(1)?)))).transpose()
}

/// Keeps what was made of a month. What another host made first stays.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(
    tx: &mut WriteTx<'_>,
    (region, month): (&str, &str),
    document: &str,
    at: Micros,
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO statistics (region, month, document, made_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(region)
    .bind(month)
    .bind(document)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
