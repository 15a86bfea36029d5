//! Credentials and their versions: sealed values, and what may be known of them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, CredentialId};
use crate::names::Name;

/// A credential with the version that is in use.
#[derive(Clone, Debug)]
pub struct StoredCredential {
    /// The credential.
    pub id: CredentialId,
    /// Its name.
    pub name: String,
    /// The number of the last version that was made.
    pub last_version: i64,
    /// The version that is in use.
    pub version: i64,
    /// The version's kind, as JSON.
    pub kind: String,
    /// The version's secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// When the credential was made.
    pub created_at: Micros,
    /// When the version was.
    pub version_created_at: Micros,
}

/// What the account may know of a credential besides the version that is in use.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The versions that are not retired, latest first, and when each was made.
    pub versions: Vec<(i64, Micros)>,
    /// The deployments that name it.
    pub used_by: Vec<String>,
    /// When it was last used, as far as the audit reaches.
    pub last_used_at: Option<Micros>,
}

/// A version to make, and the credential with its first.
#[derive(Clone, Debug)]
pub struct FreshVersion {
    /// Whose it is.
    pub account: AccountId,
    /// The credential's id, should it be new.
    pub id: CredentialId,
    /// The credential's name.
    pub name: Name,
    /// The version's number: one more than the last, which the sealed secret is bound to.
    pub version: i64,
    /// The kind, as JSON.
    pub kind: String,
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Now.
    pub at: Micros,
}

const SELECT: &str = "SELECT credentials.id, credentials.name, credentials.last_version, credential_versions.version,
         credential_versions.kind, credential_versions.sealed_secret, credentials.created_at,
         credential_versions.created_at
     FROM credentials
     JOIN credential_versions ON credential_versions.credential_id = credentials.id
         AND credential_versions.version =
             (SELECT MAX(version) FROM credential_versions WHERE credential_id = credentials.id)
     WHERE credentials.account_id = $1";

/// A credential of the account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, account: AccountId, name: &str) -> Result<Option<StoredCredential>, DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} AND credentials.name = $2")))
        .bind(account.to_string())
        .bind(name)
        .fetch_optional(&db.pool)
        .await?;
    row.as_ref().map(stored_credential).transpose()
}

/// The account's credentials, by name.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, account: AccountId, after: &str, limit: i64) -> Result<Vec<StoredCredential>, DbError> {
    let text = format!("{SELECT} AND credentials.name > $2 ORDER BY credentials.name LIMIT $3");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(after)
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_credential).collect()
}

/// The names of all credentials of the account.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn names(db: &Db, account: AccountId) -> Result<BTreeSet<String>, DbError> {
    let rows = sqlx::query("SELECT name FROM credentials WHERE account_id = $1")
        .bind(account.to_string())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What is known of the credentials with names from the one to the other, by name.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn known(db: &Db, account: AccountId, from: &str, to: &str) -> Result<BTreeMap<String, Known>, DbError> {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let asked = |text| sqlx::query(text).bind(account.to_string()).bind(from.to_owned()).bind(to.to_owned());
    let versions = asked(
        "SELECT credentials.name, credential_versions.version, credential_versions.created_at
         FROM credentials JOIN credential_versions ON credential_versions.credential_id = credentials.id
         WHERE credentials.account_id = $1 AND credentials.name >= $2 AND credentials.name <= $3
         ORDER BY credential_versions.version DESC",
    );
    for row in versions.fetch_all(&db.pool).await? {
        known.entry(row.try_get(0)?).or_default().versions.push((row.try_get(1)?, Micros(row.try_get(2)?)));
    }
    let users = asked(
        "SELECT deployment_credentials.credential, deployments.name
         FROM deployment_credentials JOIN deployments ON deployments.id = deployment_credentials.deployment_id
         WHERE deployment_credentials.account_id = $1 AND deployment_credentials.credential >= $2
           AND deployment_credentials.credential <= $3 ORDER BY deployments.name",
    );
    for row in users.fetch_all(&db.pool).await? {
        known.entry(row.try_get(0)?).or_default().used_by.push(row.try_get(1)?);
    }
    let uses = asked(
        "SELECT credentials.name, MAX(credential_uses.used_at)
         FROM credentials JOIN credential_uses ON credential_uses.account_id = credentials.account_id
             AND credential_uses.credential = credentials.name AND credential_uses.used_at >= credentials.created_at
         WHERE credentials.account_id = $1 AND credentials.name >= $2 AND credentials.name <= $3
         GROUP BY credentials.name",
    );
    for row in uses.fetch_all(&db.pool).await? {
        known.entry(row.try_get(0)?).or_default().last_used_at = Some(Micros(row.try_get(1)?));
    }
    Ok(known)
}

