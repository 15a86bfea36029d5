//! Accounts that are, or were, erased: what is due, and the statements that the data map stands for.

mod rows;

use std::collections::BTreeMap;

pub use rows::*;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use utoipa::ToSchema;

use super::kept_back::held;
use super::region::served;
use super::{Db, DbError, WriteTx, accounts};
use crate::accounts::Status;
use crate::clock::Micros;
use crate::ids::{AccountId, ErasureId, RunId};
use crate::words::words;

words! {
    /// Where the erasure of an account is.
    ErasureState {
        /// Its owner can think again until it is due.
        Asked = "asked",
        /// It has begun, and can't be stopped.
        Erasing = "erasing",
        /// All but the address is erased; the last letter is on its way.
        Telling = "telling",
        /// Nothing of it is left but what the law asks for.
        Erased = "erased",
    }
}

/// What was erased of an account, and what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Rows that were deleted, by table.
    pub erased: BTreeMap<String, u64>,
    /// Rows that are kept under a pseudonym, by table.
    pub kept: BTreeMap<String, u64>,
    /// Why they are kept.
    pub kept_why: String,
    /// Who else held something of it, and was to be told to erase it.
    #[serde(default)]
    pub told: Vec<String>,
}

/// An erasure.
#[derive(Clone, Debug)]
pub struct StoredErasure {
    /// Its id.
    pub id: ErasureId,
    /// The account, until it is erased.
    pub account: Option<AccountId>,
    /// Whose what is kept is from then on.
    pub pseudonym: AccountId,
    /// What the account is in a backup.
    pub digest: Vec<u8>,
    /// Where it is.
    pub state: ErasureState,
    /// What the account was before.
    pub status_before: Status,
    /// When it was asked for.
    pub asked_at: Micros,
    /// Since when it is where it is.
    pub state_at: Micros,
    /// From when on it is done.
    pub due_at: Micros,
    /// When it was done.
    pub erased_at: Option<Micros>,
    /// What was done.
    pub certificate: Option<Certificate>,
    /// Whether a hold keeps it from being begun.
    pub is_held: bool,
}

/// An erasure to note.
#[derive(Clone, Copy, Debug)]
pub struct NewErasure {
    /// Its id.
    pub id: ErasureId,
    /// The account.
    pub account: AccountId,
    /// What the account is in a backup.
    pub digest: [u8; 32],
    /// Now.
    pub at: Micros,
    /// From when on it is done.
    pub due_at: Micros,
}

/// Notes an erasure of an account, with what that was until now.
///
/// # Errors
/// [`DbError::Exists`] when the account is about to be erased already.
pub async fn insert(tx: &mut WriteTx<'_>, new: &NewErasure, before: Status) -> Result<(), DbError> {
    let done = sqlx::query(
        "INSERT INTO erasures
             (id, account_id, pseudonym, account_digest, state, status_before, asked_at, state_at, due_at)
         VALUES ($1, $2, $3, $4, 'asked', $5, $6, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(new.id.to_string())
    .bind(new.account.to_string())
    .bind(AccountId::generate().to_string())
    .bind(new.digest.as_slice())
    .bind(before.as_str())
    .bind(new.at.0)
    .bind(new.due_at.0)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(DbError::Exists("a deletion of this account")) }
}

const COLUMNS: &str = concat!(
    "id, account_id, pseudonym, state, status_before, asked_at, due_at, erased_at, certificate, state_at,
     account_digest, CAST(CASE WHEN state = 'asked' AND ",
    held!("erasures.account_id"),
    " THEN 1 ELSE 0 END AS BIGINT)"
);

/// The erasure of an account that is not over.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn of(db: &Db, account: AccountId) -> Result<Option<StoredErasure>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM erasures WHERE account_id = $1");
    let row = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored).transpose()
}

/// Erasures of accounts that this host serves, which are due and not done, those of held accounts too.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn due(db: &Db, now: Micros) -> Result<Vec<StoredErasure>, DbError> {
    let served = served!("erasures.account_id", "$2");
    let text =
        format!("SELECT {COLUMNS} FROM erasures WHERE erased_at IS NULL AND due_at <= $1 AND {served} ORDER BY due_at");
    sqlx::query(AssertSqlSafe(text))
        .bind(now.0)
        .bind(db.region())
        .fetch_all(&db.pool)
        .await?
        .iter()
        .map(stored)
        .collect()
}

/// All erasures, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(db: &Db, before: Option<ErasureId>, limit: i64) -> Result<Vec<StoredErasure>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM erasures WHERE id < $1 ORDER BY id DESC LIMIT $2");
    sqlx::query(AssertSqlSafe(text))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?
        .iter()
        .map(stored)
        .collect()
}

fn state(word: &str) -> Result<ErasureState, DbError> {
    let found = ErasureState::of_word(word);
    found.ok_or_else(|| DbError::corrupt(format!("the unknown state of an erasure `{word}`")))
}

