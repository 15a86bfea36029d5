//! Forgets what runs of a deployment left that keeps it less long than its account's plan.

use sqlx::Row as _;

use super::{BATCH, in_batches};
use crate::clock::Micros;
use crate::db::kept_back::kept_back;
use crate::db::pace::Pace;
use crate::db::region::served;
use crate::db::{Db, DbError};
use crate::ids::RunId;

const DAY_MS: i64 = 24 * 3_600_000;

/// Deployments that are looked for at a time.
const DEPLOYMENTS: i64 = 100;

/// Runs of an account that are looked at by one statement, whichever deployment's they are: no index finds a
/// deployment's own, since it would cost each run a write.
pub(super) const RUNS: i64 = 1_000;

/// What a deployment may keep less long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfRuns {
    /// Logs.
    Logs,
    /// Inputs, outputs and errors.
    Contents,
}

impl OfRuns {
    /// Deployments that say so, each with the run before which it is done.
    const fn saying(self) -> &'static str {
        macro_rules! saying {
            ($days:literal, $until:literal) => {
                concat!(
                    "SELECT deployments.account_id, deployments.id, deployments.created_at, deployments.",
                    $until,
                    ", deployment_revisions.",
                    $days,
                    " FROM deployment_revisions
                     JOIN deployments ON deployments.id = deployment_revisions.deployment_id
                         AND deployments.revision = deployment_revisions.revision
                     WHERE deployment_revisions.",
                    $days,
                    " IS NOT NULL AND deployment_revisions.deployment_id > $1 AND NOT ",
                    kept_back!("deployments.account_id"),
                    " AND ",
                    served!("deployments.account_id", "$2"),
                    " ORDER BY deployment_revisions.deployment_id LIMIT $3"
                )
            };
        }
        match self {
            Self::Logs => saying!("log_days", "logs_until"),
            Self::Contents => saying!("content_days", "contents_until"),
        }
    }

    /// Deletes some of what is too old, of the deployment's runs in a range of the account's.
    const fn forgetting(self) -> &'static str {
        match self {
            Self::Logs => concat!(
                "DELETE FROM log_chunks WHERE (account_id, run_id, first_sequence) IN (
                     SELECT log_chunks.account_id, log_chunks.run_id, log_chunks.first_sequence FROM runs
                     CROSS JOIN log_chunks
                     WHERE runs.account_id = $1 AND runs.id >= $2 AND runs.id < $3 AND runs.deployment_id = $4
                       AND log_chunks.account_id = $1 AND log_chunks.run_id = runs.id
                       AND log_chunks.created_at < $6 LIMIT $5) AND NOT ",
                kept_back!("log_chunks.account_id")
            ),
            // The text of an empty value is none of the account's. A run's id holds when it was made.
            Self::Contents => concat!(
                "UPDATE runs SET sealed_input = $6, sealed_output = NULL, sealed_error = NULL
                 WHERE account_id = $1 AND id IN (
                     SELECT id FROM runs WHERE account_id = $1 AND id >= $2 AND id < $3 AND deployment_id = $4
                       AND status = 'finished' AND LENGTH(sealed_input) > 0 LIMIT $5) AND NOT ",
                kept_back!("runs.account_id")
            ),
        }
    }

    /// The first of the deployment's runs in a range that has to be come back to.
    const fn left(self) -> &'static str {
        match self {
            Self::Logs => {
                "SELECT id FROM runs WHERE account_id = $1 AND id >= $2 AND id < $3 AND deployment_id = $4
                   AND (status <> 'finished' OR EXISTS (
                       SELECT 1 FROM log_chunks WHERE log_chunks.account_id = $1 AND log_chunks.run_id = runs.id))
                 ORDER BY id LIMIT 1"
            }
            Self::Contents => {
                "SELECT id FROM runs WHERE account_id = $1 AND id >= $2 AND id < $3 AND deployment_id = $4
                   AND status <> 'finished' ORDER BY id LIMIT 1"
            }
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Logs => concat!(
                "UPDATE deployments SET logs_until = $3 WHERE account_id = $1 AND id = $2 AND NOT ",
                kept_back!("deployments.account_id")
            ),
            Self::Contents => concat!(
                "UPDATE deployments SET contents_until = $3 WHERE account_id = $1 AND id = $2 AND NOT ",
                kept_back!("deployments.account_id")
            ),
        }
    }
}

/// The run that comes behind so many of the account's in a range.
const BEHIND: &str = "SELECT id FROM runs WHERE account_id = $1 AND id >= $2 AND id < $3 ORDER BY id LIMIT 1 OFFSET $4";

/// A deployment that keeps something less long.
struct Saying {
    account: String,
    id: String,
    /// Before which run nothing is left to do; a run of the deployment is not older than it.
    until: String,
    days: i64,
}

