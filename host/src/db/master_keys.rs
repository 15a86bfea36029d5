//! Versions of the master keys: which there are, which are ready to wrap, and which hosts have them.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::HostId;

/// A version of the master key, as the database knows it. It never knows the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKey {
    /// The version.
    pub version: u32,
    /// Names the key.
    pub fingerprint: String,
    /// When the database heard of it.
    pub created_at: Micros,
    /// Since when it may wrap.
    pub ready_at: Option<Micros>,
}

/// All that are not retired, oldest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn all(db: &Db) -> Result<Vec<MasterKey>, DbError> {
    let rows = sqlx::query("SELECT version, fingerprint, created_at, ready_at FROM master_keys ORDER BY version")
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(master_key).collect()
}

/// Makes a version known, or fills in the fingerprint of one whose key was not seen yet. What another host said
/// before stays. The first ones of a database are ready at once. Returns how many were new.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn register(tx: &mut WriteTx<'_>, keys: &[MasterKey]) -> Result<u64, DbError> {
    let mut new = 0;
    for key in keys {
        let done = sqlx::query(
            "INSERT INTO master_keys (version, fingerprint, created_at, ready_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (version) DO UPDATE SET fingerprint = $2 WHERE master_keys.fingerprint = ''",
        )
        .bind(i64::from(key.version))
        .bind(key.fingerprint.as_str())
        .bind(key.created_at.0)
        .bind(key.ready_at.map(|at| at.0))
        .execute(&mut **tx)
        .await?;
        new += done.rows_affected();
    }
    Ok(new)
}

/// Notes the newest version that a host has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn report(tx: &mut WriteTx<'_>, host: HostId, version: u32) -> Result<(), DbError> {
    sqlx::query("UPDATE hosts SET master_version = $2 WHERE id = $1 AND master_version <> $2")
        .bind(host.to_string())
        .bind(i64::from(version))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Lets a version wrap, unless a live host lacks it. Returns the hosts that do.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn make_ready(tx: &mut WriteTx<'_>, version: u32, now: Micros) -> Result<Vec<String>, DbError> {
    lock(tx).await?;
    let lacking = sqlx::query(LACKING).bind(now.0).bind(i64::from(version)).fetch_all(&mut **tx).await?;
    let lacking = lacking.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<_>, DbError>>()?;
    if lacking.is_empty() {
        sqlx::query("UPDATE master_keys SET ready_at = $2 WHERE version = $1 AND ready_at IS NULL")
            .bind(i64::from(version))
            .bind(now.0)
            .execute(&mut **tx)
            .await?;
    }
    Ok(lacking)
}

/// Live hosts that lack a version.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn hosts_lacking(db: &Db, version: u32, now: Micros) -> Result<Vec<String>, DbError> {
    let rows = sqlx::query(LACKING).bind(now.0).bind(i64::from(version)).fetch_all(&db.pool).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Forgets the versions below one. The data keys' reference makes that fail when one of them is needed.
///
/// # Errors
/// [`DbError`] when the database doesn't answer, or a data key that was not there before needs one.
pub async fn retire(tx: &mut WriteTx<'_>, below: u32) -> Result<u64, DbError> {
    let done = sqlx::query("DELETE FROM master_keys WHERE version < $1").bind(i64::from(below));
    Ok(done.execute(&mut **tx).await?.rows_affected())
}

const LACKING: &str = "SELECT id FROM hosts WHERE lease_until >= $1 AND master_version < $2 ORDER BY id";

/// Makes transactions that concern hosts and master keys take turns: one that looks at all hosts before a version
/// becomes ready, and one that adds a host that may lack it.
pub(super) async fn lock(tx: &mut WriteTx<'_>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE master_keys SET created_at = created_at WHERE version = (SELECT MAX(version) FROM master_keys)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn master_key(row: &AnyRow) -> Result<MasterKey, DbError> {
    Ok(MasterKey {
        version: u32::try_from(row.try_get::<i64, _>(0)?).map_err(DbError::corrupt)?,
        fingerprint: row.try_get(1)?,
        created_at: Micros(row.try_get(2)?),
        ready_at: row.try_get::<Option<i64>, _>(3)?.map(Micros),
    })
}