fn stored(row: &AnyRow) -> Result<StoredErasure, DbError> {
    let text = |column: usize| row.try_get::<String, _>(column);
    let account: Option<String> = row.try_get(1)?;
    let certificate: Option<String> = row.try_get(8)?;
    Ok(StoredErasure {
        id: text(0)?.parse().map_err(DbError::corrupt)?,
        account: account.map(|id| id.parse()).transpose().map_err(DbError::corrupt)?,
        pseudonym: text(2)?.parse().map_err(DbError::corrupt)?,
        digest: row.try_get(10)?,
        state: state(&text(3)?)?,
        status_before: text(4)?.parse().map_err(DbError::corrupt)?,
        asked_at: Micros(row.try_get(5)?),
        state_at: Micros(row.try_get(9)?),
        due_at: Micros(row.try_get(6)?),
        erased_at: row.try_get::<Option<i64>, _>(7)?.map(Micros),
        certificate: certificate.map(|text| serde_json::from_str(&text)).transpose().map_err(DbError::corrupt)?,
        is_held: row.try_get::<i64, _>(11)? != 0,
    })
}

/// Forgets an erasure that has not begun: its owner thought again before it was due, or while a hold keeps it from being
/// begun. What the account was before; none when it is too late.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn cancel(tx: &mut WriteTx<'_>, account: AccountId, now: Micros) -> Result<Option<Status>, DbError> {
    let text = concat!(
        "DELETE FROM erasures WHERE account_id = $1 AND state = 'asked' AND (due_at > $2 OR ",
        held!("erasures.account_id"),
        ") RETURNING status_before"
    );
    let row = sqlx::query(text).bind(account.to_string()).bind(now.0).fetch_optional(&mut **tx).await?;
    row.map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).transpose()
}

/// What the account is once its owner thinks again, as an operator wants it. False when nobody can think again.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn set_status_before(tx: &mut WriteTx<'_>, account: AccountId, status: Status) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE erasures SET status_before = $2 WHERE account_id = $1 AND state = 'asked'")
        .bind(account.to_string())
        .bind(status.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Begins an erasure behind the lock of its account, which a hold is set behind, too. False when the account is held,
/// its owner thought again, or another host was faster.
///
/// # Errors
/// [`DbError::Missing`] when there is no such account.
pub async fn begin(tx: &mut WriteTx<'_>, erasure: ErasureId, account: AccountId, at: Micros) -> Result<bool, DbError> {
    accounts::lock(tx, account).await?;
    let text = concat!("SELECT 1 FROM accounts WHERE id = $1 AND ", held!("accounts.id"));
    if sqlx::query(text).bind(account.to_string()).fetch_optional(&mut **tx).await?.is_some() {
        return Ok(false);
    }
    advance(tx, erasure, (ErasureState::Asked, ErasureState::Erasing), at).await
}

/// Moves an erasure on. False when it is not where it was: its owner thought again, or another host was faster.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn advance(
    tx: &mut WriteTx<'_>,
    erasure: ErasureId,
    (from, to): (ErasureState, ErasureState),
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE erasures SET state = $3, state_at = $4 WHERE id = $1 AND state = $2")
        .bind(erasure.to_string())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down what is about to be erased, before any of it is: a host that dies in between counts nothing again.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn certify(tx: &mut WriteTx<'_>, erasure: ErasureId, certificate: &str) -> Result<(), DbError> {
    sqlx::query("UPDATE erasures SET certificate = $2 WHERE id = $1 AND certificate IS NULL")
        .bind(erasure.to_string())
        .bind(certificate)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Adds to what was written down who else is told.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn certify_told(tx: &mut WriteTx<'_>, erasure: ErasureId, certificate: &str) -> Result<(), DbError> {
    let done = sqlx::query("UPDATE erasures SET certificate = $2 WHERE id = $1").bind(erasure.to_string());
    done.bind(certificate).execute(&mut **tx).await?;
    Ok(())
}

/// Notes that an account is erased, and forgets which one it was. False when another host has.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn finish(tx: &mut WriteTx<'_>, erasure: ErasureId, at: Micros) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE erasures SET state = 'erased', account_id = NULL, state_at = $2, erased_at = $2
         WHERE id = $1 AND state <> 'erased'",
    )
    .bind(erasure.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Some runs of an account that have not finished.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn unfinished_runs(db: &Db, account: AccountId) -> Result<Vec<RunId>, DbError> {
    let rows = sqlx::query("SELECT id FROM runs WHERE account_id = $1 AND status <> 'finished' LIMIT 1000")
        .bind(account.to_string())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).collect()
}

/// Whether a letter to the account is on its way.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn has_waiting_letters(db: &Db, account: AccountId) -> Result<bool, DbError> {
    let row = sqlx::query("SELECT 1 FROM letters WHERE account_id = $1 AND state = 'waiting' LIMIT 1")
        .bind(account.to_string())
        .fetch_optional(&db.pool)
        .await?;
    Ok(row.is_some())
}
