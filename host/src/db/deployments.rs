//! Deployments and their immutable revisions.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unfinished::unfinished;
use super::{Db, DbError, WriteTx, spending};
use crate::clock::Micros;
use crate::config::RetentionOverlay;
use crate::ids::{AccountId, AgentId, DeploymentId};
use crate::ledger::Microcredits;
use crate::names::Name;

/// A deployment at one revision, with the component that it runs.
#[derive(Clone, Debug)]
pub struct StoredDeployment {
    /// The deployment.
    pub id: DeploymentId,
    /// Its name.
    pub name: String,
    /// The revision's number, from 1.
    pub revision: i64,
    /// The agent.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The agent's version.
    pub agent_version: i64,
    /// The component's digest.
    pub digest: String,
    /// The component's kind.
    pub kind: String,
    /// What the component says of itself, as JSON.
    pub manifest: String,
    /// Configuration values, sealed.
    pub sealed_config: Vec<u8>,
    /// Limits that the deployment sets, as JSON.
    pub limits: String,
    /// What it grants, as JSON.
    pub grants: String,
    /// Whether outputs and logs of model calls are kept.
    pub log_output: bool,
    /// What its runs may spend in a day.
    pub daily_spend: Option<Microcredits>,
    /// How long what its runs leave is kept, where that is less than the plan says.
    pub retention: RetentionOverlay,
    /// When the deployment was made.
    pub created_at: Micros,
    /// When this revision was.
    pub updated_at: Micros,
}

/// A revision to make.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// Whose it is.
    pub account: AccountId,
    /// The deployment's id, should it be new.
    pub id: DeploymentId,
    /// The deployment's name.
    pub name: String,
    /// The agent.
    pub agent: AgentId,
    /// The agent's version.
    pub agent_version: i64,
    /// Configuration values, sealed.
    pub sealed_config: Vec<u8>,
    /// Limits that the deployment sets, as JSON.
    pub limits: String,
    /// What it grants, as JSON.
    pub grants: String,
    /// The credentials that it names.
    pub credentials: Vec<Name>,
    /// Whether outputs and logs of model calls are kept.
    pub log_output: bool,
    /// What its runs may spend in a day.
    pub daily_spend: Option<Microcredits>,
    /// How long what its runs leave is kept, where that is less than the plan says.
    pub retention: RetentionOverlay,
    /// Most deployments of the account.
    pub most_deployments: u64,
    /// Now.
    pub at: Micros,
}

/// The id that a name has, or that it would get: sealed values are bound to it before they are written.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn id_for(db: &Db, account: AccountId, name: &str) -> Result<DeploymentId, DbError> {
    let row = sqlx::query("SELECT id FROM deployments WHERE account_id = $1 AND name = $2 AND deleted_at IS NULL")
        .bind(account.to_string())
        .bind(name)
        .fetch_optional(&db.pool)
        .await?;
    match row {
        Some(row) => row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt),
        None => Ok(DeploymentId::generate()),
    }
}

/// Makes the next revision of a deployment, and the deployment with its first. The answer says its number.
///
/// # Errors
/// [`DbError::Limit`] when the account has as many deployments as it may have, [`DbError::Exists`] when the
/// name was taken or freed since [`id_for`], [`DbError::Missing`] when the agent is gone.
pub async fn put(tx: &mut WriteTx<'_>, new: &NewRevision) -> Result<i64, DbError> {
    let revision = next_revision(tx, new).await?;
    let agent = sqlx::query("UPDATE agents SET name = name WHERE id = $1 AND deleted_at IS NULL")
        .bind(new.agent.to_string())
        .execute(&mut **tx)
        .await?;
    if agent.rows_affected() == 0 {
        return Err(DbError::Missing("agent"));
    }
    sqlx::query(
        "INSERT INTO deployment_revisions (account_id, deployment_id, revision, agent_id, agent_version,
             sealed_config, limits, grants, log_output, daily_spend, created_at, log_days, content_days)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(new.account.to_string())
    .bind(new.id.to_string())
    .bind(revision)
    .bind(new.agent.to_string())
    .bind(new.agent_version)
    .bind(new.sealed_config.as_slice())
    .bind(new.limits.as_str())
    .bind(new.grants.as_str())
    .bind(i64::from(new.log_output))
    .bind(new.daily_spend.map(|most| most.0))
    .bind(new.at.0)
    .bind(new.retention.log_days.map(i64::from))
    .bind(new.retention.content_days.map(i64::from))
    .execute(&mut **tx)
    .await?;
    name_credentials(tx, new.account, &new.id.to_string(), &new.credentials).await?;
    // What was spent while there was no cap has to count.
    spending::forget(tx, (new.account, Some(new.id))).await?;
    Ok(revision)
}

