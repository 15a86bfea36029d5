//! Letters that wait to be sent, and what became of those that do not wait any more.

use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use utoipa::ToSchema;

use super::region::served;
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, LetterId};

/// A letter to write.
#[derive(Clone, Debug)]
pub struct NewLetter {
    /// Its id.
    pub id: LetterId,
    /// Whom it is about.
    pub account: AccountId,
    /// What kind it is.
    pub kind: &'static str,
    /// Recipient and content, sealed.
    pub sealed: Vec<u8>,
    /// Somebody waits for it.
    pub is_waited_for: bool,
    /// The keyed digest of its recipient's address, when that is a stranger whom the account lets us write to.
    pub stranger: Option<Vec<u8>>,
    /// Now.
    pub at: Micros,
}

/// Where a letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It waits to be sent.
    Waiting,
    /// The mail server has taken it.
    Sent,
    /// It was given up.
    Dead,
}

impl LetterState {
    const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Dead];

    /// The word in the database and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for LetterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A letter as it is stored.
#[derive(Clone, Debug)]
pub struct StoredLetter {
    /// Its id.
    pub id: LetterId,
    /// Whom it is about.
    pub account: AccountId,
    /// What kind it is.
    pub kind: String,
    /// Where it is.
    pub state: LetterState,
    /// Recipient and content, sealed, until it is sent.
    pub sealed: Option<Vec<u8>>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_attempt_at: Micros,
    /// Why it was not sent at the last try.
    pub last_error: Option<String>,
    /// When its cause happened.
    pub created_at: Micros,
    /// When it was sent, or given up.
    pub ended_at: Option<Micros>,
}

/// What became of a try.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was taken at this moment.
    Sent(Micros),
    /// It may be tried again from this moment on; why it was not sent.
    Later(Micros, String),
    /// It is given up at this moment; why.
    Dead(Micros, String),
}

const COLUMNS: &str =
    "id, account_id, kind, state, sealed_letter, attempts, next_attempt_at, last_error, created_at, ended_at";

/// How far ahead of what is written with it a letter is taken that somebody waits for, in milliseconds: an hour. What
/// nobody waits for is late by that at most, however many there are of these.
const AHEAD_MS: i64 = 3_600_000;

/// How far apart letters of one account are taken while others wait, in milliseconds: a minute. Without others they
/// follow each other at once.
const APART_MS: i64 = 60_000;

/// Writes a letter, which waits for its turn.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn put(tx: &mut WriteTx<'_>, letter: &NewLetter) -> Result<(), DbError> {
    let turn = if letter.is_waited_for { letter.at.plus_ms(-AHEAD_MS) } else { next_turn(tx, letter).await? };
    sqlx::query(
        "INSERT INTO letters
             (id, account_id, kind, state, sealed_letter, attempts, next_attempt_at, created_at, turn, recipient_lookup)
         VALUES ($1, $2, $3, 'waiting', $4, 0, $5, $5, $6, $7)",
    )
    .bind(letter.id.to_string())
    .bind(letter.account.to_string())
    .bind(letter.kind)
    .bind(letter.sealed.as_slice())
    .bind(letter.at.0)
    .bind(turn.0)
    .bind(letter.stranger.as_deref())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Now, or later when more of the account's letters wait.
async fn next_turn(tx: &mut WriteTx<'_>, letter: &NewLetter) -> Result<Micros, DbError> {
    let row = sqlx::query("SELECT MAX(turn) FROM letters WHERE account_id = $1 AND state = 'waiting'")
        .bind(letter.account.to_string())
        .fetch_one(&mut **tx)
        .await?;
    let last = row.try_get::<Option<i64>, _>(0)?.map(|last| Micros(last).plus_ms(APART_MS));
    Ok(last.map_or(letter.at, |next| next.max(letter.at)))
}

/// How many letters to strangers an account has let us write since a moment, and how many a stranger got, whoever it
/// was that had them written.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn to_strangers(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    stranger: &[u8],
    since: Micros,
) -> Result<(i64, i64), DbError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM letters
                 WHERE account_id = $1 AND recipient_lookup IS NOT NULL AND created_at > $3),
             (SELECT COUNT(*) FROM letters WHERE recipient_lookup = $2 AND created_at > $3)",
    )
    .bind(account.to_string())
    .bind(stranger)
    .bind(since.0)
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Whether a letter is known, sent or not.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn is_there(db: &Db, letter: LetterId) -> Result<bool, DbError> {
    let found = sqlx::query("SELECT 1 FROM letters WHERE id = $1").bind(letter.to_string()).fetch_optional(&db.pool);
    Ok(found.await?.is_some())
}

