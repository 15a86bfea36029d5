//! Agents, their versions, and the bytes of their components.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::unfinished::unfinished;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, AgentId};

/// Bytes of one chunk of a component: small enough that storing it holds up nobody.
pub const CHUNK_BYTES: usize = 1 << 20;

/// An agent as it is stored.
#[derive(Clone, Debug)]
pub struct StoredAgent {
    /// The agent.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Micros,
    /// Its latest version.
    pub latest: StoredVersion,
}

/// A version as it is stored.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    /// Its number, from 1.
    pub version: i64,
    /// The component's digest.
    pub digest: String,
    /// What kind of component it is.
    pub kind: String,
    /// What it says of itself, as JSON.
    pub manifest: String,
    /// Bytes of the component.
    pub bytes: i64,
    /// When it was uploaded.
    pub created_at: Micros,
}

/// A version to make.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Whose it is.
    pub account: AccountId,
    /// The agent's name.
    pub name: String,
    /// The component's digest.
    pub digest: String,
    /// What kind of component it is.
    pub kind: &'static str,
    /// What it says of itself, as JSON.
    pub manifest: String,
    /// Bytes of the component.
    pub bytes: i64,
    /// Most agents of the account.
    pub most_agents: u64,
    /// Most versions of one agent.
    pub most_versions: u64,
    /// Now.
    pub at: Micros,
}

/// An upload that has not ended after so long was given up.
const UPLOAD_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Stores a component's bytes, chunk by chunk, each in a commit of its own. A crash in between leaves an
/// incomplete component, which the next upload of the same bytes completes.
///
/// # Errors
/// [`DbError::Missing`] when chunks were deleted meanwhile, of another upload of the same bytes that was complete and
/// had no version yet; [`DbError`] when a commit failed.
pub async fn store_component(
    db: &Db,
    account: AccountId,
    digest: &str,
    bytes: bytes::Bytes,
    at: Micros,
) -> Result<(), DbError> {
    let row = sqlx::query("SELECT complete FROM components WHERE account_id = $1 AND digest = $2")
        .bind(account.to_string())
        .bind(digest)
        .fetch_optional(&db.pool)
        .await?;
    if row.is_some_and(|row| row.try_get::<i64, _>(0).is_ok_and(|complete| complete == 1)) {
        return Ok(());
    }
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let mut position = 0_i64;
    let mut rest = bytes;
    while !rest.is_empty() || position == 0 {
        let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
        let complete = i64::from(rest.is_empty());
        let digest = digest.to_owned();
        db.write(move |tx| {
            let (chunk, digest) = (chunk.clone(), digest.clone());
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO component_chunks (account_id, digest, position, chunk) VALUES ($1, $2, $3, $4)
                     ON CONFLICT DO NOTHING",
                )
                .bind(account.to_string())
                .bind(digest.as_str())
                .bind(position)
                .bind(chunk.to_vec())
                .execute(&mut **tx)
                .await?;
                if complete == 1 {
                    let row =
                        sqlx::query("SELECT COUNT(*) FROM component_chunks WHERE account_id = $1 AND digest = $2");
                    let row = row.bind(account.to_string()).bind(digest.as_str()).fetch_one(&mut **tx).await?;
                    if row.try_get::<i64, _>(0)? != position + 1 {
                        return Err(DbError::Missing("component"));
                    }
                }
                sqlx::query(
                    "INSERT INTO components (account_id, digest, bytes, complete, created_at)
                     VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (account_id, digest) DO UPDATE
                         SET complete = CASE WHEN components.complete = 1 THEN 1 ELSE $4 END",
                )
                .bind(account.to_string())
                .bind(digest)
                .bind(size)
                .bind(complete)
                .bind(at.0)
                .execute(&mut **tx)
                .await?;
                Ok(())
            })
        })
        .await?;
        position += 1;
    }
    Ok(())
}

/// A component's bytes.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such complete component.
pub async fn component(db: &Db, account: AccountId, digest: &str) -> Result<Vec<u8>, DbError> {
    let rows = sqlx::query(
        "SELECT component_chunks.chunk FROM component_chunks
         JOIN components ON components.account_id = component_chunks.account_id
             AND components.digest = component_chunks.digest AND components.complete = 1
         WHERE component_chunks.account_id = $1 AND component_chunks.digest = $2
         ORDER BY component_chunks.position",
    )
    .bind(account.to_string())
    .bind(digest)
    .fetch_all(&db.pool)
    .await?;
    if rows.is_empty() {
        return Err(DbError::Missing("component"));
    }
    let mut bytes = Vec::with_capacity(rows.len() * CHUNK_BYTES);
    for row in rows {
        bytes.extend_from_slice(&row.try_get::<Vec<u8>, _>(0)?);
    }
    Ok(bytes)
}