/// Makes a version, and the credential with its first. True when the credential is new.
///
/// # Errors
/// [`DbError::Limit`] when the account has as many credentials, or the credential as many versions, as it may
/// have; [`DbError::Exists`] when another request made this version.
pub async fn put(
    tx: &mut WriteTx<'_>,
    fresh: &FreshVersion,
    most_credentials: u64,
    most_versions: u64,
) -> Result<bool, DbError> {
    if fresh.version > 1 {
        let kept = sqlx::query("SELECT COUNT(*) FROM credential_versions WHERE account_id = $1 AND credential_id = $2");
        let kept = kept.bind(fresh.account.to_string()).bind(fresh.id.to_string()).fetch_one(&mut **tx).await?;
        if kept.try_get::<i64, _>(0)?.unsigned_abs() >= most_versions {
            return Err(DbError::Limit { limit: "credential_versions", value: most_versions });
        }
        next_version(tx, fresh).await?;
        return Ok(false);
    }
    let row = sqlx::query("SELECT COUNT(*) FROM credentials WHERE account_id = $1")
        .bind(fresh.account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<i64, _>(0)?.unsigned_abs() >= most_credentials {
        return Err(DbError::Limit { limit: "credentials", value: most_credentials });
    }
    let inserted = sqlx::query(
        "INSERT INTO credentials (id, account_id, name, last_version, created_at)
         VALUES ($1, $2, $3, 1, $4) ON CONFLICT DO NOTHING",
    )
    .bind(fresh.id.to_string())
    .bind(fresh.account.to_string())
    .bind(fresh.name.as_str())
    .bind(fresh.at.0)
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(DbError::Exists("a credential of this name"));
    }
    insert_version(tx, fresh).await?;
    Ok(true)
}

