//! Deletes what was kept as long as was promised, in small batches that hold up nobody. Each host does so for the
//! accounts that it serves, as its own operator's file says. What is there of an account is kept while it is restricted or
//! held (`db/kept_back.rs`).

mod contents;
mod deployments;
mod money;

pub use contents::forget_contents;
pub use deployments::{OfRuns, forget_earlier};
use std::time::Instant;

use futures::future::BoxFuture;
pub use money::*;

use super::kept_back::kept_back;
use super::pace::Pace;
use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{RequestId, RunId};

/// The most rows of one commit; fewer where they take long.
const BATCH: i64 = 500;

/// Deletes log chunks that were written before a moment by runs of a plan's accounts. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_logs(db: &Db, plan: &str, before: Micros) -> Result<u64, DbError> {
    // No run writes before it is made, and its id holds when that was: the primary key finds the old ones.
    let (plan, runs, region) = (plan.to_owned(), RunId::first_at(before).to_string(), db.region().to_owned());
    in_batches(db, BATCH, move |tx, size| {
        let (plan, runs, region) = (plan.clone(), runs.clone(), region.clone());
        Box::pin(async move {
            let done = sqlx::query(concat!(
                "DELETE FROM log_chunks WHERE (account_id, run_id, first_sequence) IN (
                     SELECT log_chunks.account_id, log_chunks.run_id, log_chunks.first_sequence FROM accounts
                     JOIN log_chunks ON log_chunks.account_id = accounts.id AND log_chunks.run_id < $2
                     WHERE accounts.plan = $1 AND log_chunks.created_at < $3 AND NOT ",
                kept_back!("accounts.id"),
                " AND ($5 = '' OR accounts.region IS NULL OR accounts.region = $5) LIMIT $4)",
            ))
            .bind(plan)
            .bind(runs)
            .bind(before.0)
            .bind(size)
            .bind(region)
            .execute(&mut **tx)
            .await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Deletes what requests under an idempotency key were answered before a moment. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_answered_requests(db: &Db, before: Micros) -> Result<u64, DbError> {
    delete_served(
        db,
        concat!(
            "DELETE FROM answered_requests WHERE (caller_id, name) IN (
                 SELECT caller_id, name FROM answered_requests WHERE created_at < $1 AND NOT ",
            kept_back!("answered_requests.account_id"),
            " AND ",
            served!("answered_requests.account_id", "$3"),
            " LIMIT $2)",
        ),
        before,
    )
    .await
}

/// Deletes what the audit knows of uses before a moment. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_credential_uses(db: &Db, before: Micros) -> Result<u64, DbError> {
    delete_served(
        db,
        concat!(
            "DELETE FROM credential_uses WHERE (account_id, id) IN (
                 SELECT account_id, id FROM credential_uses WHERE used_at < $1 AND NOT ",
            kept_back!("credential_uses.account_id"),
            " AND ",
            served!("credential_uses.account_id", "$3"),
            " LIMIT $2)",
        ),
        before,
    )
    .await
}

/// Deletes letters that were sent, or given up, before a moment. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_letters(db: &Db, before: Micros) -> Result<u64, DbError> {
    delete_served(
        db,
        concat!(
            "DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE ended_at < $1 AND NOT ",
            kept_back!("letters.account_id"),
            " AND ",
            served!("letters.account_id", "$3"),
            " LIMIT $2)",
        ),
        before,
    )
    .await
}

/// Deletes links, and changes of addresses, that are over. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_links(db: &Db, now: Micros) -> Result<u64, DbError> {
    let links = concat!(
        "DELETE FROM links WHERE digest IN (SELECT digest FROM links WHERE expires_at < $1 AND NOT ",
        kept_back!("links.account_id"),
        " AND ",
        served!("links.account_id", "$3"),
        " LIMIT $2)"
    );
    let changes = concat!(
        "DELETE FROM email_changes
         WHERE account_id IN (SELECT account_id FROM email_changes WHERE expires_at < $1 AND NOT ",
        kept_back!("email_changes.account_id"),
        " AND ",
        served!("email_changes.account_id", "$3"),
        " LIMIT $2)"
    );
    Ok(delete_served(db, links, now).await? + delete_served(db, changes, now).await?)
}

/// Deletes the metadata of requests that accounts of a plan made before a moment. Returns how many batches of them.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_requests(db: &Db, plan: &str, before: Micros) -> Result<u64, DbError> {
    // An id holds its time, so that the primary key finds the old ones of each account.
    let (plan, before, region) = (plan.to_owned(), RequestId::first_at(before).to_string(), db.region().to_owned());
    in_batches(db, BATCH, move |tx, size| {
        let (plan, before, region) = (plan.clone(), before.clone(), region.clone());
        Box::pin(async move {
            let done = sqlx::query(concat!(
                "DELETE FROM request_batches WHERE (account_id, last_id, first_id) IN (
                     SELECT old.account_id, old.last_id, old.first_id FROM accounts
                     JOIN request_batches AS old ON old.account_id = accounts.id AND old.last_id < $2
                     WHERE accounts.plan = $1 AND NOT ",
                kept_back!("accounts.id"),
                " AND ($4 = '' OR accounts.region IS NULL OR accounts.region = $4) LIMIT $3)",
            ))
            .bind(plan)
            .bind(before)
            .bind(size)
            .bind(region)
            .execute(&mut **tx)
            .await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Deletes API keys that ended before a moment, by being revoked or by themselves. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_ended_keys(db: &Db, before: Micros) -> Result<u64, DbError> {
    macro_rules! ended {
        ($at:literal) => {
            concat!(
                "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE ",
                $at,
                " < $1 AND NOT ",
                kept_back!("api_keys.account_id"),
                " LIMIT $2)"
            )
        };
    }
    let (revoked, expired) = (ended!("revoked_at"), ended!("expires_at"));
    Ok(delete_in_batches(db, revoked, before).await? + delete_in_batches(db, expired, before).await?)
}

/// Deletes what says of requests about rights that ended before a moment. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_rights_requests(db: &Db, before: Micros) -> Result<u64, DbError> {
    let ended = concat!(
        "DELETE FROM rights_requests WHERE id IN (SELECT id FROM rights_requests WHERE ended_at < $1 AND NOT ",
        kept_back!("rights_requests.account_id"),
        " LIMIT $2)"
    );
    delete_in_batches(db, ended, before).await
}

async fn delete_in_batches(db: &Db, statement: &'static str, before: Micros) -> Result<u64, DbError> {
    in_batches(db, BATCH, move |tx, size| {
        Box::pin(async move {
            let done = sqlx::query(statement).bind(before.0).bind(size).execute(&mut **tx).await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// The same for rows of the accounts that this host serves.
async fn delete_served(db: &Db, statement: &'static str, before: Micros) -> Result<u64, DbError> {
    let region = db.region().to_owned();
    in_batches(db, BATCH, move |tx, size| {
        let region = region.clone();
        Box::pin(async move {
            let done = sqlx::query(statement).bind(before.0).bind(size).bind(region).execute(&mut **tx).await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Deletes a batch of no more than so many rows a commit, at a pace that others hardly notice, until one is not full.
pub(super) async fn in_batches<F>(db: &Db, most: i64, delete: F) -> Result<u64, DbError>
where
    F: for<'t> Fn(&'t mut WriteTx<'_>, i64) -> BoxFuture<'t, Result<u64, DbError>> + Clone + Send + Sync + 'static,
{
    let (mut deleted, mut pace) = (0, Pace::up_to(most));
    loop {
        let (size, delete) = (pace.size(), delete.clone());
        let batch = db.write(move |tx| {
            let deleting = delete(tx, size);
            Box::pin(async move {
                let began = Instant::now();
                deleting.await.map(|rows| (rows, began.elapsed()))
            })
        });
        let (rows, took) = batch.await?;
        deleted += rows;
        if rows < size.unsigned_abs() {
            return Ok(deleted);
        }
        pace.rest(took).await;
    }
}
