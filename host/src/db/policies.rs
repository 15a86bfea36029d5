//! Versions of the privacy policy, each as it was shown.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;

/// A version of the policy.
#[derive(Clone, Debug)]
pub struct StoredPolicy {
    /// A digest of its text.
    pub version: String,
    /// Its text, in HTML.
    pub text: String,
    /// Since when it is in force, or was.
    pub since: Micros,
    /// What changed, once an operator has said so.
    pub summary: Option<String>,
    /// Whether that matters to people.
    pub material: bool,
    /// When an operator said so.
    pub said_at: Option<Micros>,
}

const COLUMNS: &str = "SELECT version, text, since, summary, material, said_at FROM policies";

/// Keeps a text as the version that is in force, unless it is already. One that comes back is in force anew. The first
/// one of all changes nothing that anybody would have to be told.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, version: &str, text: &str, at: Micros) -> Result<StoredPolicy, DbError> {
    let latest = sqlx::query(AssertSqlSafe(format!("{COLUMNS} ORDER BY since DESC LIMIT 1")));
    let latest = latest.fetch_optional(&mut **tx).await?.as_ref().map(stored).transpose()?;
    if let Some(latest) = latest.as_ref().filter(|latest| latest.version == version) {
        return Ok(latest.clone());
    }
    let (summary, said_at) = match latest {
        None => (Some("the first version".to_owned()), Some(at)),
        Some(_) => (None, None),
    };
    sqlx::query(
        "INSERT INTO policies (version, text, since, summary, material, said_at) VALUES ($1, $2, $3, $4, 0, $5)
         ON CONFLICT (version) DO UPDATE SET since = $3, summary = $4, material = 0, said_at = $5",
    )
    .bind(version)
    .bind(text)
    .bind(at.0)
    .bind(summary.as_deref())
    .bind(said_at.map(|at| at.0))
    .execute(&mut **tx)
    .await?;
    let (version, text) = (version.to_owned(), text.to_owned());
    Ok(StoredPolicy { version, text, since: at, summary, material: false, said_at })
}

/// Notes what an operator says of a version. False when somebody has said something already.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn explain(
    tx: &mut WriteTx<'_>,
    version: &str,
    (summary, material): (&str, bool),
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE policies SET summary = $2, material = $3, said_at = $4 WHERE version = $1 AND said_at IS NULL",
    )
    .bind(version)
    .bind(summary)
    .bind(i64::from(material))
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The version that is in force.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn current(db: &Db) -> Result<Option<StoredPolicy>, DbError> {
    let text = format!("{COLUMNS} ORDER BY since DESC LIMIT 1");
    sqlx::query(AssertSqlSafe(text)).fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// One version.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, version: &str) -> Result<Option<StoredPolicy>, DbError> {
    let text = format!("{COLUMNS} WHERE version = $1");
    sqlx::query(AssertSqlSafe(text)).bind(version).fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// All versions, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db) -> Result<Vec<StoredPolicy>, DbError> {
    let text = format!("{COLUMNS} ORDER BY since DESC LIMIT 1000");
    sqlx::query(AssertSqlSafe(text)).fetch_all(&db.pool).await?.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredPolicy, DbError> {
    Ok(StoredPolicy {
        version: row.try_get(0)?,
        text: row.try_get(1)?,
        since: Micros(row.try_get(2)?),
        summary: row.try_get(3)?,
        material: row.try_get::<i64, _>(4)? != 0,
        said_at: row.try_get::<Option<i64>, _>(5)?.map(Micros),
    })
}
