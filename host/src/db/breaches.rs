//! Breaches: what happened, whom it concerns, and by when they have to be told.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, BreachId, MailingId};

/// A breach.
#[derive(Clone, Debug)]
pub struct StoredBreach {
    /// Its id.
    pub id: BreachId,
    /// What happened.
    pub facts: String,
    /// What those whom it concerns should do.
    pub advice: String,
    /// The tables whose rows it concerns.
    pub tables: Vec<String>,
    /// Since when it is known.
    pub aware_at: Micros,
    /// By when those whom it concerns, and the authority, are to be told.
    pub due_at: Micros,
    /// When those whom it concerns were written to.
    pub told_at: Option<Micros>,
    /// When the authority was told.
    pub authority_told_at: Option<Micros>,
    /// When it was over.
    pub ended_at: Option<Micros>,
}

impl StoredBreach {
    /// Whether those whom it concerns, or the authority, are still to be told.
    #[must_use]
    pub const fn is_to_be_told(&self) -> bool {
        self.told_at.is_none() || self.authority_told_at.is_none()
    }
}

/// A moment of a breach that is noted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Those whom it concerns are written to; again when there are more of them.
    Told,
    /// The authority was told.
    AuthorityTold,
    /// It is over.
    Ended,
}

/// Notes a breach.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, breach: &StoredBreach) -> Result<(), DbError> {
    sqlx::query("INSERT INTO breaches (id, facts, advice, tables, aware_at, due_at) VALUES ($1, $2, $3, '[]', $4, $5)")
        .bind(breach.id.to_string())
        .bind(breach.facts.as_str())
        .bind(breach.advice.as_str())
        .bind(breach.aware_at.0)
        .bind(breach.due_at.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Which accounts a breach concerns.
#[derive(Clone, Debug)]
pub enum Scope {
    /// This one.
    Account(AccountId),
    /// All that have a row in a table, written in a period where the table has the column of a moment.
    Table(&'static str, Option<&'static str>),
    /// All that there were at the end of the period.
    Everybody,
}

/// Adds the accounts of a scope to those whom a breach concerns. Returns how many are new.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn concern(
    tx: &mut WriteTx<'_>,
    breach: BreachId,
    scope: &Scope,
    (from, until): (Micros, Micros),
) -> Result<u64, DbError> {
    let (which, bound) = match scope {
        Scope::Account(account) => ("id = $4 AND $2 <= $3".to_owned(), account.to_string()),
        Scope::Everybody => ("created_at <= $3 AND $2 <= $3 AND $4 = ''".to_owned(), String::new()),
        Scope::Table(table, column) => {
            let when = column.map_or_else(|| "$2 <= $3".to_owned(), |column| format!("{column} BETWEEN $2 AND $3"));
            (format!("id IN (SELECT account_id FROM {table} WHERE {when} AND $4 = '')"), String::new())
        }
    };
    let text = format!(
        "INSERT INTO breach_accounts (account_id, breach_id) SELECT id, CAST($1 AS TEXT) FROM accounts
         WHERE status NOT IN ('pending', 'closed') AND {which} ON CONFLICT DO NOTHING"
    );
    let done = sqlx::query(AssertSqlSafe(text))
        .bind(breach.to_string())
        .bind(from.0)
        .bind(until.0)
        .bind(bound)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// Adds to the tables whose rows a breach concerns. False when the breach is over.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn add_tables(tx: &mut WriteTx<'_>, breach: BreachId, tables: &[String]) -> Result<bool, DbError> {
    // The update takes the row's lock, so that nobody closes it or adds others meanwhile.
    let known = sqlx::query("UPDATE breaches SET tables = tables WHERE id = $1 AND ended_at IS NULL RETURNING tables");
    let Some(row) = known.bind(breach.to_string()).fetch_optional(&mut **tx).await? else { return Ok(false) };
    let known: BTreeSet<String> = serde_json::from_str(&row.try_get::<String, _>(0)?).map_err(DbError::corrupt)?;
    let all: BTreeSet<_> = known.iter().chain(tables).collect();
    let all = serde_json::to_string(&all).map_err(DbError::corrupt)?;
    let text = "UPDATE breaches SET tables = $2 WHERE id = $1";
    sqlx::query(text).bind(breach.to_string()).bind(all).execute(&mut **tx).await?;
    Ok(true)
}

/// Makes those take turns who write letters about the breach that a mailing is about, so that nobody gets two.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub(super) async fn alone(tx: &mut WriteTx<'_>, mailing: MailingId) -> Result<(), DbError> {
    let text = "UPDATE breaches SET told_at = told_at WHERE id = (SELECT about FROM mailings WHERE mailings.id = $1)";
    sqlx::query(text).bind(mailing.to_string()).execute(&mut **tx).await?;
    Ok(())
}

/// Notes a moment. False when the breach is over, or that was noted before.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note(tx: &mut WriteTx<'_>, breach: BreachId, moment: Moment, at: Micros) -> Result<bool, DbError> {
    let text = match moment {
        Moment::Told => "UPDATE breaches SET told_at = COALESCE(told_at, $2) WHERE id = $1 AND ended_at IS NULL",
        Moment::AuthorityTold => {
            "UPDATE breaches SET authority_told_at = $2 WHERE id = $1 AND ended_at IS NULL AND authority_told_at IS NULL"
        }
        Moment::Ended => "UPDATE breaches SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL",
    };
    let done = sqlx::query(text).bind(breach.to_string()).bind(at.0).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// How many accounts a breach concerns, and how many of them were written to.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn concerned(db: &Db, breach: BreachId) -> Result<(i64, i64), DbError> {
    let row = sqlx::query(
        "SELECT COUNT(*), COUNT(told.account_id) FROM breach_accounts LEFT JOIN (
             SELECT mailed.account_id FROM mailed JOIN mailings ON mailings.id = mailed.mailing_id
             WHERE mailings.about = $1) AS told ON told.account_id = breach_accounts.account_id
         WHERE breach_id = $1",
    )
    .bind(breach.to_string())
    .fetch_one(&db.pool)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

const COLUMNS: &str =
    "SELECT id, facts, advice, tables, aware_at, due_at, told_at, authority_told_at, ended_at FROM breaches";

/// One breach.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, breach: BreachId) -> Result<Option<StoredBreach>, DbError> {
    let text = format!("{COLUMNS} WHERE id = $1");
    let question = sqlx::query(AssertSqlSafe(text)).bind(breach.to_string());
    question.fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// All breaches, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<BreachId>, limit: i64) -> Result<Vec<StoredBreach>, DbError> {
    let text = format!("{COLUMNS} WHERE id < $1 ORDER BY id DESC LIMIT $2");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// The breaches that are not over.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn open(db: &Db) -> Result<Vec<StoredBreach>, DbError> {
    let text = format!("{COLUMNS} WHERE ended_at IS NULL ORDER BY due_at");
    sqlx::query(AssertSqlSafe(text)).fetch_all(&db.pool).await?.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredBreach, DbError> {
    let moment = |column: usize| Ok::<_, DbError>(row.try_get::<Option<i64>, _>(column)?.map(Micros));
    Ok(StoredBreach {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        facts: row.try_get(1)?,
        advice: row.try_get(2)?,
        tables: serde_json::from_str(&row.try_get::<String, _>(3)?).map_err(DbError::corrupt)?,
        aware_at: Micros(row.try_get(4)?),
        due_at: Micros(row.try_get(5)?),
        told_at: moment(6)?,
        authority_told_at: moment(7)?,
        ended_at: moment(8)?,
    })
}
