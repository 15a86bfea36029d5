//! Runs: inserted when their credits are held, finished when they settle.

mod cancelled;
mod charged;

use std::collections::HashSet;

pub use cancelled::{cancel_requested, queued_and_restricted, request_cancel};
pub use charged::charged;
use sqlx::AnyConnection;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::region::served;
use super::sets::SetStatement;
use super::unfinished::unfinished;
use super::writer::{Admission, Settlement, WriteTx};
use super::{Db, DbError};
use crate::clock::Micros;
use crate::ids::{AccountId, DeploymentId, HostId, RunId};
use crate::ledger::Microcredits;

static INSERT: SetStatement = SetStatement::new(
    "INSERT INTO runs (account_id, id, deployment_id, deployment_revision, status, cause, attempt, root_run_id,
         host_id, host_epoch, terms_id, held, sealed_input, created_at, started_at)
     VALUES {rows} ON CONFLICT DO NOTHING",
    15,
);

pub(super) async fn insert(connection: &mut AnyConnection, admissions: &[&Admission]) -> Result<(), DbError> {
    let inserted = INSERT
        .execute(connection, admissions, |query, admission| {
            let run = admission.run.to_string();
            query
                .bind(admission.account.to_string())
                .bind(run.clone())
                .bind(admission.deployment.to_string())
                .bind(admission.revision)
                .bind(if admission.host.is_some() { "running" } else { "queued" })
                .bind("api")
                .bind(1_i64)
                .bind(run)
                .bind(admission.host.map(|(host, _)| host.to_string()))
                .bind(admission.host.map(|(_, epoch)| epoch))
                .bind(admission.terms.as_str())
                .bind(admission.held.0)
                .bind(admission.sealed_input.as_slice())
                .bind(admission.at.0)
                .bind(admission.host.map(|_| admission.at.0))
        })
        .await?;
    if inserted == admissions.len() as u64 { Ok(()) } else { Err(DbError::corrupt("a run's id was used before")) }
}

static FINISH: SetStatement = SetStatement::new(
    "WITH v (account_id, id, host_id, host_epoch, outcome, sealed_output, sealed_error, fuel, charged, charges,
         finished_at) AS (VALUES {rows})
     UPDATE runs SET status = 'finished', outcome = v.outcome, sealed_output = v.sealed_output,
         sealed_error = v.sealed_error, fuel = v.fuel, charged = v.charged, charges = v.charges,
         finished_at = v.finished_at
     FROM v
     WHERE runs.account_id = v.account_id AND runs.id = v.id AND runs.status = 'running'
       AND runs.host_id = v.host_id AND runs.host_epoch = v.host_epoch
     RETURNING runs.id",
    11,
);

