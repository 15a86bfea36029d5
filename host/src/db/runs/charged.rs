//! What runs of a deployment did cost.

use sqlx::Row as _;

use crate::db::{Db, DbError};
use crate::ids::{AccountId, DeploymentId};
use crate::ledger::Microcredits;

/// Runs of the account that are looked through for those of a deployment. An index that finds them would cost each run.
const LOOKED_THROUGH: i64 = 10_000;

/// The charges of a deployment's last runs that have finished, among the account's last.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn charged(
    db: &Db,
    account: AccountId,
    deployment: DeploymentId,
    limit: i64,
) -> Result<Vec<Microcredits>, DbError> {
    let rows = sqlx::query(
        "SELECT charged FROM (
             SELECT id, deployment_id, status, charged FROM runs WHERE account_id = $1 ORDER BY id DESC LIMIT $4
         ) AS latest
         WHERE deployment_id = $2 AND status = 'finished' ORDER BY id DESC LIMIT $3",
    )
    .bind(account.to_string())
    .bind(deployment.to_string())
    .bind(limit)
    .bind(LOOKED_THROUGH)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok(Microcredits(row.try_get(0)?))).collect()
}