/// Forgets what deployments keep less long than their accounts' plans. Returns of how much: chunks of logs, or runs.
///
/// Each deployment says before which run it is done, so that no run is looked at twice for it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer; what was forgotten until then stays forgotten.
pub async fn forget_earlier(db: &Db, what: OfRuns, now: Micros) -> Result<u64, DbError> {
    let (mut after, mut forgotten, mut pace) = (String::new(), 0, Pace::up_to(BATCH));
    loop {
        let found = saying(db, what, &after).await?;
        let Some(last) = found.last() else { return Ok(forgotten) };
        after.clone_from(&last.id);
        for deployment in &found {
            forgotten += forget_of(db, what, &mut pace, (deployment, now.plus_ms(-deployment.days * DAY_MS))).await?;
        }
    }
}

async fn saying(db: &Db, what: OfRuns, after: &str) -> Result<Vec<Saying>, DbError> {
    let query = sqlx::query(what.saying()).bind(after).bind(db.region()).bind(DEPLOYMENTS);
    let rows = query.fetch_all(&db.pool).await?;
    rows.iter()
        .map(|row| {
            let begun = RunId::first_at(Micros(row.try_get(2)?)).to_string();
            let until: String = row.try_get(3)?;
            Ok(Saying { account: row.try_get(0)?, id: row.try_get(1)?, until: until.max(begun), days: row.try_get(4)? })
        })
        .collect()
}

async fn forget_of(
    db: &Db,
    what: OfRuns,
    pace: &mut Pace,
    (deployment, before): (&Saying, Micros),
) -> Result<u64, DbError> {
    let end = RunId::first_at(before).to_string();
    let mut range = Range { account: deployment.account.clone(), from: deployment.until.clone(), to: end.clone() };
    if range.run_behind(db, 0).await?.is_none() {
        return Ok(0);
    }
    let (mut left, mut forgotten) = (None, 0);
    while range.from < end {
        range.to.clone_from(&end);
        if let Some(run) = range.run_behind(db, RUNS).await? {
            range.to = run;
        }
        forgotten += forget_in(db, what, pace, (&deployment.id, &range, before)).await?;
        if left.is_none() {
            left = range.run(db, what.left(), &deployment.id).await?;
        }
        range.from.clone_from(&range.to);
    }
    let bound = (deployment.account.clone(), deployment.id.clone(), left.unwrap_or(end));
    db.write(move |tx| {
        let (account, id, until) = bound.clone();
        Box::pin(async move {
            sqlx::query(what.done()).bind(account).bind(id).bind(until).execute(&mut **tx).await?;
            Ok(())
        })
    })
    .await?;
    Ok(forgotten)
}

/// Runs of an account from one to before another.
#[derive(Clone)]
pub(super) struct Range {
    pub account: String,
    pub from: String,
    pub to: String,
}

impl Range {
    /// The run behind so many.
    pub(super) async fn run_behind(&self, db: &Db, runs: i64) -> Result<Option<String>, DbError> {
        let query = sqlx::query(BEHIND).bind(&self.account).bind(&self.from).bind(&self.to).bind(runs);
        query.fetch_optional(&db.pool).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// The run of a deployment that a statement finds.
    async fn run(&self, db: &Db, statement: &'static str, deployment: &str) -> Result<Option<String>, DbError> {
        let query = sqlx::query(statement).bind(&self.account).bind(&self.from).bind(&self.to).bind(deployment);
        query.fetch_optional(&db.pool).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

async fn forget_in(
    db: &Db,
    what: OfRuns,
    pace: &mut Pace,
    (deployment, range, before): (&str, &Range, Micros),
) -> Result<u64, DbError> {
    let bound = (deployment.to_owned(), range.clone());
    in_batches(db, pace, move |tx, size| {
        let (deployment, Range { account, from, to }) = bound.clone();
        Box::pin(async move {
            let query = sqlx::query(what.forgetting()).bind(account).bind(from).bind(to).bind(deployment);
            let query = query.bind(size);
            let query = match what {
                OfRuns::Logs => query.bind(before.0),
                OfRuns::Contents => query.bind(Vec::new()),
            };
            Ok(query.execute(&mut **tx).await?.rows_affected())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::plans::Plans;

    #[tokio::test]
    async fn an_index_finds_the_deployments_and_the_primary_key_their_runs() {
        let plans = Plans::new().await;
        for what in [OfRuns::Logs, OfRuns::Contents] {
            let saying = plans.by_index(what.saying()).await;
            assert!(
                saying[0].starts_with("SEARCH deployment_revisions USING INDEX deployment_revisions_"),
                "{saying:?}"
            );
            for statement in [what.forgetting(), what.left(), BEHIND] {
                let plan = plans.by_index(statement).await;
                let range = "(account_id=? AND id>? AND id<?)";
                assert!(plan.iter().any(|step| step.contains("SEARCH runs") && step.contains(range)), "{plan:?}");
            }
            let done = plans.of(what.done()).await;
            assert!(done[0].starts_with("SEARCH deployments"), "{done:?}");
        }
    }
}
