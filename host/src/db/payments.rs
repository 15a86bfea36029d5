//! What became of money: payments, refunds and disputes as the processor told last, and which deliveries were taken.
//!
//! One host books at a time ([`alone`]), so that what two are told at the same time is taken one after the other, and
//! neither waits for a row that the other has.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, ReversalId, TopUpId};
use crate::ledger::{Microcredits, Tenant};
use crate::payments::{PaymentFact, PaymentState, ReversalFact, ReversalState};

/// The top-up that a payment is for.
#[derive(Clone, Debug)]
pub struct Bought {
    /// The top-up.
    pub top_up: TopUpId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose credits move.
    pub tenant: Tenant,
    /// The currency that it was asked for in.
    pub currency: String,
    /// The price of that moment.
    pub microcredits_per_minor_unit: i64,
}

/// One would do: the processor knows all payments of a customer by any.
const MOST_REFERENCES: i64 = 20;

/// A payment as it was told last.
#[derive(Clone, Debug)]
pub struct StoredPayment {
    /// How far it is.
    pub state: PaymentState,
    /// When that was so.
    pub told_at: Micros,
    /// What was paid, in the currency's smallest unit.
    pub amount: i64,
    /// The currency's code.
    pub currency: String,
    /// What it bought.
    pub credited: Microcredits,
    /// What of that was taken back.
    pub taken: Microcredits,
}

/// A refund or a dispute as it was told last.
#[derive(Clone, Debug)]
pub struct StoredReversal {
    /// Our id.
    pub id: ReversalId,
    /// The processor's id.
    pub processor_id: String,
    /// How far it is.
    pub state: ReversalState,
    /// When that was so.
    pub told_at: Micros,
    /// What of the payment; none is all of it.
    pub amount: Option<i64>,
    /// The currency's code.
    pub currency: Option<String>,
    /// How often it has moved credits.
    pub movements: i64,
}

/// The top-up that a payment is known or told to be for.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn bought_by(db: &Db, payment: &str, told: Option<TopUpId>) -> Result<Option<Bought>, DbError> {
    bought_in(&mut *db.pool.acquire().await?, payment, told).await
}

/// The same, within a transaction.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn bought_in(
    connection: &mut AnyConnection,
    payment: &str,
    told: Option<TopUpId>,
) -> Result<Option<Bought>, DbError> {
    let row = sqlx::query(
        "SELECT top_ups.id, top_ups.account_id, tenants.tenant, top_ups.currency, top_ups.microcredits_per_minor_unit
         FROM top_ups JOIN tenants ON tenants.account_id = top_ups.account_id
         WHERE top_ups.id = COALESCE((SELECT top_up_id FROM payments WHERE id = $1), $2)",
    )
    .bind(payment)
    .bind(told.map(|id| id.to_string()).unwrap_or_default())
    .fetch_optional(connection)
    .await?;
    let bought = |row: AnyRow| {
        Ok(Bought {
            top_up: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
            account: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
            tenant: Tenant(row.try_get(2)?),
            currency: row.try_get(3)?,
            microcredits_per_minor_unit: row.try_get(4)?,
        })
    };
    row.map(bought).transpose()
}

/// Writes down that a delivery was taken. False when it was before.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note_webhook(
    tx: &mut WriteTx<'_>,
    (id, kind): (&str, &str),
    account: Option<AccountId>,
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO webhooks (id, account_id, kind, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(account.map(|account| account.to_string()))
    .bind(kind)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Waits until no other host books, and keeps them from it until the transaction ends. SQLite has one writer.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn alone(tx: &mut WriteTx<'_>) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ('payments', 'one host books at a time')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A payment. One that nobody knows yet is made, unseen.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn told_of(tx: &mut WriteTx<'_>, id: &str) -> Result<StoredPayment, DbError> {
    // An update that changes nothing returns the row.
    let row = sqlx::query(
        "INSERT INTO payments (id, state, told_at, amount, tax, currency, credited, taken)
         VALUES ($1, 'unseen', 0, 0, 0, '', 0, 0) ON CONFLICT (id) DO UPDATE SET id = excluded.id
         RETURNING state, told_at, amount, currency, credited, taken",
    )
    .bind(id)
    .fetch_one(&mut **tx)
    .await?;
    stored_payment(&row)
}

/// A payment, if anything is known of it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, id: &str) -> Result<Option<StoredPayment>, DbError> {
    let row = sqlx::query("SELECT state, told_at, amount, currency, credited, taken FROM payments WHERE id = $1")
        .bind(id)
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_payment).transpose()
}

fn stored_payment(row: &AnyRow) -> Result<StoredPayment, DbError> {
    Ok(StoredPayment {
        state: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        told_at: Micros(row.try_get(1)?),
        amount: row.try_get(2)?,
        currency: row.try_get(3)?,
        credited: Microcredits(row.try_get(4)?),
        taken: Microcredits(row.try_get(5)?),
    })
}