/// True when a letter is due to an account that this host serves.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn any_due(db: &Db, now: Micros) -> Result<bool, DbError> {
    let text = concat!(
        "SELECT 1 FROM letters WHERE state = 'waiting' AND next_attempt_at <= $1 AND ",
        served!("letters.account_id", "$2"),
        " LIMIT 1"
    );
    let found = sqlx::query(text).bind(now.0).bind(db.region()).fetch_optional(&db.pool).await?;
    Ok(found.is_some())
}

/// Takes the letter whose turn it is, of those that are due to an account that is served in a region, so that nobody
/// else does before a moment.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn take_due(
    tx: &mut WriteTx<'_>,
    region: &str,
    now: Micros,
    until: Micros,
) -> Result<Option<StoredLetter>, DbError> {
    let served = served!("letters.account_id", "$3");
    // On PostgreSQL another host may take the same one: then what is asked for outside is no longer so. The sign keeps
    // SQLite from sorting all that are due, instead of going through them by turn.
    let text = format!(
        "UPDATE letters SET attempts = attempts + 1, next_attempt_at = $2
         WHERE id = (SELECT id FROM letters WHERE state = 'waiting' AND +next_attempt_at <= $1 AND {served}
                     ORDER BY turn, id LIMIT 1)
           AND state = 'waiting' AND next_attempt_at <= $1
         RETURNING {COLUMNS}"
    );
    let row = sqlx::query(AssertSqlSafe(text)).bind(now.0).bind(until.0).bind(region).fetch_optional(&mut **tx).await?;
    row.as_ref().map(stored_letter).transpose()
}

/// Writes down what became of a try. The content of a letter that was sent is forgotten.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn end(tx: &mut WriteTx<'_>, id: LetterId, ended: &Ended) -> Result<(), DbError> {
    let (state, at, error) = match ended {
        Ended::Sent(at) => (LetterState::Sent, at, None),
        Ended::Later(at, error) => (LetterState::Waiting, at, Some(error.as_str())),
        Ended::Dead(at, error) => (LetterState::Dead, at, Some(error.as_str())),
    };
    sqlx::query(
        "UPDATE letters SET state = $2, last_error = $4, next_attempt_at = $3,
             ended_at = CASE WHEN $2 = 'waiting' THEN NULL ELSE $3 END,
             sealed_letter = CASE WHEN $2 = 'sent' THEN NULL ELSE sealed_letter END
         WHERE id = $1 AND state = 'waiting'",
    )
    .bind(id.to_string())
    .bind(state.as_str())
    .bind(at.0)
    .bind(error)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Letters of a state, or all, to the accounts that this host serves, latest first: for operators.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    (account, state): (Option<AccountId>, Option<LetterState>),
    before: Option<LetterId>,
    limit: i64,
) -> Result<Vec<StoredLetter>, DbError> {
    let served = served!("letters.account_id", "$4");
    let text = format!(
        "SELECT {COLUMNS} FROM letters WHERE ($1 = '' OR state = $1) AND id < $2
             AND ($5 = '' OR account_id = $5) AND {served} ORDER BY id DESC LIMIT $3"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(state.map_or("", LetterState::as_str))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .bind(db.region())
        .bind(account.map(|account| account.to_string()).unwrap_or_default())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored_letter).collect()
}

/// One letter.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, id: LetterId) -> Result<Option<StoredLetter>, DbError> {
    let text = format!("SELECT {COLUMNS} FROM letters WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(text)).bind(id.to_string()).fetch_optional(&db.pool).await?;
    row.as_ref().map(stored_letter).transpose()
}

/// Lets a letter that was given up wait again. False when it was not.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn resend(tx: &mut WriteTx<'_>, id: LetterId, at: Micros) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE letters SET state = 'waiting', attempts = 0, next_attempt_at = $2, turn = $2, ended_at = NULL
         WHERE id = $1 AND state = 'dead'",
    )
    .bind(id.to_string())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn stored_letter(row: &AnyRow) -> Result<StoredLetter, DbError> {
    Ok(StoredLetter {
        id: row.try_get::<String, _>("id")?.parse().map_err(DbError::corrupt)?,
        account: row.try_get::<String, _>("account_id")?.parse().map_err(DbError::corrupt)?,
        kind: row.try_get("kind")?,
        state: {
            let text: String = row.try_get("state")?;
            let known = LetterState::ALL.into_iter().find(|state| state.as_str() == text);
            known.ok_or_else(|| DbError::corrupt("a letter in an unknown state"))?
        },
        sealed: row.try_get("sealed_letter")?,
        attempts: row.try_get("attempts")?,
        next_attempt_at: Micros(row.try_get("next_attempt_at")?),
        last_error: row.try_get("last_error")?,
        created_at: Micros(row.try_get("created_at")?),
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Micros),
    })
}
