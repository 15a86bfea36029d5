//! Top-ups: credits that accounts asked to buy.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::payments::Bought;
use super::{Db, DbError, Earlier, Once, WriteTx, answered};
use crate::clock::Micros;
use crate::ids::{AccountId, TopUpId};
use crate::ledger::Microcredits;
use crate::payments::TopUpState;

/// A top-up as it is stored, with what its payments bought.
#[derive(Clone, Debug)]
pub struct StoredTopUp {
    /// Its id.
    pub id: TopUpId,
    /// Whose it is.
    pub account: AccountId,
    /// How far it is.
    pub state: TopUpState,
    /// What was asked to be paid, in the currency's smallest unit.
    pub amount: i64,
    /// The currency's code.
    pub currency: String,
    /// The price of that moment.
    pub microcredits_per_minor_unit: i64,
    /// Where it is paid.
    pub checkout_url: Option<String>,
    /// When it was asked for.
    pub created_at: Micros,
    /// When it was paid.
    pub paid_at: Option<Micros>,
    /// What it bought.
    pub credited: Microcredits,
    /// What of that was taken back.
    pub taken: Microcredits,
}

/// A payment of a top-up that bought something.
#[derive(Clone, Debug)]
pub struct PaidBy {
    /// The processor's id.
    pub payment: String,
    /// What was paid, in the currency's smallest unit.
    pub amount: i64,
    /// What it bought.
    pub credited: Microcredits,
    /// What of that was taken back.
    pub taken: Microcredits,
    /// Whether it was charged to a mandate.
    pub automatic: bool,
}

/// Writes a top-up that nobody has paid yet, or says which one the same request wrote before.
///
/// # Errors
/// [`DbError::KeyReused`] when the key was used for another request.
pub async fn insert(
    tx: &mut WriteTx<'_>,
    top_up: &StoredTopUp,
    once: Option<&Once>,
) -> Result<Option<Earlier>, DbError> {
    if let Some(once) = once
        && let Some(earlier) =
            answered::claim(tx, once, top_up.account, &top_up.id.to_string(), None, top_up.created_at).await?
    {
        return Ok(Some(earlier));
    }
    sqlx::query(
        "INSERT INTO top_ups (id, account_id, state, amount, currency, microcredits_per_minor_unit, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(top_up.id.to_string())
    .bind(top_up.account.to_string())
    .bind(top_up.state.as_str())
    .bind(top_up.amount)
    .bind(&top_up.currency)
    .bind(top_up.microcredits_per_minor_unit)
    .bind(top_up.created_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(None)
}

/// Writes down where a top-up is paid.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_checkout(tx: &mut WriteTx<'_>, account: AccountId, id: TopUpId, url: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE top_ups SET checkout_url = $3 WHERE id = $1 AND account_id = $2")
        .bind(id.to_string())
        .bind(account.to_string())
        .bind(url)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes down how far a top-up is. The moment when it was first paid stays.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_state(
    tx: &mut WriteTx<'_>,
    bought: &Bought,
    state: TopUpState,
    paid_at: Option<Micros>,
) -> Result<(), DbError> {
    sqlx::query("UPDATE top_ups SET state = $3, paid_at = COALESCE(paid_at, $4) WHERE id = $1 AND account_id = $2")
        .bind(bought.top_up.to_string())
        .bind(bought.account.to_string())
        .bind(state.as_str())
        .bind(paid_at.map(|at| at.0))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

const SELECT: &str = "SELECT id, account_id, state, amount, currency, microcredits_per_minor_unit, checkout_url,
         created_at, paid_at,
         (SELECT CAST(COALESCE(SUM(credited), 0) AS bigint) FROM payments WHERE top_up_id = top_ups.id),
         (SELECT CAST(COALESCE(SUM(taken), 0) AS bigint) FROM payments WHERE top_up_id = top_ups.id)
     FROM top_ups";

/// A top-up of an account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, id: TopUpId) -> Result<Option<StoredTopUp>, DbError> {
    let text = format!("{SELECT} WHERE id = $1 AND account_id = $2");
    let row = sqlx::query(AssertSqlSafe(text))
        .bind(id.to_string())
        .bind(account.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// The account that a top-up is of: for operators.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn account_of(db: &Db, id: TopUpId) -> Result<Option<AccountId>, DbError> {
    let row = sqlx::query("SELECT account_id FROM top_ups WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// The account's top-ups, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    account: AccountId,
    before: Option<TopUpId>,
    limit: i64,
) -> Result<Vec<StoredTopUp>, DbError> {
    let text = format!("{SELECT} WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// The payments of a top-up that bought something.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn paid_by(db: &Db, account: AccountId, id: TopUpId) -> Result<Vec<PaidBy>, DbError> {
    let rows = sqlx::query(
        "SELECT payments.id, payments.amount, credited, taken, automatic FROM payments
         JOIN top_ups ON top_ups.id = payments.top_up_id
         WHERE payments.top_up_id = $1 AND payments.account_id = $2 AND credited > 0 ORDER BY payments.id",
    )
    .bind(id.to_string())
    .bind(account.to_string())
    .fetch_all(&db.pool)
    .await?;
    let one = |row: &AnyRow| {
        Ok(PaidBy {
            payment: row.try_get(0)?,
            amount: row.try_get(1)?,
            credited: Microcredits(row.try_get(2)?),
            taken: Microcredits(row.try_get(3)?),
            automatic: row.try_get::<i64, _>(4)? == 1,
        })
    };
    rows.iter().map(one).collect()
}

/// Top-ups that were paid in a way that has no price, latest first: for operators.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn to_review(db: &Db) -> Result<Vec<TopUpId>, DbError> {
    let rows = sqlx::query("SELECT id FROM top_ups WHERE state = 'review' ORDER BY id DESC LIMIT 1000");
    let rows = rows.fetch_all(&db.pool).await?;
    rows.iter().map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).collect()
}

fn stored(row: &AnyRow) -> Result<StoredTopUp, DbError> {
    Ok(StoredTopUp {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
        state: row.try_get::<String, _>(2)?.parse().map_err(DbError::corrupt)?,
        amount: row.try_get(3)?,
        currency: row.try_get(4)?,
        microcredits_per_minor_unit: row.try_get(5)?,
        checkout_url: row.try_get(6)?,
        created_at: Micros(row.try_get(7)?),
        paid_at: row.try_get::<Option<i64>, _>(8)?.map(Micros),
        credited: Microcredits(row.try_get(9)?),
        taken: Microcredits(row.try_get(10)?),
    })
}