/// Notes which credentials a deployment names from now on.
async fn name_credentials(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    deployment: &str,
    credentials: &[Name],
) -> Result<(), DbError> {
    sqlx::query("DELETE FROM deployment_credentials WHERE account_id = $1 AND deployment_id = $2")
        .bind(account.to_string())
        .bind(deployment.to_owned())
        .execute(&mut **tx)
        .await?;
    for credential in credentials {
        sqlx::query("INSERT INTO deployment_credentials (account_id, deployment_id, credential) VALUES ($1, $2, $3)")
            .bind(account.to_string())
            .bind(deployment.to_owned())
            .bind(credential.as_str())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn next_revision(tx: &mut WriteTx<'_>, new: &NewRevision) -> Result<i64, DbError> {
    let known = sqlx::query(
        "UPDATE deployments SET revision = revision + 1, updated_at = $3
         WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING revision",
    )
    .bind(new.account.to_string())
    .bind(new.id.to_string())
    .bind(new.at.0)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(row) = known {
        return Ok(row.try_get(0)?);
    }
    let row = sqlx::query("SELECT COUNT(*) FROM deployments WHERE account_id = $1 AND deleted_at IS NULL")
        .bind(new.account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= new.most_deployments {
        return Err(DbError::Limit { limit: "deployments", value: new.most_deployments });
    }
    let inserted = sqlx::query(
        "INSERT INTO deployments (id, account_id, name, revision, created_at, updated_at)
         VALUES ($1, $2, $3, 1, $4, $4) ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(new.account.to_string())
    .bind(new.name.as_str())
    .bind(new.at.0)
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(DbError::Exists("a deployment of this name"));
    }
    Ok(1)
}

const SELECT: &str = "SELECT deployments.id, deployments.name, deployment_revisions.revision, agents.id,
         agents.name, agent_versions.version, agent_versions.digest, agent_versions.kind,
         agent_versions.manifest, deployment_revisions.sealed_config, deployment_revisions.limits,
         deployment_revisions.grants, deployment_revisions.log_output, deployments.created_at,
         deployment_revisions.created_at, deployment_revisions.daily_spend, deployment_revisions.log_days,
         deployment_revisions.content_days
     FROM deployments
     JOIN deployment_revisions ON deployment_revisions.deployment_id = deployments.id
     JOIN agents ON agents.id = deployment_revisions.agent_id
     JOIN agent_versions ON agent_versions.agent_id = agents.id
         AND agent_versions.version = deployment_revisions.agent_version
     WHERE deployments.account_id = $1";

/// A deployment of the account at its present revision.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, name: &str) -> Result<Option<StoredDeployment>, DbError> {
    let text = format!(
        "{SELECT} AND deployments.deleted_at IS NULL AND deployment_revisions.revision = deployments.revision
         AND deployments.name = $2"
    );
    let row =
        sqlx::query(sqlx::AssertSqlSafe(text)).bind(account.to_string()).bind(name).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored_deployment).transpose()
}

/// A deployment of the account at a revision of its past, deleted or not: for runs that were admitted under it.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn at_revision(
    db: &Db,
    account: AccountId,
    deployment: DeploymentId,
    revision: i64,
) -> Result<Option<StoredDeployment>, DbError> {
    let text = format!("{SELECT} AND deployments.id = $2 AND deployment_revisions.revision = $3");
    let row = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(deployment.to_string())
        .bind(revision)
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_deployment).transpose()
}

/// The account's deployments, by name.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, account: AccountId, after: &str, limit: i64) -> Result<Vec<StoredDeployment>, DbError> {
    let text = format!(
        "{SELECT} AND deployments.deleted_at IS NULL AND deployment_revisions.revision = deployments.revision
         AND deployments.name > $2 ORDER BY deployments.name LIMIT $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_deployment).collect()
}

/// What all of an account's deployments are or were called.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn names(db: &Db, account: AccountId) -> Result<HashMap<DeploymentId, String>, DbError> {
    let rows = sqlx::query("SELECT id, name FROM deployments WHERE account_id = $1")
        .bind(account.to_string())
        .fetch_all(&db.pool)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?, row.try_get(1)?)))
        .collect()
}

/// Deletes a deployment; its revisions stay for the runs that name them.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such deployment, [`DbError::InUse`] when runs are not finished.
pub async fn delete(tx: &mut WriteTx<'_>, account: AccountId, name: &str, at: Micros) -> Result<(), DbError> {
    let row = sqlx::query(
        "UPDATE deployments SET deleted_at = $3
         WHERE account_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id",
    )
    .bind(account.to_string())
    .bind(name)
    .bind(at.0)
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(DbError::Missing("deployment"))?;
    let id: String = row.try_get(0)?;
    name_credentials(tx, account, &id, &[]).await?;
    let unfinished = sqlx::query(concat!(
        "SELECT id FROM runs WHERE account_id = $1 AND deployment_id = $2 AND ",
        unfinished!(),
        " ORDER BY id LIMIT 10",
    ))
    .bind(account.to_string())
    .bind(id)
    .fetch_all(&mut **tx)
    .await?;
    if unfinished.is_empty() {
        return Ok(());
    }
    let runs = unfinished.iter().map(|row| Ok(format!("run `{}`", row.try_get::<String, _>(0)?)));
    Err(DbError::InUse(runs.collect::<Result<_, DbError>>()?))
}

fn stored_deployment(row: &AnyRow) -> Result<StoredDeployment, DbError> {
    let days = |column: usize| -> Result<Option<u32>, DbError> {
        row.try_get::<Option<i64>, _>(column)?.map(u32::try_from).transpose().map_err(DbError::corrupt)
    };
    Ok(StoredDeployment {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        name: row.try_get(1)?,
        revision: row.try_get(2)?,
        agent: row.try_get::<String, _>(3)?.parse().map_err(DbError::corrupt)?,
        agent_name: row.try_get(4)?,
        agent_version: row.try_get(5)?,
        digest: row.try_get(6)?,
        kind: row.try_get(7)?,
        manifest: row.try_get(8)?,
        sealed_config: row.try_get(9)?,
        limits: row.try_get(10)?,
        grants: row.try_get(11)?,
        log_output: row.try_get::<i64, _>(12)? == 1,
        daily_spend: row.try_get::<Option<i64>, _>(15)?.map(Microcredits),
        retention: RetentionOverlay { log_days: days(16)?, content_days: days(17)? },
        created_at: Micros(row.try_get(13)?),
        updated_at: Micros(row.try_get(14)?),
    })
}
