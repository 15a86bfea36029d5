//! Uses of credentials: a row for each.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::sets::SetStatement;
use super::{Db, DbError};
use crate::clock::Micros;
use crate::ids::{AccountId, CredentialUseId, DeploymentId, RunId};
use crate::names::Name;

/// One use of a credential.
#[derive(Clone, Debug)]
pub struct CredentialUse {
    /// The use.
    pub id: CredentialUseId,
    /// Whose credential it was.
    pub account: AccountId,
    /// The deployment that it was granted to.
    pub deployment: DeploymentId,
    /// The run that used it.
    pub run: RunId,
    /// The credential.
    pub credential: Name,
    /// Its version.
    pub version: u32,
    /// What for, sealed.
    pub sealed_purpose: Vec<u8>,
    /// The status of the answer; none without an answer.
    pub status: Option<u16>,
    /// When it began.
    pub used_at: Micros,
    /// When it ended; none while nobody knows how.
    pub ended_at: Option<Micros>,
}

/// A use as it is stored, with the deployment's name.
#[derive(Clone, Debug)]
pub struct StoredUse {
    /// The use.
    pub of: CredentialUse,
    /// The deployment's name.
    pub deployment_name: String,
}

static INSERT: SetStatement = SetStatement::new(
    "INSERT INTO credential_uses (account_id, id, deployment_id, run_id, credential, version, sealed_purpose, status,
         used_at, ended_at)
     VALUES {rows} ON CONFLICT DO NOTHING",
    10,
);

static END: SetStatement = SetStatement::new(
    "WITH v (account_id, id, status, ended_at) AS (VALUES {rows})
     UPDATE credential_uses SET status = v.status, ended_at = v.ended_at
     FROM v
     WHERE credential_uses.account_id = v.account_id AND credential_uses.id = v.id
       AND credential_uses.ended_at IS NULL",
    4,
);

/// Writes uses down, and the end of those that were written before they had one. A use may come again.
pub(super) async fn write(connection: &mut AnyConnection, uses: &[&CredentialUse]) -> Result<(), DbError> {
    if uses.is_empty() {
        return Ok(());
    }
    INSERT
        .execute(connection, uses, |query, used| {
            query
                .bind(used.account.to_string())
                .bind(used.id.to_string())
                .bind(used.deployment.to_string())
                .bind(used.run.to_string())
                .bind(used.credential.as_str())
                .bind(i64::from(used.version))
                .bind(used.sealed_purpose.as_slice())
                .bind(used.status.map(i64::from))
                .bind(used.used_at.0)
                .bind(used.ended_at.map(|at| at.0))
        })
        .await?;
    let ended: Vec<&&CredentialUse> = uses.iter().filter(|used| used.ended_at.is_some()).collect();
    END.execute(connection, &ended, |query, used| {
        query
            .bind(used.account.to_string())
            .bind(used.id.to_string())
            .bind(used.status.map(i64::from))
            .bind(used.ended_at.map(|at| at.0))
    })
    .await?;
    Ok(())
}

/// Which uses are asked for.
#[derive(Clone, Debug, Default)]
pub struct UseFilter {
    /// Only uses of this run.
    pub run: Option<RunId>,
    /// Only uses by runs of this deployment.
    pub deployment: Option<String>,
    /// Only uses of this credential.
    pub credential: Option<String>,
    /// Only uses before this one.
    pub before: Option<CredentialUseId>,
}

/// The uses of the account's credentials, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, account: AccountId, filter: &UseFilter, limit: i64) -> Result<Vec<StoredUse>, DbError> {
    // An absent filter is the empty text, which no name and no id is.
    let rows = sqlx::query(
        "SELECT credential_uses.id, credential_uses.deployment_id, deployments.name, credential_uses.run_id,
             credential_uses.credential, credential_uses.version, credential_uses.sealed_purpose,
             credential_uses.status, credential_uses.used_at, credential_uses.ended_at
         FROM credential_uses JOIN deployments ON deployments.id = credential_uses.deployment_id
         WHERE credential_uses.account_id = $1 AND credential_uses.id < $2
           AND ($3 = '' OR credential_uses.run_id = $3)
           AND ($4 = '' OR deployments.name = $4)
           AND ($5 = '' OR credential_uses.credential = $5)
         ORDER BY credential_uses.id DESC LIMIT $6",
    )
    .bind(account.to_string())
    .bind(filter.before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
    .bind(filter.run.map(|run| run.to_string()).unwrap_or_default())
    .bind(filter.deployment.as_deref().unwrap_or_default())
    .bind(filter.credential.as_deref().unwrap_or_default())
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| stored_use(account, row)).collect()
}

fn stored_use(account: AccountId, row: &AnyRow) -> Result<StoredUse, DbError> {
    let status = row.try_get::<Option<i64>, _>(7)?.map(u16::try_from).transpose().map_err(DbError::corrupt)?;
    Ok(StoredUse {
        deployment_name: row.try_get(2)?,
        of: CredentialUse {
            id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
            account,
            deployment: row.try_get::<String, _>(1)?.parse().map_err(DbError::corrupt)?,
            run: row.try_get::<String, _>(3)?.parse().map_err(DbError::corrupt)?,
            credential: row.try_get::<String, _>(4)?.parse().map_err(DbError::corrupt)?,
            version: u32::try_from(row.try_get::<i64, _>(5)?).map_err(DbError::corrupt)?,
            sealed_purpose: row.try_get(6)?,
            status,
            used_at: Micros(row.try_get(8)?),
            ended_at: row.try_get::<Option<i64>, _>(9)?.map(Micros),
        },
    })
}