/// Finishes the runs that are still their host's; returns their ids.
pub(super) async fn finish(
    connection: &mut AnyConnection,
    settlements: &[&Settlement],
) -> Result<HashSet<String>, DbError> {
    let rows = FINISH
        .fetch(connection, settlements, |query, settlement| {
            query
                .bind(settlement.account.to_string())
                .bind(settlement.run.to_string())
                .bind(settlement.host.0.to_string())
                .bind(settlement.host.1)
                .bind(settlement.outcome.as_str())
                .bind(settlement.sealed_output.as_deref())
                .bind(settlement.sealed_error.as_deref())
                .bind(settlement.fuel)
                .bind(settlement.charge.total().0)
                .bind(serde_json::to_string(&settlement.charge).unwrap_or_default())
                .bind(settlement.at.0)
        })
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn count_queued(connection: &mut AnyConnection, account: &str) -> Result<u64, DbError> {
    let row = sqlx::query(concat!("SELECT COUNT(*) FROM runs WHERE runs.account_id = $1 AND ", unfinished!("queued")))
        .bind(account)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
}

/// A run as it is stored, with the names of what it ran.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The run.
    pub id: RunId,
    /// Whose it is.
    pub account: AccountId,
    /// What ran.
    pub deployment: DeploymentId,
    /// The deployment's name.
    pub deployment_name: String,
    /// Which revision of it.
    pub revision: i64,
    /// The agent's name.
    pub agent_name: String,
    /// Its version.
    pub agent_version: i64,
    /// `queued`, `running` or `finished`.
    pub status: String,
    /// How it ended, once it has.
    pub outcome: Option<String>,
    /// Who executes it.
    pub host: Option<(String, i64)>,
    /// What was held.
    pub held: Microcredits,
    /// Names its terms.
    pub terms: String,
    /// The output, sealed.
    pub sealed_output: Option<Vec<u8>>,
    /// The error, sealed.
    pub sealed_error: Option<Vec<u8>>,
    /// Fuel that it burned.
    pub fuel: Option<i64>,
    /// What it cost.
    pub charged: Option<Microcredits>,
    /// The charge's lines, as JSON.
    pub charges: Option<String>,
    /// When it was admitted.
    pub created_at: Micros,
    /// When it started.
    pub started_at: Option<Micros>,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

macro_rules! select_runs {
    ($($conditions:tt)+) => {
        concat!(
            "SELECT runs.id, runs.account_id, runs.deployment_id, deployments.name AS deployment_name,
                 runs.deployment_revision, agents.name AS agent_name, deployment_revisions.agent_version,
                 runs.status, runs.outcome, runs.host_id, runs.host_epoch, runs.held, runs.terms_id,
                 runs.sealed_output, runs.sealed_error, runs.fuel, runs.charged, runs.charges,
                 runs.created_at, runs.started_at, runs.finished_at
             FROM runs
             JOIN deployments ON deployments.id = runs.deployment_id
             JOIN deployment_revisions ON deployment_revisions.deployment_id = runs.deployment_id
                 AND deployment_revisions.revision = runs.deployment_revision
             JOIN agents ON agents.id = deployment_revisions.agent_id ",
            $($conditions)+
        )
    };
}

/// One run of the account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, run: RunId) -> Result<Option<StoredRun>, DbError> {
    let row = sqlx::query(select_runs!("WHERE runs.account_id = $1 AND runs.id = $2"))
        .bind(account.to_string())
        .bind(run.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_run).transpose()
}

/// The input of a run, sealed. It may be large, so that nothing else loads it.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such run.
pub async fn sealed_input(db: &Db, account: AccountId, run: RunId) -> Result<Vec<u8>, DbError> {
    let row = sqlx::query("SELECT sealed_input FROM runs WHERE account_id = $1 AND id = $2")
        .bind(account.to_string())
        .bind(run.to_string())
        .fetch_optional(&db.pool)
        .await?;
    row.ok_or(DbError::Missing("run"))?.try_get(0).map_err(Into::into)
}

/// Which runs a list shows.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only runs of this deployment.
    pub deployment: Option<String>,
    /// Only runs of this status.
    pub status: Option<&'static str>,
    /// Only runs that ended so.
    pub outcome: Option<&'static str>,
    /// Only runs before this one.
    pub before: Option<RunId>,
}

/// The account's runs, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, account: AccountId, filter: &RunFilter, limit: i64) -> Result<Vec<StoredRun>, DbError> {
    // An absent filter is the empty text, which no name and no status is.
    let rows = sqlx::query(select_runs!(
        "WHERE runs.account_id = $1 AND runs.id < $2
           AND ($3 = '' OR deployments.name = $3)
           AND ($4 = '' OR runs.status = $4)
           AND ($5 = '' OR runs.outcome = $5)
         ORDER BY runs.id DESC LIMIT $6"
    ))
    .bind(account.to_string())
    .bind(filter.before.map_or_else(|| "~".to_owned(), |run| run.to_string()))
    .bind(filter.deployment.as_deref().unwrap_or_default())
    .bind(filter.status.unwrap_or_default())
    .bind(filter.outcome.unwrap_or_default())
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_run).collect()
}

/// Deployments with queued runs of accounts that this host serves, each with its account. The queue of an account that is not active stands still.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn deployments_with_queued_runs(db: &Db) -> Result<Vec<(AccountId, DeploymentId)>, DbError> {
    let rows = sqlx::query(concat!(
        "SELECT DISTINCT runs.account_id, runs.deployment_id FROM runs
         JOIN accounts ON accounts.id = runs.account_id AND accounts.status = 'active'
         WHERE ",
        unfinished!("queued"),
        " AND ",
        served!("runs.account_id", "$1"),
        " ORDER BY runs.account_id, runs.deployment_id",
    ))
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    let parsed = |row: &AnyRow| {
        let account = row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?;
        Ok((account, row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?))
    };
    rows.iter().map(parsed).collect()
}