/// Writes down how far a payment is.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set(tx: &mut WriteTx<'_>, fact: &PaymentFact, bought: &Bought, told_at: Micros) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE payments SET account_id = $2, top_up_id = $3, state = $4, told_at = $5, amount = $6, tax = $7,
             currency = $8 WHERE id = $1",
    )
    .bind(&fact.id)
    .bind(bought.account.to_string())
    .bind(bought.top_up.to_string())
    .bind(fact.state.as_str())
    .bind(told_at.0)
    .bind(fact.amount)
    .bind(fact.tax)
    .bind(&fact.currency)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE reversals SET account_id = $2 WHERE payment_id = $1")
        .bind(&fact.id)
        .bind(bought.account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes down what a payment bought, and what of that was taken back.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_moved(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    id: &str,
    (credited, taken): (Microcredits, Microcredits),
) -> Result<(), DbError> {
    sqlx::query("UPDATE payments SET credited = $3, taken = $4 WHERE id = $1 AND account_id = $2")
        .bind(id)
        .bind(account.to_string())
        .bind(credited.0)
        .bind(taken.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The payments of a top-up: how far each is, and what it bought.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of_top_up(tx: &mut WriteTx<'_>, bought: &Bought) -> Result<Vec<(PaymentState, Microcredits)>, DbError> {
    let rows = sqlx::query("SELECT state, credited FROM payments WHERE top_up_id = $1 AND account_id = $2")
        .bind(bought.top_up.to_string())
        .bind(bought.account.to_string())
        .fetch_all(&mut **tx)
        .await?;
    let one = |row: &AnyRow| {
        let state = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
        Ok((state, Microcredits(row.try_get(1)?)))
    };
    rows.iter().map(one).collect()
}

const REVERSAL: &str = "SELECT id, processor_id, state, told_at, amount, currency, movements FROM reversals";

/// Refunds and disputes of a payment.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn reversals(tx: &mut WriteTx<'_>, payment: &str) -> Result<Vec<StoredReversal>, DbError> {
    let text = format!("{REVERSAL} WHERE payment_id = $1 ORDER BY id");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(payment).fetch_all(&mut **tx).await?;
    rows.iter().map(stored_reversal).collect()
}

/// A refund or a dispute, if it is known.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn reversal(db: &Db, processor_id: &str) -> Result<Option<StoredReversal>, DbError> {
    let text = format!("{REVERSAL} WHERE processor_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(processor_id).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored_reversal).transpose()
}

fn stored_reversal(row: &AnyRow) -> Result<StoredReversal, DbError> {
    Ok(StoredReversal {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        processor_id: row.try_get(1)?,
        state: row.try_get::<String, _>(2)?.parse().map_err(DbError::corrupt)?,
        told_at: Micros(row.try_get(3)?),
        amount: row.try_get(4)?,
        currency: row.try_get(5)?,
        movements: row.try_get(6)?,
    })
}

/// Writes down how far a refund or a dispute is; the id is for one that is not known yet.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_reversal(
    tx: &mut WriteTx<'_>,
    id: ReversalId,
    fact: &ReversalFact,
    account: Option<AccountId>,
    (told_at, now): (Micros, Micros),
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO reversals
             (processor_id, id, account_id, payment_id, kind, state, told_at, amount, currency, movements, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)
         ON CONFLICT (processor_id) DO UPDATE SET state = $6, told_at = $7, amount = $8, currency = $9",
    )
    .bind(&fact.id)
    .bind(id.to_string())
    .bind(account.map(|account| account.to_string()))
    .bind(&fact.payment)
    .bind(fact.kind.as_str())
    .bind(fact.state.as_str())
    .bind(told_at.0)
    .bind(fact.amount)
    .bind(&fact.currency)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Counts one more movement of credits by a refund or a dispute.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn count_movement(tx: &mut WriteTx<'_>, account: AccountId, id: ReversalId) -> Result<(), DbError> {
    sqlx::query("UPDATE reversals SET movements = movements + 1 WHERE id = $1 AND account_id = $2")
        .bind(id.to_string())
        .bind(account.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What payments bought, without what was taken back, by tenant; those that were deleted since count too.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn bought(db: &Db) -> Result<Vec<(Tenant, Microcredits)>, DbError> {
    let rows = sqlx::query(
        "SELECT tenant, CAST(SUM(bought) AS bigint) FROM (
             SELECT tenants.tenant, payments.credited - payments.taken AS bought FROM payments
             JOIN tenants ON tenants.account_id = payments.account_id
             UNION ALL SELECT tenant, bought FROM forgotten_payments) AS every_payment
         GROUP BY tenant",
    )
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok((Tenant(row.try_get(0)?), Microcredits(row.try_get(1)?)))).collect()
}

/// By what the processor finds an account's customer, latest first: ids of its payments and its mandate, and ours that
/// it was told with what was not paid.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn references(db: &Db, account: AccountId) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query(
        "SELECT reference FROM (
             SELECT COALESCE(mandate, id) AS reference, changed_at AS at FROM auto_top_ups WHERE account_id = $1
             UNION ALL SELECT id, told_at FROM payments WHERE account_id = $1
             UNION ALL SELECT id, created_at FROM top_ups WHERE account_id = $1
                 AND NOT EXISTS (SELECT 1 FROM payments WHERE payments.top_up_id = top_ups.id)) AS known
         ORDER BY at DESC, reference LIMIT $2",
    )
    .bind(account.to_string())
    .bind(MOST_REFERENCES)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
