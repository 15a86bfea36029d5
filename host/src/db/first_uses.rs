//! Which credentials a deployment has used, so that its owner is told of each once.

use sqlx::Row as _;

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, DeploymentId};

/// Notes a use. False when the deployment has used the credential before.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    deployment: DeploymentId,
    credential: &str,
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "INSERT INTO first_uses (account_id, deployment_id, credential, told_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(account.to_string())
    .bind(deployment.to_string())
    .bind(credential)
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The name of a deployment, a deleted one's too.
///
/// # Errors
/// [`DbError::Missing`] when the account never had it.
pub async fn deployment_name(db: &Db, account: AccountId, deployment: DeploymentId) -> Result<String, DbError> {
    let row = sqlx::query("SELECT name FROM deployments WHERE account_id = $1 AND id = $2")
        .bind(account.to_string())
        .bind(deployment.to_string())
        .fetch_optional(&db.pool)
        .await?;
    Ok(row.ok_or(DbError::Missing("deployment"))?.try_get(0)?)
}
