//! Forgets what runs were given and returned, once it was kept long enough. The runs stay, with what they cost.

use sqlx::Row as _;

use super::deployments::{RUNS, Range};
use super::{ACCOUNTS, BATCH, in_batches};
use crate::clock::Micros;
use crate::db::kept_back::kept_back;
use crate::db::pace::Pace;
use crate::db::region::served;
use crate::db::{Db, DbError};
use crate::ids::RunId;

/// Forgets inputs, outputs and errors of runs of a plan's accounts that were made before a moment. Returns of how many.
///
/// Each account says up to which run it is done, so that no run is looked at twice. A run's id holds when it was made.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was forgotten until then stays forgotten.
pub async fn forget_contents(db: &Db, plan: &str, before: Micros) -> Result<u64, DbError> {
    let (before, mut after, mut forgotten) = (RunId::first_at(before).to_string(), String::new(), 0);
    let mut pace = Pace::up_to(BATCH);
    loop {
        let found = with_old_runs(db, plan, &before, &after).await?;
        let Some((last, _)) = found.last() else { return Ok(forgotten) };
        after.clone_from(last);
        for (account, done) in found {
            forgotten += forget_of(db, &mut pace, &account, (&done, &before)).await?;
        }
    }
}

/// Accounts that have finished runs between what they are done with and a run, each with the former.
async fn with_old_runs(db: &Db, plan: &str, before: &str, after: &str) -> Result<Vec<(String, String)>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT id, contents_until FROM accounts WHERE plan = $1 AND id > $3 AND
             NOT ",
        kept_back!("accounts.id"),
        " AND EXISTS (
             SELECT 1 FROM runs WHERE runs.account_id = accounts.id AND runs.id >= accounts.contents_until
               AND runs.id < $2 AND runs.status = 'finished') AND ",
        served!("accounts.id", "$4"),
        " ORDER BY id LIMIT $5",
    ))
    .bind(plan)
    .bind(before)
    .bind(after)
    .bind(db.region())
    .bind(ACCOUNTS)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn forget_of(db: &Db, pace: &mut Pace, account: &str, (done, before): (&str, &str)) -> Result<u64, DbError> {
    let mut range = Range { account: account.to_owned(), from: done.to_owned(), to: before.to_owned() };
    let mut forgotten = 0;
    while range.from.as_str() < before {
        // Each batch looks through a part alone, so that none walks over all that is done.
        range.to = range.run_behind(db, RUNS).await?.unwrap_or_else(|| before.to_owned());
        forgotten += forget_in(db, pace, &range).await?;
        range.from = std::mem::replace(&mut range.to, before.to_owned());
    }
    // A run that has not finished yet is come back to.
    let (account, before) = (account.to_owned(), before.to_owned());
    db.write(move |tx| {
        let (account, before) = (account.clone(), before.clone());
        Box::pin(async move {
            sqlx::query(concat!(
                "UPDATE accounts SET contents_until = COALESCE((
                     SELECT MIN(id) FROM runs WHERE account_id = $1 AND id < $2 AND status <> 'finished'
                       AND id >= accounts.contents_until), $2) WHERE id = $1 AND NOT ",
                kept_back!("accounts.id"),
            ))
            .bind(account)
            .bind(before)
            .execute(&mut **tx)
            .await?;
            Ok(())
        })
    })
    .await?;
    Ok(forgotten)
}

async fn forget_in(db: &Db, pace: &mut Pace, range: &Range) -> Result<u64, DbError> {
    let range = range.clone();
    in_batches(db, pace, move |tx, size| {
        let Range { account, from, to } = range.clone();
        Box::pin(async move {
            // The text of an empty value is none of the account's. It may be held since it was looked for.
            let done = sqlx::query(concat!(
                "UPDATE runs SET sealed_input = $4, sealed_output = NULL, sealed_error = NULL
                 WHERE account_id = $1 AND id IN (
                     SELECT id FROM runs WHERE account_id = $1 AND id >= $2 AND id < $3
                       AND status = 'finished' AND LENGTH(sealed_input) > 0 LIMIT $5) AND NOT ",
                kept_back!("runs.account_id"),
            ))
            .bind(account)
            .bind(from)
            .bind(to)
            .bind(Vec::new())
            .bind(size)
            .execute(&mut **tx)
            .await?;
            Ok(done.rows_affected())
        })
    })
    .await
}