/// Puts a version in the place of the one before it, which is worth nothing any more: a refresh token that its
/// server has replaced.
///
/// # Errors
/// [`DbError::Exists`] when another request made this version.
pub async fn replace(tx: &mut WriteTx<'_>, fresh: &FreshVersion, replaced: i64) -> Result<(), DbError> {
    next_version(tx, fresh).await?;
    sqlx::query("DELETE FROM credential_versions WHERE account_id = $1 AND credential_id = $2 AND version = $3")
        .bind(fresh.account.to_string())
        .bind(fresh.id.to_string())
        .bind(replaced)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn next_version(tx: &mut WriteTx<'_>, fresh: &FreshVersion) -> Result<(), DbError> {
    let counted = sqlx::query(
        "UPDATE credentials SET last_version = $3
         WHERE account_id = $1 AND id = $2 AND last_version = $3 - 1",
    )
    .bind(fresh.account.to_string())
    .bind(fresh.id.to_string())
    .bind(fresh.version)
    .execute(&mut **tx)
    .await?;
    if counted.rows_affected() == 0 {
        return Err(DbError::Exists("this version of the credential"));
    }
    insert_version(tx, fresh).await
}

async fn insert_version(tx: &mut WriteTx<'_>, fresh: &FreshVersion) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO credential_versions (account_id, credential_id, version, kind, sealed_secret, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(fresh.account.to_string())
    .bind(fresh.id.to_string())
    .bind(fresh.version)
    .bind(fresh.kind.as_str())
    .bind(fresh.sealed_secret.as_slice())
    .bind(fresh.at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Every sealed secret of the account, with the credential's id and the version.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn sealed(db: &Db, account: AccountId) -> Result<Vec<(String, i64, Vec<u8>)>, DbError> {
    let rows = sqlx::query(
        "SELECT credential_id, version, sealed_secret FROM credential_versions
         WHERE account_id = $1 ORDER BY credential_id, version",
    )
    .bind(account.to_string())
    .fetch_all(&db.pool)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Puts a secret, sealed anew, in the place of the old one, if that is still there.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn reseal(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    (id, version): (&str, i64),
    old: &[u8],
    sealed: &[u8],
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE credential_versions SET sealed_secret = $5
         WHERE account_id = $1 AND credential_id = $2 AND version = $3 AND sealed_secret = $4",
    )
    .bind(account.to_string())
    .bind(id.to_owned())
    .bind(version)
    .bind(old.to_vec())
    .bind(sealed.to_vec())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Retires a version: its secret is gone. When it was the latest, the one before it is in use again.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such credential or version, [`DbError::OnlyVersion`] when it has
/// no other.
pub async fn retire(tx: &mut WriteTx<'_>, account: AccountId, name: &str, version: i64) -> Result<(), DbError> {
    let id = locked(tx, account, name).await?;
    let deleted =
        sqlx::query("DELETE FROM credential_versions WHERE account_id = $1 AND credential_id = $2 AND version = $3")
            .bind(account.to_string())
            .bind(id.as_str())
            .bind(version)
            .execute(&mut **tx)
            .await?;
    if deleted.rows_affected() == 0 {
        return Err(DbError::Missing("version of the credential"));
    }
    let left = sqlx::query("SELECT 1 FROM credential_versions WHERE account_id = $1 AND credential_id = $2 LIMIT 1")
        .bind(account.to_string())
        .bind(id)
        .fetch_optional(&mut **tx)
        .await?;
    left.map(|_| ()).ok_or(DbError::OnlyVersion)
}

/// Deletes a credential that no deployment names, with all of its versions.
///
/// # Errors
/// [`DbError::Missing`] when the account has no such credential, [`DbError::InUse`] when deployments name it.
pub async fn delete(tx: &mut WriteTx<'_>, account: AccountId, name: &str) -> Result<(), DbError> {
    let id = locked(tx, account, name).await?;
    let users = sqlx::query(
        "SELECT deployments.name
         FROM deployment_credentials JOIN deployments ON deployments.id = deployment_credentials.deployment_id
         WHERE deployment_credentials.account_id = $1 AND deployment_credentials.credential = $2
         ORDER BY deployments.name",
    )
    .bind(account.to_string())
    .bind(name)
    .fetch_all(&mut **tx)
    .await?;
    if !users.is_empty() {
        let named = users.iter().map(|row| Ok(format!("deployment `{}`", row.try_get::<String, _>(0)?)));
        return Err(DbError::InUse(named.collect::<Result<_, DbError>>()?));
    }
    for statement in [
        "DELETE FROM credential_versions WHERE account_id = $1 AND credential_id = $2",
        "DELETE FROM credentials WHERE account_id = $1 AND id = $2",
    ] {
        sqlx::query(statement).bind(account.to_string()).bind(id.as_str()).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The id of a credential whose row nobody else changes until the commit.
async fn locked(tx: &mut WriteTx<'_>, account: AccountId, name: &str) -> Result<String, DbError> {
    let row = sqlx::query("UPDATE credentials SET name = name WHERE account_id = $1 AND name = $2 RETURNING id")
        .bind(account.to_string())
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(DbError::Missing("credential"))?;
    Ok(row.try_get(0)?)
}

fn stored_credential(row: &AnyRow) -> Result<StoredCredential, DbError> {
    Ok(StoredCredential {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        name: row.try_get(1)?,
        last_version: row.try_get(2)?,
        version: row.try_get(3)?,
        kind: row.try_get(4)?,
        sealed_secret: row.try_get(5)?,
        created_at: Micros(row.try_get(6)?),
        version_created_at: Micros(row.try_get(7)?),
    })
}
