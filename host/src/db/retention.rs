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
use sqlx::Row as _;

use super::kept_back::kept_back;
use super::pace::Pace;
use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{RequestId, RunId};

/// The most rows of one commit; fewer where they take long.
const BATCH: i64 = 500;

/// Accounts that are looked for at a time.
const ACCOUNTS: i64 = 100;

/// Accounts of a plan ($1), behind one ($2), that have rows which are old enough.
macro_rules! with {
    ($rows:literal) => {
        concat!(
            "SELECT id FROM accounts WHERE plan = $1 AND id > $2 AND NOT ",
            kept_back!("accounts.id"),
            " AND EXISTS (SELECT 1 FROM ",
            $rows,
            ") AND ($4 = '' OR region IS NULL OR region = $4) ORDER BY id LIMIT $5"
        )
    };
}

/// Deletes log chunks that were written before a moment by runs of a plan's accounts. Returns how many.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was deleted until then stays deleted.
pub async fn delete_logs(db: &Db, plan: &str, before: Micros) -> Result<u64, DbError> {
    // No run writes before it is made, and its id holds when that was: the primary key finds the old ones.
    let with_old = with!(
        "log_chunks WHERE log_chunks.account_id = accounts.id AND log_chunks.run_id < $3 AND log_chunks.created_at < $6"
    );
    let delete = concat!(
        "DELETE FROM log_chunks WHERE (account_id, run_id, first_sequence) IN (
             SELECT account_id, run_id, first_sequence FROM log_chunks
             WHERE account_id = $1 AND run_id < $2 AND created_at < $4 LIMIT $3) AND NOT ",
        kept_back!("log_chunks.account_id"),
    );
    delete_by_account(db, plan, (with_old, delete), (RunId::first_at(before).to_string(), Some(before))).await
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
    let with_old =
        with!("request_batches WHERE request_batches.account_id = accounts.id AND request_batches.last_id < $3");
    let delete = concat!(
        "DELETE FROM request_batches WHERE (account_id, last_id, first_id) IN (
             SELECT account_id, last_id, first_id FROM request_batches WHERE account_id = $1 AND last_id < $2 LIMIT $3)
         AND NOT ",
        kept_back!("request_batches.account_id"),
    );
    delete_by_account(db, plan, (with_old, delete), (RequestId::first_at(before).to_string(), None)).await
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
    in_batches(db, &mut Pace::up_to(BATCH), move |tx, size| {
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
    in_batches(db, &mut Pace::up_to(BATCH), move |tx, size| {
        let region = region.clone();
        Box::pin(async move {
            let done = sqlx::query(statement).bind(before.0).bind(size).bind(region).execute(&mut **tx).await?;
            Ok(done.rows_affected())
        })
    })
    .await
}

/// Deletes what accounts of a plan have with an id below one, and that was written before a moment where one is given.
///
/// The accounts are looked for by a reader: the writer would go through those that are done again with every batch.
async fn delete_by_account(
    db: &Db,
    plan: &str,
    (with_old, delete): (&'static str, &'static str),
    (below, written): (String, Option<Micros>),
) -> Result<u64, DbError> {
    let (mut after, mut deleted, mut pace) = (String::new(), 0, Pace::up_to(BATCH));
    loop {
        let query = sqlx::query(with_old).bind(plan).bind(&after).bind(&below).bind(db.region()).bind(ACCOUNTS);
        let query = if let Some(written) = written { query.bind(written.0) } else { query };
        let found = query.fetch_all(&db.pool).await?;
        let accounts = found.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        let Some(last) = accounts.last() else { return Ok(deleted) };
        after.clone_from(last);
        for account in accounts {
            let bound = (account, below.clone());
            let of_account = in_batches(db, &mut pace, move |tx, size| {
                let (account, below) = bound.clone();
                Box::pin(async move {
                    let query = sqlx::query(delete).bind(account).bind(below).bind(size);
                    let query = if let Some(written) = written { query.bind(written.0) } else { query };
                    Ok(query.execute(&mut **tx).await?.rows_affected())
                })
            });
            deleted += of_account.await?;
        }
    }
}

/// Deletes batch by batch, at a pace that others hardly notice, until one is not full. What belongs to one duty goes at
/// one pace: it has been learnt, and hurries when there is much.
pub(super) async fn in_batches<F>(db: &Db, pace: &mut Pace, delete: F) -> Result<u64, DbError>
where
    F: for<'t> Fn(&'t mut WriteTx<'_>, i64) -> BoxFuture<'t, Result<u64, DbError>> + Clone + Send + Sync + 'static,
{
    let mut deleted = 0;
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
        let is_full = rows == size.unsigned_abs();
        pace.rest(took, is_full).await;
        if !is_full {
            return Ok(deleted);
        }
    }
}
