//! Deletes what is known of money besides the ledger itself, once it was kept long enough.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{BATCH, delete_in_batches, in_batches};
use crate::clock::Micros;
use crate::db::kept_back::kept_back;
use crate::db::pace::Pace;
use crate::db::{Db, DbError, WriteTx};
use crate::ids::ActId;

/// Deletes deliveries that were taken before a moment. One that comes again is known by what it tells. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_webhooks(db: &Db, before: Micros) -> Result<u64, DbError> {
    let statement = concat!(
        "DELETE FROM webhooks WHERE id IN (SELECT id FROM webhooks WHERE received_at < $1 AND NOT ",
        kept_back!("webhooks.account_id"),
        " LIMIT $2)"
    );
    delete_in_batches(db, statement, before).await
}

/// Deletes statements of months that were over before a moment, but for the last one of each tenant, which the next
/// one goes on from. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_statements(db: &Db, before: Micros) -> Result<u64, DbError> {
    delete_in_batches(
        db,
        concat!(
            "DELETE FROM statements WHERE number IN (
                 SELECT number FROM statements WHERE period_end < $1 AND EXISTS (
                     SELECT 1 FROM statements AS later
                     WHERE later.tenant = statements.tenant AND later.period_end > statements.period_end)
                 AND NOT EXISTS (SELECT 1 FROM tenants WHERE tenants.tenant = statements.tenant AND ",
            kept_back!("tenants.account_id"),
            ") LIMIT $2)"
        ),
        before,
    )
    .await
}

/// Deletes what entries of the audit before a moment were about. That they are there stays. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_audit_contents(db: &Db, before: Micros) -> Result<u64, DbError> {
    // An id holds when it was made.
    let before = ActId::first_at(before).to_string();
    in_batches(db, &mut Pace::up_to(BATCH), move |tx, size| {
        let before = before.clone();
        Box::pin(async move {
            let text = concat!(
                "DELETE FROM audit_contents WHERE id IN (SELECT id FROM audit_contents WHERE id < $1 AND NOT ",
                kept_back!("audit_contents.account_id"),
                " LIMIT $2)"
            );
            Ok(sqlx::query(text).bind(before).bind(size).execute(&mut **tx).await?.rows_affected())
        })
    })
    .await
}

/// Deletes what says that accounts were given their grants for months before one. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_monthly_grants(db: &Db, month: &str) -> Result<u64, DbError> {
    let month = month.to_owned();
    in_batches(db, &mut Pace::up_to(BATCH), move |tx, size| {
        let month = month.clone();
        Box::pin(async move {
            let done = sqlx::query(concat!(
                "DELETE FROM monthly_grants WHERE (account_id, month) IN (
                     SELECT account_id, month FROM monthly_grants WHERE month < $1 AND NOT ",
                kept_back!("monthly_grants.account_id"),
                " LIMIT $2)",
            ))
            .bind(month)
            .bind(size)
            .execute(&mut **tx)
            .await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Deletes payments of which nothing was told since a moment, with their refunds and disputes, and top-ups that were
/// asked for before it and have no payment. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_payments(db: &Db, before: Micros) -> Result<u64, DbError> {
    let payments =
        in_batches(db, &mut Pace::up_to(BATCH), move |tx, size| Box::pin(delete_some_payments(tx, before, size)))
            .await?;
    let top_ups = concat!(
        "DELETE FROM top_ups WHERE id IN (
             SELECT id FROM top_ups WHERE created_at < $1
               AND NOT EXISTS (SELECT 1 FROM payments WHERE payments.top_up_id = top_ups.id) AND NOT ",
        kept_back!("top_ups.account_id"),
        " LIMIT $2)"
    );
    Ok(payments + delete_in_batches(db, top_ups, before).await?)
}

/// A batch, in the commit in which the ledger is told what they bought.
async fn delete_some_payments(tx: &mut WriteTx<'_>, before: Micros, size: i64) -> Result<u64, DbError> {
    // Nothing is told of them meanwhile.
    crate::db::payments::alone(tx).await?;
    let rows = sqlx::query(concat!(
        "SELECT payments.id, tenants.tenant, payments.credited - payments.taken FROM payments
         LEFT JOIN tenants ON tenants.account_id = payments.account_id
         WHERE payments.told_at < $1 AND NOT EXISTS (
             SELECT 1 FROM reversals WHERE payment_id = payments.id AND (created_at >= $1 OR told_at >= $1))
           AND NOT ",
        kept_back!("payments.account_id"),
        " LIMIT $2",
    ))
    .bind(before.0)
    .bind(size)
    .fetch_all(&mut **tx)
    .await?;
    for row in &rows {
        delete_payment(tx, row).await?;
    }
    Ok(rows.len() as u64)
}

async fn delete_payment(tx: &mut WriteTx<'_>, row: &AnyRow) -> Result<(), DbError> {
    let (id, tenant): (String, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    if let Some(tenant) = tenant {
        sqlx::query(
            "INSERT INTO forgotten_payments (tenant, bought) VALUES ($1, $2)
             ON CONFLICT (tenant) DO UPDATE SET bought = forgotten_payments.bought + excluded.bought",
        )
        .bind(tenant)
        .bind(row.try_get::<i64, _>(2)?)
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query("DELETE FROM reversals WHERE payment_id = $1").bind(&id).execute(&mut **tx).await?;
    sqlx::query("DELETE FROM payments WHERE id = $1").bind(&id).execute(&mut **tx).await?;
    Ok(())
}