/// Adds a version, and the agent with its first. The same digest again is the version that it was.
/// The answer says whether the version is new.
///
/// # Errors
/// [`DbError::Limit`] when the account has as many agents or versions as it may have.
pub async fn add_version(tx: &mut WriteTx<'_>, new: &NewVersion) -> Result<(StoredVersion, bool), DbError> {
    let agent = agent_for(tx, new).await?;
    let known = sqlx::query(
        "SELECT version, digest, kind, manifest, bytes, created_at FROM agent_versions
         WHERE agent_id = $1 AND digest = $2",
    )
    .bind(agent.as_str())
    .bind(new.digest.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(row) = known {
        return Ok((stored_version(&row, 0)?, false));
    }
    // What an agent's deletion has taken meanwhile is to be uploaded again. An update that changes nothing locks the row.
    let kept = sqlx::query("UPDATE components SET complete = 1 WHERE account_id = $1 AND digest = $2 AND complete = 1")
        .bind(new.account.to_string())
        .bind(new.digest.as_str())
        .execute(&mut **tx)
        .await?;
    if kept.rows_affected() == 0 {
        return Err(DbError::Missing("component"));
    }
    let row = sqlx::query("SELECT COUNT(*), COALESCE(MAX(version), 0) FROM agent_versions WHERE agent_id = $1")
        .bind(agent.as_str())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= new.most_versions {
        return Err(DbError::Limit { limit: "versions", value: new.most_versions });
    }
    let version = row.try_get::<i64, _>(1)? + 1;
    sqlx::query(
        "INSERT INTO agent_versions (account_id, agent_id, version, digest, kind, manifest, bytes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.account.to_string())
    .bind(agent)
    .bind(version)
    .bind(new.digest.as_str())
    .bind(new.kind)
    .bind(new.manifest.as_str())
    .bind(new.bytes)
    .bind(new.at.0)
    .execute(&mut **tx)
    .await?;
    let stored = StoredVersion {
        version,
        digest: new.digest.clone(),
        kind: new.kind.to_owned(),
        manifest: new.manifest.clone(),
        bytes: new.bytes,
        created_at: new.at,
    };
    Ok((stored, true))
}

async fn agent_for(tx: &mut WriteTx<'_>, new: &NewVersion) -> Result<String, DbError> {
    let known = sqlx::query("SELECT id FROM agents WHERE account_id = $1 AND name = $2 AND deleted_at IS NULL")
        .bind(new.account.to_string())
        .bind(new.name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = known {
        return Ok(row.try_get(0)?);
    }
    let row = sqlx::query("SELECT COUNT(*) FROM agents WHERE account_id = $1 AND deleted_at IS NULL")
        .bind(new.account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= new.most_agents {
        return Err(DbError::Limit { limit: "agents", value: new.most_agents });
    }
    let id = AgentId::generate().to_string();
    sqlx::query("INSERT INTO agents (id, account_id, name, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id.as_str())
        .bind(new.account.to_string())
        .bind(new.name.as_str())
        .bind(new.at.0)
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

const SELECT: &str = "SELECT agents.id, agents.name, agents.created_at, agent_versions.version,
         agent_versions.digest, agent_versions.kind, agent_versions.manifest, agent_versions.bytes,
         agent_versions.created_at
     FROM agents
     JOIN agent_versions ON agent_versions.agent_id = agents.id
         AND agent_versions.version = (SELECT MAX(version) FROM agent_versions WHERE agent_id = agents.id)
     WHERE agents.account_id = $1 AND agents.deleted_at IS NULL";

/// The account's agents, by name.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, account: AccountId, after: &str, limit: i64) -> Result<Vec<StoredAgent>, DbError> {
    let text = format!("{SELECT} AND agents.name > $2 ORDER BY agents.name LIMIT $3");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_agent).collect()
}

/// One agent of the account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, name: &str) -> Result<Option<StoredAgent>, DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND agents.name = $2")))
        .bind(account.to_string())
        .bind(name)
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_agent).transpose()
}

/// The versions of an agent, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn versions(db: &Db, account: AccountId, agent: AgentId) -> Result<Vec<StoredVersion>, DbError> {
    let rows = sqlx::query(
        "SELECT version, digest, kind, manifest, bytes, created_at FROM agent_versions
         WHERE account_id = $1 AND agent_id = $2 ORDER BY version DESC",
    )
    .bind(account.to_string())
    .bind(agent.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| stored_version(row, 0)).collect()
}

/// Deletes an agent that no deployment uses, with the components that no other agent has.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such agent, [`DbError::InUse`] when deployments, or runs that
/// an earlier revision of one admitted, use it.
pub async fn delete(tx: &mut WriteTx<'_>, account: AccountId, name: &str, at: Micros) -> Result<(), DbError> {
    let row = sqlx::query("SELECT id FROM agents WHERE account_id = $1 AND name = $2 AND deleted_at IS NULL")
        .bind(account.to_string())
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(DbError::Missing("agent"))?;
    let agent: String = row.try_get(0)?;
    let users = users(tx, account, &agent).await?;
    if !users.is_empty() {
        return Err(DbError::InUse(users));
    }
    sqlx::query("UPDATE agents SET deleted_at = $2 WHERE id = $1").bind(agent).bind(at.0).execute(&mut **tx).await?;
    // Names in two statements: chunks first, so that a component is never complete without them. One that is being
    // uploaded has no version yet and keeps its chunks.
    for table in ["component_chunks", "components"] {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE account_id = $1 AND digest NOT IN (
                 SELECT agent_versions.digest FROM agent_versions
                 JOIN agents ON agents.id = agent_versions.agent_id
                 WHERE agent_versions.account_id = $1 AND agents.deleted_at IS NULL)
             AND digest NOT IN (
                 SELECT digest FROM components WHERE account_id = $1 AND complete = 0 AND created_at > $2)"
        )))
        .bind(account.to_string())
        .bind(at.0 - UPLOAD_US)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// The deployments that use an agent, and the first unfinished runs that do.
