//! What runs of a deployment did cost.

use sqlx::Row as _;

use crate::db::{Db, DbError};
use crate::ids::{AccountId, DeploymentId};
use crate::ledger::Microcredits;

/// The charges of a deployment's last runs that have finished. An index holds all that is asked for.
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
        "SELECT charged FROM runs WHERE account_id = $1 AND deployment_id = $2 AND status = 'finished'
         ORDER BY id DESC LIMIT $3",
    )
    .bind(account.to_string())
    .bind(deployment.to_string())
    .bind(limit)
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok(Microcredits(row.try_get(0)?))).collect()
}