/// The deployment's oldest queued run. None while the account is not active.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn next_queued(db: &Db, account: AccountId, deployment: DeploymentId) -> Result<Option<StoredRun>, DbError> {
    let row = sqlx::query(select_runs!(
        "JOIN accounts ON accounts.id = runs.account_id AND accounts.status = 'active'
         WHERE runs.account_id = $1 AND runs.deployment_id = $2 AND ",
        unfinished!("queued"),
        " ORDER BY runs.id LIMIT 1"
    ))
    .bind(account.to_string())
    .bind(deployment.to_string())
    .fetch_optional(&db.pool)
    .await?;
    row.as_ref().map(stored_run).transpose()
}

/// Takes a run out of the queue, to start it at a moment or to settle it without having started. False when
/// it is not queued any more, or is to start though its account is not active or is served in another region.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn claim(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    run: RunId,
    host: (HostId, i64),
    region: &str,
    starts_at: Option<Micros>,
) -> Result<bool, DbError> {
    let done = sqlx::query(concat!(
        "UPDATE runs SET status = 'running', host_id = $3, host_epoch = $4, started_at = $5
         WHERE account_id = $1 AND id = $2 AND status = 'queued'
           AND ($6 = 0 OR EXISTS (SELECT 1 FROM accounts WHERE accounts.id = $1 AND accounts.status = 'active'))
           AND ",
        served!("$1", "$7"),
    ))
    .bind(account.to_string())
    .bind(run.to_string())
    .bind(host.0.to_string())
    .bind(host.1)
    .bind(starts_at.map(|at| at.0))
    .bind(i64::from(starts_at.is_some()))
    .bind(region)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Running runs of accounts that this host serves, which are not of its present epoch.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn running_elsewhere(db: &Db, host: (HostId, i64)) -> Result<Vec<StoredRun>, DbError> {
    let rows = sqlx::query(concat!(
        select_runs!("WHERE ", unfinished!("running"), " AND (runs.host_id <> $1 OR runs.host_epoch <> $2) AND "),
        served!("runs.account_id", "$3"),
        " ORDER BY runs.id LIMIT 1000"
    ))
    .bind(host.0.to_string())
    .bind(host.1)
    .bind(db.region())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(stored_run).collect()
}

/// Stores terms that are not stored yet.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn store_terms(db: &Db, id: String, terms: String) -> Result<(), DbError> {
    db.write(move |tx| {
        let (id, terms) = (id.clone(), terms.clone());
        Box::pin(async move {
            sqlx::query("INSERT INTO terms (id, terms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(id)
                .bind(terms)
                .execute(&mut **tx)
                .await?;
            Ok(())
        })
    })
    .await
}

/// The text of stored terms.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or lacks them.
pub async fn terms(db: &Db, id: &str) -> Result<String, DbError> {
    let row = sqlx::query("SELECT terms FROM terms WHERE id = $1").bind(id).fetch_optional(&db.pool).await?;
    row.ok_or(DbError::Missing("terms"))?.try_get(0).map_err(Into::into)
}

fn stored_run(row: &AnyRow) -> Result<StoredRun, DbError> {
    let host: Option<String> = row.try_get("host_id")?;
    let epoch: Option<i64> = row.try_get("host_epoch")?;
    Ok(StoredRun {
        id: row.try_get::<String, _>("id")?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>("account_id")?.parse().map_err(DbError::corrupt)?,
        deployment: row.try_get::<String, _>("deployment_id")?.parse().map_err(DbError::corrupt)?,
        deployment_name: row.try_get("deployment_name")?,
        revision: row.try_get("deployment_revision")?,
        agent_name: row.try_get("agent_name")?,
        agent_version: row.try_get("agent_version")?,
        status: row.try_get("status")?,
        outcome: row.try_get("outcome")?,
        host: host.zip(epoch),
        held: Microcredits(row.try_get("held")?),
        terms: row.try_get("terms_id")?,
        sealed_output: row.try_get("sealed_output")?,
        sealed_error: row.try_get("sealed_error")?,
        fuel: row.try_get("fuel")?,
        charged: row.try_get::<Option<i64>, _>("charged")?.map(Microcredits),
        charges: row.try_get("charges")?,
        created_at: Micros(row.try_get("created_at")?),
        started_at: row.try_get::<Option<i64>, _>("started_at")?.map(Micros),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Micros),
    })
}