async fn users(tx: &mut WriteTx<'_>, account: AccountId, agent: &str) -> Result<Vec<String>, DbError> {
    let deployments = sqlx::query(
        "SELECT deployments.name FROM deployments
         JOIN deployment_revisions ON deployment_revisions.deployment_id = deployments.id
             AND deployment_revisions.revision = deployments.revision
         WHERE deployment_revisions.agent_id = $1 AND deployments.deleted_at IS NULL ORDER BY deployments.name",
    )
    .bind(agent)
    .fetch_all(&mut **tx)
    .await?;
    let runs = sqlx::query(concat!(
        "SELECT runs.id FROM runs
         JOIN deployment_revisions ON deployment_revisions.deployment_id = runs.deployment_id
             AND deployment_revisions.revision = runs.deployment_revision
         WHERE runs.account_id = $1 AND deployment_revisions.agent_id = $2 AND ",
        unfinished!(),
        " ORDER BY runs.id LIMIT 10",
    ))
    .bind(account.to_string())
    .bind(agent)
    .fetch_all(&mut **tx)
    .await?;
    let named = |kind: &'static str| move |row: &AnyRow| Ok(format!("{kind} `{}`", row.try_get::<String, _>(0)?));
    deployments.iter().map(named("deployment")).chain(runs.iter().map(named("run"))).collect()
}

fn stored_agent(row: &AnyRow) -> Result<StoredAgent, DbError> {
    Ok(StoredAgent {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        name: row.try_get(1)?,
        created_at: Micros(row.try_get(2)?),
        latest: stored_version(row, 3)?,
    })
}

fn stored_version(row: &AnyRow, first: usize) -> Result<StoredVersion, DbError> {
    Ok(StoredVersion {
        version: row.try_get(first)?,
        digest: row.try_get(first + 1)?,
        kind: row.try_get(first + 2)?,
        manifest: row.try_get(first + 3)?,
        bytes: row.try_get(first + 4)?,
        created_at: Micros(row.try_get(first + 5)?),
    })
}

/// The digests of all components that somebody has: for what is kept beside the database.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn digests(db: &Db) -> Result<std::collections::HashSet<String>, DbError> {
    let rows = sqlx::query("SELECT DISTINCT digest FROM components").fetch_all(&db.pool).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
