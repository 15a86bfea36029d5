//! What operators did, and why.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::region::served;
use super::{Db, DbError, Earlier, Once, WriteTx, answered};
use crate::clock::Micros;
use crate::ids::{AccountId, OperatorActId, OperatorKeyId};
use crate::ledger::Microcredits;

/// Something that an operator did.
#[derive(Clone, Debug)]
pub struct StoredAct {
    /// Its id.
    pub id: OperatorActId,
    /// The account that it is about, if it is about one.
    pub account: Option<AccountId>,
    /// The key that it was done with.
    pub operator: OperatorKeyId,
    /// What was done: `create`, `invite`, `grant`, `adjust`, `refund`, `status`, `resend`, `reconcile`, `reload`,
    /// `announce`, `policy`,
    /// `rights_open`, `rights_identify`, `rights_extend`, `rights_close`, `support_close`, `breach_open`,
    /// `breach_scope`, `breach_notify`, `breach_authority`, `breach_close`.
    pub act: String,
    /// What it was done to, or what it made.
    pub subject: Option<String>,
    /// How many credits it was about; below zero when they were taken away.
    pub amount: Option<Microcredits>,
    /// Why, sealed under the account's data key.
    pub sealed_reason: Option<Vec<u8>>,
    /// Why, when it is about no account.
    pub reason: Option<String>,
    /// When.
    pub at: Micros,
}

/// Writes down what an operator does.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, act: &StoredAct) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO operator_acts
             (id, account_id, operator_key_id, act, subject, amount, sealed_reason, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(act.id.to_string())
    .bind(act.account.map(|account| account.to_string()))
    .bind(act.operator.to_string())
    .bind(&act.act)
    .bind(&act.subject)
    .bind(act.amount.map(|amount| amount.0))
    .bind(act.sealed_reason.as_deref())
    .bind(&act.reason)
    .bind(act.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down what an operator is about to do about an account, or says that the same request did before.
///
/// # Errors
/// [`DbError::KeyReused`] when the key was used for another request.
pub async fn insert_once(
    tx: &mut WriteTx<'_>,
    act: &StoredAct,
    once: Option<&Once>,
) -> Result<Option<Earlier>, DbError> {
    if let (Some(once), Some(account)) = (once, act.account)
        && let Some(earlier) = answered::claim(tx, once, account, &act.id.to_string(), None, act.at).await?
    {
        return Ok(Some(earlier));
    }
    insert(tx, act).await?;
    Ok(None)
}

/// What operators did, to one account or at all, latest first; of accounts that other hosts serve, nothing.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    account: Option<AccountId>,
    before: Option<OperatorActId>,
    limit: i64,
) -> Result<Vec<StoredAct>, DbError> {
    let text = concat!(
        "SELECT id, account_id, operator_key_id, act, subject, amount, sealed_reason, reason, created_at
         FROM operator_acts WHERE ($1 = '' OR account_id = $1) AND id < $2 AND ",
        served!("operator_acts.account_id", "$4"),
        " ORDER BY id DESC LIMIT $3"
    );
    let rows = sqlx::query(text)
        .bind(account.map(|account| account.to_string()).unwrap_or_default())
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .bind(db.region())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// What operators did to one thing, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of_subject(db: &Db, subject: &str) -> Result<Vec<StoredAct>, DbError> {
    let text = "SELECT id, account_id, operator_key_id, act, subject, amount, sealed_reason, reason, created_at
         FROM operator_acts WHERE subject = $1 ORDER BY id DESC LIMIT 200";
    sqlx::query(text).bind(subject).fetch_all(&db.pool).await?.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredAct, DbError> {
    let account = row.try_get::<Option<String>, _>(1)?.map(|id| id.parse()).transpose();
    Ok(StoredAct {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: account.map_err(DbError::corrupt)?,
        operator: row.try_get::<String, _>(2)?.parse().map_err(DbError::corrupt)?,
        act: row.try_get(3)?,
        subject: row.try_get(4)?,
        amount: row.try_get::<Option<i64>, _>(5)?.map(Microcredits),
        sealed_reason: row.try_get(6)?,
        reason: row.try_get(7)?,
        at: Micros(row.try_get(8)?),
    })
}
