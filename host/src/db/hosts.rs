//! Hosts, their epochs and their leases.

use sqlx::Row as _;

use super::{Db, DbError, master_keys};
use crate::clock::Micros;
use crate::ids::HostId;

/// Begins a new epoch of this host, which has master keys up to a version; every run of an older epoch is lost.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn begin_epoch(
    db: &Db,
    host: HostId,
    master_version: u32,
    now: Micros,
    lease_until: Micros,
) -> Result<i64, DbError> {
    let region = db.region().to_owned();
    db.write(move |tx| {
        let region = region.clone();
        Box::pin(async move {
            master_keys::lock(tx).await?;
            let row = sqlx::query(
                "INSERT INTO hosts (id, epoch, started_at, lease_until, master_version, region) VALUES ($1, 1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE
                 SET epoch = hosts.epoch + 1, started_at = $2, lease_until = $3, master_version = $4, region = $5
                 RETURNING epoch",
            )
            .bind(host.to_string())
            .bind(now.0)
            .bind(lease_until.0)
            .bind(i64::from(master_version))
            .bind(region)
            .fetch_one(&mut **tx)
            .await?;
            Ok(row.try_get(0)?)
        })
    })
    .await
}

/// Renews the lease. False when another process has begun a newer epoch of this host.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn renew_lease(db: &Db, host: HostId, epoch: i64, lease_until: Micros) -> Result<bool, DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            let done = sqlx::query("UPDATE hosts SET lease_until = $3 WHERE id = $1 AND epoch = $2")
                .bind(host.to_string())
                .bind(epoch)
                .bind(lease_until.0)
                .execute(&mut **tx)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    })
    .await
}

/// True for one of the hosts of a region that live: it does for all of them what needs to be done only once. Where two believe it
/// of themselves for a moment, nothing is done twice, and one may have to try again.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn is_first(db: &Db, host: HostId, now: Micros) -> Result<bool, DbError> {
    let row = sqlx::query("SELECT MIN(id) FROM hosts WHERE lease_until > $1 AND region = $2")
        .bind(now.0)
        .bind(db.region())
        .fetch_one(&db.pool)
        .await?;
    Ok(row.try_get::<Option<String>, _>(0)?.is_none_or(|first| first == host.to_string()))
}

/// True when the host's lease of this epoch is over, so that others may recover its runs.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn lease_is_over(db: &Db, host: &str, epoch: i64, now: Micros) -> Result<bool, DbError> {
    let row =
        sqlx::query("SELECT epoch, lease_until FROM hosts WHERE id = $1").bind(host).fetch_optional(&db.pool).await?;
    let Some(row) = row else { return Ok(true) };
    Ok(row.try_get::<i64, _>(0)? > epoch || row.try_get::<i64, _>(1)? < now.0)
}
